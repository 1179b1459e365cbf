"""A container's log: stdout and stderr merged, bounded, with the time of every line."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from emulator.clock import now, stamp

RUNNING_BYTES = 4 * 1024 * 1024
STOPPED_BYTES = 16 * 1024
STOPPED_LINES = 1000


class LogBuffer:
    """The end of what a container wrote."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[datetime, bytes]] = deque()
        self._size = 0
        self._total = 0

    def write(self, data: bytes) -> None:
        """Append, dropping the oldest output above 4 MB."""
        self._chunks.append((now(), data))
        self._size += len(data)
        self._total += len(data)
        while self._size > RUNNING_BYTES:
            self._size -= len(self._chunks.popleft()[1])

    def read(self, tail: int | None = None, *, timestamps: bool = False, stopped: bool = False) -> str:
        """The text; a stopped container shows only its last 16 KB or 1000 lines."""
        lines = self._lines()
        if stopped:
            lines = _last_bytes(lines[-STOPPED_LINES:], STOPPED_BYTES)
        if tail is not None:
            lines = lines[-tail:] if tail > 0 else []
        return "".join(
            (f"{stamp(moment)} " if timestamps else "") + line.decode(errors="replace") for moment, line in lines
        )

    def since(self, offset: int) -> tuple[bytes, int]:
        """What was written after ``offset`` (and is still kept), and the new offset."""
        start = max(offset, self._total - self._size)
        if start >= self._total:
            return b"", self._total
        kept = b"".join(data for _, data in self._chunks)
        return kept[start - (self._total - self._size) :], self._total

    def _lines(self) -> list[tuple[datetime, bytes]]:
        lines: list[tuple[datetime, bytes]] = []
        for moment, data in self._chunks:
            *whole, rest = data.split(b"\n")
            for piece in [line + b"\n" for line in whole] + ([rest] if rest else []):
                if lines and not lines[-1][1].endswith(b"\n"):
                    lines[-1] = (lines[-1][0], lines[-1][1] + piece)
                else:
                    lines.append((moment, piece))
        return lines


def _last_bytes(lines: list[tuple[datetime, bytes]], most: int) -> list[tuple[datetime, bytes]]:
    total = 0
    for index in range(len(lines) - 1, -1, -1):
        total += len(lines[index][1])
        if total > most:
            return lines[index + 1 :]
    return lines
