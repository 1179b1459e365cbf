"""Where shipped logs are: blobs that only grow. What the shipper and the reader need of it, and a folder of copies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import msgspec

from statemachine.errors import LogError


class Blob(msgspec.Struct, frozen=True, gc=False):
    """A blob as it was when it was looked at."""

    name: str
    size: int
    blocks: int = 0
    """How many appends it has taken; 0 where nobody asked."""


class MovedError(Exception):
    """The blob does not end where the append was to begin: somebody else appended, or an earlier try arrived."""


class FullError(Exception):
    """The blob takes no more appends."""


class Readable(Protocol):
    """A place to read shipped logs from."""

    @property
    def name(self) -> str:
        """For messages; holds no secret."""
        ...

    def list(self, prefix: str = "") -> list[Blob]:
        """The blobs whose names begin so, by name. Raises ProviderError."""
        ...

    def read(self, name: str, offset: int, size: int) -> bytes:
        """A piece of a blob, whole. Raises ProviderError."""
        ...


class Appendable(Readable, Protocol):
    """A place to ship to."""

    def look(self, name: str) -> Blob:
        """One blob with its number of blocks. Raises ProviderError."""
        ...

    def create(self, name: str) -> None:
        """Make an empty blob; one that is there already stays as it is. Raises ProviderError."""
        ...

    def append(self, name: str, data: bytes, position: int) -> None:
        """Append all of it or nothing, if the blob ends at ``position``.

        Raises MovedError when it does not, FullError when it takes no more, ProviderError.
        """
        ...


class Folder:
    """A folder of copied blobs (``az storage blob download-batch``, azcopy): read as the container is."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.name = str(root)

    def list(self, prefix: str = "") -> list[Blob]:
        """As ``Readable``."""
        found = []
        try:
            for folder in os.scandir(self._root):
                if folder.is_dir():
                    found += [
                        Blob(f"{folder.name}/{entry.name}", entry.stat().st_size) for entry in os.scandir(folder.path)
                    ]
        except OSError as error:
            raise LogError(f"{self._root} cannot be read: {error.strerror}", remedy="Check the folder.") from error
        return sorted((blob for blob in found if blob.name.startswith(prefix)), key=lambda blob: blob.name)

    def read(self, name: str, offset: int, size: int) -> bytes:
        """As ``Readable``; opened for each piece, for there may be more logs than a process may have files open."""
        path = self._root / name
        try:
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise LogError(f"{path} cannot be read: {error.strerror}", remedy="Check the folder.") from error
        if len(data) != size:
            raise LogError(f"{path} became shorter while it was read", remedy="Try again.")
        return data
