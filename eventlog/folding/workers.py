"""Worker processes that fold stretches of the log on other processors.

Each is a Python interpreter that loads nothing of this program but the event log. ``multiprocessing`` would run the
caller's main module in each of them once more, and need semaphores, which not every system has.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import msgspec

from eventlog.disk import Disk
from eventlog.files.pieces import Active, Place, Sealed
from eventlog.files.segments import Segment
from eventlog.folding.states import StatesFold
from statemachine.errors import LogDamagedError, LogError
from statemachine.folding import Carried

if TYPE_CHECKING:
    from concurrent.futures import Future

_SERVE: Final = "import sys; sys.path[:] = sys.argv[1:]; from eventlog.folding.workers import serve; serve()"
_LENGTH: Final = 8
_LONGEST: Final = 1 << 32


class Stretch(msgspec.Struct, frozen=True):
    """Lines of one file, from the start of one line to that of another."""

    piece: int
    """Number of the file in the whole fold."""
    base: int
    start: int
    end: int | None
    """None: to the end of the file, wherever that is."""
    path: str
    sealed: tuple[int, int, str] | None
    """What the name of a sealed segment says; None: it is the file that is appended to."""
    identity: tuple[int, int]
    """Device and inode of that file, for its name may go to another one."""


class Task(msgspec.Struct, frozen=True):
    """What a process is asked."""

    stretch: Stretch
    verified: bool


class Found(msgspec.Struct):
    """What is in a stretch."""

    place: Place
    prev: str
    """The ``prev`` of its first line; empty when it has none."""
    foldings: dict[str, Carried]


class _Range:
    """The part of a file that ends where the next stretch begins. Satisfies ``pieces.Piece``."""

    def __init__(self, whole: Active, end: int | None) -> None:
        self.path = whole.path
        self.base = whole.base
        self._whole = whole
        self._end = end

    def blocks(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """As ``Piece``."""
        for at, data in self._whole.blocks(start):
            if self._end is not None and at + len(data) >= self._end:
                if at < self._end:
                    yield at, data[: self._end - at]
                return
            yield at, data

    def size(self) -> int:
        """As ``Piece``."""
        return self._whole.size() if self._end is None else self._end

    def head_at(self, offset: int) -> str:
        """As ``Piece``."""
        return self._whole.head_at(offset)

    def damaged(self, offset: int, reason: str) -> LogDamagedError:
        """As ``Piece``."""
        return self._whole.damaged(offset, reason)


@contextmanager
def workers(count: int) -> Iterator[Callable[[Task], Future[Found | None]]]:
    """Start processes, and give what asks one of them; they end with the ``with`` block. Raises OSError.

    The answer is None where one of them died, or found anything wrong.
    """
    from concurrent.futures import ThreadPoolExecutor
    from queue import SimpleQueue

    free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
    started: list[subprocess.Popen[bytes]] = []

    def ask(task: Task) -> Found | None:
        worker = free.get()
        try:
            return _asked(worker, task)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(count) as threads:
        try:
            for _ in range(count):
                started.append(_start())
                free.put(started[-1])
            yield lambda task: threads.submit(ask, task)
        finally:
            # Whatever is still being done is not waited for.
            threads.shutdown(wait=False, cancel_futures=True)
            for worker in started:
                worker.kill()
            threads.shutdown(wait=True)
            for worker in started:
                worker.communicate()


def _start() -> subprocess.Popen[bytes]:
    # Ctrl-C is for the process that waits for it, which ends it; so is whatever it would have to say.
    return subprocess.Popen(
        [sys.executable, "-c", _SERVE, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _asked(worker: subprocess.Popen[bytes], task: Task) -> Found | None:
    if worker.stdin is None or worker.stdout is None:
        return None
    with suppress(OSError, msgspec.MsgspecError):
        _send(worker.stdin, msgspec.msgpack.encode(task))
        return msgspec.msgpack.decode(_receive(worker.stdout), type=Found | None)
    return None


def serve() -> None:
    """What a worker process does: fold the stretches it is asked for, until its input ends."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while data := _receive(source):
        task = msgspec.msgpack.decode(data, type=Task)
        _send(target, msgspec.msgpack.encode(fold(task.stretch, verified=task.verified)))


def _send(target: IO[bytes], data: bytes) -> None:
    target.write(len(data).to_bytes(_LENGTH, "big") + data)
    target.flush()


def _receive(source: IO[bytes]) -> bytes:
    """The next message; empty when there is none any more, or what comes is none."""
    length = int.from_bytes(source.read(_LENGTH), "big")
    return source.read(length) if length <= _LONGEST else b""


def fold(stretch: Stretch, *, verified: bool) -> Found | None:
    """Fold a stretch; None where the file is not what it was, or anything is wrong with it."""
    disk, path = Disk(), Path(stretch.path)
    folded = StatesFold(Place(stretch.base, stretch.start, ""), None, piece=stretch.piece)
    try:
        if stretch.sealed is not None:
            folded.run([(Sealed(disk, Segment(path, *stretch.sealed)), stretch.start)], verified=verified)
        else:
            fd = disk.open_read(stretch.path)
            try:
                status = os.fstat(fd)
                if (status.st_dev, status.st_ino) != stretch.identity:
                    return None
                part = _Range(Active(disk, fd, path, stretch.base), stretch.end)
                folded.run([(part, stretch.start)], verified=verified)
            finally:
                disk.close(fd)
    except (LogError, OSError):
        return None
    return Found(folded.place, folded.prev, {name: one.carried() for name, one in folded.foldings.items()})
