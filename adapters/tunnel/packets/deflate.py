"""A command's input, compressed while the line is the bottleneck; the helper's inflate.c expands it.

A piece becomes one packet: whole DEFLATE blocks that may refer to what went compressed before it, and at their end
the empty stored block of a sync flush. Compressing takes nothing from a fast line: a piece is compressed only while so
much is under way that the line stays busy meanwhile; after data that does not shrink, compressing pauses for a while.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import Final

from adapters.tunnel.packets.packet import PAYLOAD_MOST

EXPANDED_MOST: Final = 32768  # the helper takes no packet that expands to more
OVERHEAD: Final = 64  # what a piece that does not shrink grows by: 5 bytes for each 16 KiB, the flush, the ends
PIECE_MOST: Final = min(EXPANDED_MOST, PAYLOAD_MOST) - OVERHEAD
PIECE_LEAST: Final = 512
TRIAL: Final = 8192  # enough to tell whether data shrinks again, after some that did not
UNDER_WAY: Final = 1 << 20  # with at least so many bytes not acknowledged, the line is taken for the bottleneck

# Level and what it costs beside the first, measured on a Go binary: 0.36, 0.33 and 0.32 of its size.
LEVELS: Final = ((1, 1.0), (4, 1.35), (6, 2.7))
STEP_BYTES: Final = 1 << 20
SHARE_MOST: Final = 0.85
SHARE_GOOD: Final = 0.6

POOR: Final = 0.9
PAUSE_FIRST: Final = 128 * 1024
PAUSE_MOST: Final = 4 << 20


class Deflater:
    """One stream's compressor, which also judges whether and how hard to compress."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._level = 0
        self._squeezer = _squeezer(self._level)
        self._pause = 0  # bytes that pass before another try
        self._pause_next = PAUSE_FIRST
        self._began = clock()
        self._spent = 0.0
        self._done = 0

    @property
    def level(self) -> int:
        """The level of zlib at the moment."""
        return LEVELS[self._level][0]

    def room(self, credit: int, under_way: int) -> int:
        """How much to read for the next ``squeeze``; 0 when the next bytes should be sent uncompressed.

        ``credit``: bytes the other end is ready for. ``under_way``: sent and not acknowledged.
        """
        if self._pause > 0 or under_way < UNDER_WAY or credit < PIECE_LEAST + OVERHEAD:
            return 0
        most = PIECE_MOST if self._pause_next == PAUSE_FIRST else TRIAL
        return min(most, credit - OVERHEAD)

    def passed(self, count: int) -> None:
        """So many bytes were sent uncompressed."""
        self._pause -= min(count, self._pause)

    def squeeze(self, piece: bytes) -> bytes | None:
        """One packet's payload from at most ``PIECE_MOST`` bytes; None if they should be sent uncompressed."""
        before = self._clock()
        payload = self._squeezer.compress(piece) + self._squeezer.flush(zlib.Z_SYNC_FLUSH)
        now = self._clock()
        self._spent += now - before
        self._done += len(piece)
        if len(payload) > len(piece) * POOR:
            self._pause = self._pause_next
            self._pause_next = min(self._pause_next * 2, PAUSE_MOST)
        else:
            self._pause_next = PAUSE_FIRST
        if self._done >= STEP_BYTES:
            self._judge(now)
        if len(payload) <= len(piece) + OVERHEAD:
            return payload
        # Some builds of zlib expand data at level 1. This piece is not sent, so later ones must not refer back to it.
        self._squeezer = _squeezer(self._level)
        return None

    def _judge(self, now: float) -> None:
        """Work harder while there is time to, less hard when there is none."""
        share = self._spent / max(now - self._began, 1e-9)
        level = self._level
        if share > SHARE_MOST:
            level = max(level - 1, 0)
        elif level + 1 < len(LEVELS) and share * LEVELS[level + 1][1] / LEVELS[level][1] < SHARE_GOOD:
            level += 1
        if level != self._level:
            self._level = level
            self._squeezer = _squeezer(level)  # begins without history, which costs little
        self._began, self._spent, self._done = now, 0.0, 0


def _squeezer(level: int) -> zlib._Compress:
    return zlib.compressobj(LEVELS[level][0], zlib.DEFLATED, -zlib.MAX_WBITS)
