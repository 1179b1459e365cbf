"""The unit of the link: a header of 20 bytes and up to 32 KiB. See docs/tunnel-protocol.md."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from adapters.tunnel.packets.checksum import crc32
from adapters.tunnel.packets.malformed import MalformedError

MAGIC: Final = 0xA5
HEADER: Final = struct.Struct("<BBBBIIII")
HEAD: Final = struct.Struct("<BBBBIII")
CRC: Final = struct.Struct("<I")
HEADER_SIZE: Final = HEADER.size
PAYLOAD_MOST: Final = 32768
STREAM_WINDOW: Final = 2 << 20
LINK_WINDOW: Final = 4 << 20


class Type(IntEnum):
    """What a packet is. Those from OPEN on are numbered, and repeated after a break."""

    HELLO = 1
    ATTACH = 2
    WELCOME = 3
    ACK = 4
    PING = 5
    PONG = 6
    BYE = 7
    PROBED = 8
    OPEN = 16
    STDIN = 17
    STDIN_EOF = 18
    STDOUT = 19
    STDERR = 20
    EXIT = 21
    ERROR = 22
    CREDIT = 23
    SIGNAL = 24
    WINSIZE = 25
    KILL = 26
    STDIN_CLOSED = 27


FIRST_NUMBERED: Final = 16
MORE: Final = 1  # flag of OPEN: another part follows
DEFLATED: Final = 2  # flag of STDIN: the payload is compressed


class Packet(NamedTuple):
    """One packet as it came, checksum verified."""

    type: int
    flags: int
    stream: int
    number: int
    payload: bytes


def pack(kind: int, stream: int, number: int, payload: bytes | memoryview = b"", flags: int = 0) -> bytes:
    """The packet's bytes, sealed."""
    head = HEAD.pack(MAGIC, kind, flags, 0, stream, number, len(payload))
    return b"".join((head, CRC.pack(crc32(payload, crc32(head))), payload))


def unpack(data: bytes) -> Packet:
    """A packet from exactly its bytes; raises MalformedError."""
    if len(data) < HEADER_SIZE:
        raise MalformedError("a packet shorter than its header")
    magic, kind, flags, _, stream, number, length, crc = HEADER.unpack_from(data)
    if magic != MAGIC or length > PAYLOAD_MOST or len(data) != HEADER_SIZE + length:
        raise MalformedError("not a packet")
    payload = bytes(data[HEADER_SIZE:])
    if crc32(payload, crc32(data[:16])) != crc:
        raise MalformedError("a damaged packet")
    return Packet(kind, flags, stream, number, payload)


def before(first: int, second: int) -> bool:
    """Whether packet number ``first`` comes before ``second``; numbers wrap at 2**32."""
    return (first - second) & 0xFFFFFFFF >= 0x80000000
