"""From bytes to packets, in whatever pieces they come; the helper's parser.c is its twin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapters.tunnel.packets.armour import (
    ALL_BAD,
    MARK_BASE64,
    MARK_ESCAPE,
    MARK_PAD,
    MARK_PROBE,
    PROBE_END,
    PROBE_LIMIT,
    decode_base64,
    decode_escape,
    judge,
)
from adapters.tunnel.packets.checksum import crc32
from adapters.tunnel.packets.malformed import MalformedError
from adapters.tunnel.packets.packet import HEADER, HEADER_SIZE, MAGIC, PAYLOAD_MOST, Packet, unpack

LINE_MOST: Final = (HEADER_SIZE + PAYLOAD_MOST) * 4 // 3 + 8
PAD_MOST: Final = PAYLOAD_MOST
"""The longest pad is as long as the longest message."""
_SKIPPED: Final = b"\r\n"


@dataclass(frozen=True)
class Probe:
    """The other end's probe as it arrived: 256 bits of damage."""

    bad: bytes


@dataclass(frozen=True)
class Pad:
    """How much of the other end's padding arrived."""

    count: int


Event = Packet | Probe | Pad


class Parser:
    """Feed it bytes, iterate over what they complete. After MalformedError it must be replaced.

    ``lenient``: before the ends know each other, skip whatever is no base64 packet and forgive damage.
    ``probing``: a probe and a pad may come now.
    """

    def __init__(self, *, lenient: bool = True) -> None:
        self.lenient = lenient
        self.probing = False
        self._buffer = bytearray()
        self._plain: bytearray | None = None  # of an escaped packet that has begun: what has been decoded

    def feed(self, data: bytes | memoryview) -> Iterator[Event]:
        """The events these bytes complete. Consume them all before feeding more."""
        self._buffer += data
        at = 0
        try:
            while at < len(self._buffer):
                event, next_at = self._step(at)
                if next_at == at:
                    break
                at = next_at
                if event is not None:
                    yield event
        finally:
            del self._buffer[:at]

    def _step(self, at: int) -> tuple[Event | None, int]:
        """One thing at ``at``: what it is and where it ends; the same place when it is incomplete."""
        first = self._buffer[at]
        if self._plain is not None:
            return self._escaped(at)
        if first == MARK_BASE64:
            return self._line(at)
        if self.probing and first == MARK_PROBE:
            return self._probe(at)
        if self.probing and first == MARK_PAD:
            return self._pad(at)
        if self.lenient or first in _SKIPPED:
            return None, at + 1
        if first == MAGIC:
            return self._raw(at)
        if first == MARK_ESCAPE:
            return self._escaped(at)
        raise MalformedError(f"byte {first:#04x} where a packet should begin")

    def _raw(self, at: int) -> tuple[Event | None, int]:
        buffer = self._buffer
        start = at + HEADER_SIZE
        if len(buffer) < start:
            return None, at
        _, kind, flags, _, stream, number, length, crc = HEADER.unpack_from(buffer, at)
        if length > PAYLOAD_MOST:
            raise MalformedError("a packet longer than any can be")
        end = start + length
        if len(buffer) < end:
            return None, at
        with memoryview(buffer) as view:
            payload = bytes(view[start:end])
            found = crc32(payload, crc32(view[at : at + 16]))
        if found != crc:
            raise MalformedError("a damaged packet")
        return Packet(kind, flags, stream, number, payload), end

    def _line(self, at: int) -> tuple[Event | None, int]:
        end = self._buffer.find(b"\n", at)
        if self.lenient and (further := self._mark_within(at, end)) > at:
            return None, further
        if end < 0:
            if len(self._buffer) - at <= LINE_MOST:
                return None, at
            if not self.lenient:
                raise MalformedError("a line longer than any can be")
            return None, at + 1
        try:
            return unpack(decode_base64(bytes(self._buffer[at + 1 : end]))), end + 1
        except MalformedError:
            if not self.lenient:
                raise
            return None, at + 1

    def _mark_within(self, at: int, end: int) -> int:
        """Where in a line of noise something may begin, for no packet has a mark in it; ``at`` where nothing does.

        To try each mark in turn takes a minute where a flood of them is all that comes.
        """
        buffer = self._buffer
        last = buffer.rfind(MARK_BASE64, at, len(buffer) if end < 0 else end)
        probe = buffer.find(MARK_PROBE, at, last) if self.probing else -1
        return last if probe < 0 else probe

    def _escaped(self, at: int) -> tuple[Event | None, int]:
        """Decode what there is of an escaped packet: nothing beyond it, and no escape that is not complete."""
        if self._plain is None:
            self._plain = bytearray()
            at += 1  # the mark itself
        plain = self._plain
        while at < len(self._buffer):
            # Each byte that the packet still lacks takes at least one here.
            piece = bytes(self._buffer[at : at + _lacking(plain)])
            cut = piece.rfind(b"}", max(0, len(piece) - 2))
            if cut == 0:
                piece = bytes(self._buffer[at : at + 3])
                if len(piece) < 3:
                    return None, at
            elif cut > 0:
                piece = piece[:cut]
            plain += decode_escape(piece)
            at += len(piece)
            if not _lacking(plain):
                packet, self._plain = bytes(plain), None
                plain.clear()
                return unpack(packet), at
        return None, at

    def _probe(self, at: int) -> tuple[Event | None, int]:
        end = self._buffer.find(PROBE_END, at)
        if 0 <= end - at <= PROBE_LIMIT:
            return Probe(judge(bytes(self._buffer[at + 1 : end]))), end + len(PROBE_END)
        if len(self._buffer) - at <= PROBE_LIMIT:
            return None, at
        return Probe(ALL_BAD), at + PROBE_LIMIT

    def _pad(self, at: int) -> tuple[Event | None, int]:
        end = at + 1
        while end < len(self._buffer) and self._buffer[end] == ord("p"):
            end += 1
        if end == len(self._buffer) and end - at <= PAD_MOST:
            return None, at
        return Pad(end - at - 1), end


def _lacking(packet: bytearray) -> int:
    """How many bytes are missing at the end of a packet, or of its header as long as that is not complete."""
    if len(packet) < HEADER_SIZE:
        return HEADER_SIZE - len(packet)
    length = int.from_bytes(packet[12:16], "little")
    if length > PAYLOAD_MOST:
        raise MalformedError("a packet longer than any can be")
    return HEADER_SIZE + length - len(packet)
