"""Compressed segments. ``zstandard`` is imported when there is one to read or write."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Final

from eventlog.disk import Disk
from eventlog.failures import explained
from eventlog.files.read import open_plain
from eventlog.lines import layout
from statemachine.errors import LogDamagedError, LogError

_BLOCK: Final = 1 << 18
_PACKED: Final = 1 << 13
"""Bytes unpacked at a time: what comes of them has no limit but the format's."""
_LEVEL: Final = 6


def zstandard() -> ModuleType | None:
    """The library, if it is installed."""
    try:
        import zstandard as library
    except ImportError:
        return None
    return library


def pack(disk: Disk, source: Path, target: Path) -> bool:
    """Compress a file into a new one, whole and on the disk when this returns; False without the library.

    The result is read back and compared before it counts. Raises OSError.
    """
    library = zstandard()
    if library is None:
        return False
    compressor = library.ZstdCompressor(level=_LEVEL, write_checksum=True)
    fd = disk.create(target)
    try:
        with source.open("rb") as plain:
            for data in compressor.read_to_iter(plain, size=source.stat().st_size):
                disk.write_all(fd, data)
        disk.sync(fd)
    finally:
        disk.close(fd)
    if not _same(library, source, target):
        target.unlink()
        raise OSError(f"{target} did not read back as it was written")
    return True


def unpacked(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a compressed segment from an offset of its contents on, in large pieces.

    Raises FileNotFoundError, LogError, LogDamagedError.
    """
    at, rest, ends = 0, b"", False
    with _opened(path) as file, explained(path, "read"), _unpacking(path) as unpacking:
        while not unpacking.eof and (packed := file.read(_PACKED)):
            data = rest + unpacking.decompress(packed)
            whole = data.rfind(b"\n") + 1
            if len(data) - whole > layout.MAX_LINE:
                break
            rest = data[whole:]
            begin = max(0, start - at)
            if begin < whole:
                yield at + begin, data[begin:whole]
            at += whole
        ends = unpacking.eof and not unpacking.unused_data and not file.read(1)
    if rest or at < start:
        raise LogDamagedError(f"{path} ends in the middle of a line")
    if not ends:
        raise LogDamagedError(f"{path} was cut off, or has something behind its end")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """A file to read; a pipe in its place would make whoever opens it wait for ever."""
    with open_plain(Disk(), path) as fd:
        if fd is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        with os.fdopen(fd, "rb", closefd=False) as file:
            yield file


@contextmanager
def _unpacking(path: Path) -> Iterator[Any]:  # of a library without types
    """What unpacks a segment, and knows when it is at its end."""
    library = zstandard()
    if library is None:
        raise LogError(f"the segment {path} is compressed", remedy="Install `zstandard` to read it.")
    try:
        # Not a stream reader: that one takes a file that was cut off for one that ends.
        yield library.ZstdDecompressor().decompressobj()
    except library.ZstdError as error:
        raise LogDamagedError(f"{path} was changed after it was compressed: {error}") from error


def _same(library: ModuleType, source: Path, target: Path) -> bool:
    with source.open("rb") as plain, target.open("rb") as packed:
        stream: IO[bytes] = library.ZstdDecompressor().stream_reader(packed)
        while True:
            one, other = plain.read(_BLOCK), b""
            while len(other) < len(one) and (more := stream.read(len(one) - len(other))):
                other += more
            if one != other:
                return False
            if not one:
                return not stream.read(1)
