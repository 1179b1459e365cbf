"""A store in memory that does what Azure documents of append blobs, and fails where a test tells it to."""

from __future__ import annotations

from collections.abc import Callable

from adapters.ship.store import Blob, FullError, MovedError
from statemachine.errors import AzureError


class MemoryStore:
    """Satisfies ``store.Appendable``."""

    name = "memory"

    def __init__(self, *, most_blocks: int = 50_000) -> None:
        self.blobs: dict[str, list[bytes]] = {}
        self.most_blocks = most_blocks
        self.before: Callable[[str], None] = lambda call: None
        self.after: Callable[[str], None] = lambda call: None

    def content(self) -> dict[str, bytes]:
        return {name: b"".join(blocks) for name, blocks in self.blobs.items()}

    def whole(self) -> bytes:
        """All blobs in the order of their names."""
        return b"".join(data for _, data in sorted(self.content().items()))

    def list(self, prefix: str = "") -> list[Blob]:
        return [Blob(name, len(data)) for name, data in sorted(self.content().items()) if name.startswith(prefix)]

    def read(self, name: str, offset: int, size: int) -> bytes:
        return self.content()[name][offset : offset + size]

    def look(self, name: str) -> Blob:
        return Blob(name, len(self.content()[name]), len(self.blobs[name]))

    def create(self, name: str) -> None:
        self.before("create")
        self.blobs.setdefault(name, [])
        self.after("create")

    def append(self, name: str, data: bytes, position: int) -> None:
        self.before("append")
        if name not in self.blobs or sum(map(len, self.blobs[name])) != position:
            raise MovedError(name)
        if len(self.blobs[name]) >= self.most_blocks:
            raise FullError(name)
        if len(data) > 4 << 20:
            raise AzureError("RequestBodyTooLarge")
        self.blobs[name].append(data)
        self.after("append")
