"""How packets cross a channel that does not carry every byte value; the helper's armour.c is its twin."""

from __future__ import annotations

import base64
import binascii
from enum import IntEnum
from functools import lru_cache
from typing import Final

from adapters.tunnel.packets.malformed import MalformedError

MARK_BASE64: Final = ord("~")
MARK_ESCAPE: Final = ord("^")
MARK_PROBE: Final = ord("?")
MARK_PAD: Final = ord("=")
ESCAPE: Final = ord("}")
PROBE_END: Final = b"]probe-end["
PROBE_LIMIT: Final = 4096
NOTHING_BAD: Final = bytes(32)
ALL_BAD: Final = b"\xff" * 32
# Above this many bad values base64's fixed third is cheaper than two more bytes for each.
ESCAPE_MOST: Final = 42


class Armour(IntEnum):
    """The three ways a packet can travel, cheapest first."""

    RAW = 0
    ESCAPE = 1
    BASE64 = 2


def is_bad(bad: bytes, value: int) -> bool:
    """Whether a byte value is damaged by the channel these 256 bits describe."""
    return bool(bad[value >> 3] >> (value & 7) & 1)


def choose(bad: bytes) -> Armour:
    """The cheapest armour that survives a channel which damages these values."""
    values = [value for value in range(256) if is_bad(bad, value)]
    if any(value in b"^}0123456789abcdef" for value in values):
        return Armour.BASE64
    if not values:
        return Armour.RAW
    return Armour.ESCAPE if len(values) <= ESCAPE_MOST else Armour.BASE64


def probe() -> bytes:
    """Every byte value, each between brackets, so that the receiver sees which are missing or changed."""
    return b"".join((b"?", *(b"<%c>" % value for value in range(256)), PROBE_END))


def judge(seen: bytes) -> bytes:
    """The 256 bits of damage from what came between MARK_PROBE and PROBE_END."""
    bad = bytearray(32)
    at = 0
    for value in range(256):
        if seen[at : at + 3] == b"<%c>" % value:
            at += 3
            continue
        bad[value >> 3] |= 1 << (value & 7)
        end = seen.find(b">", at)
        at = len(seen) if end < 0 else end + 1
    return bytes(bad)


@lru_cache(maxsize=8)
def _escapes(bad: bytes) -> list[tuple[bytes, bytes]]:
    """What becomes what, in this order: an escape is made of none that comes after it."""
    values = [ESCAPE, *(value for value in range(256) if value != ESCAPE and is_bad(bad, value))]
    return [(bytes((value,)), b"}%02x" % value) for value in values]


def encode(armour: Armour, bad: bytes, data: bytes) -> bytes:
    """A packet's bytes as they travel."""
    if armour is Armour.RAW:
        return data
    if armour is Armour.BASE64:
        return b"~" + base64.b64encode(data) + b"\n"
    for plain, escaped in _escapes(bad):  # a pass for each: as fast as copying, unlike a call for each match
        data = data.replace(plain, escaped)
    return b"^" + data


def decode_base64(line: bytes) -> bytes:
    """What a line after MARK_BASE64 holds, its end removed; raises MalformedError."""
    try:
        return binascii.a2b_base64(line.replace(b"\r", b""), strict_mode=True)
    except binascii.Error as problem:
        raise MalformedError("a damaged base64 line") from problem


_PLAIN: Final = {b"%02x" % value: bytes((value,)) for value in range(256)}


def decode_escape(data: bytes) -> bytes:
    """Undo the escaping of a piece that does not end inside an escape; raises MalformedError."""
    digits = {piece[:2] for piece in data.split(b"}")[1:]}
    if not digits <= _PLAIN.keys():
        raise MalformedError("a damaged escape")
    # The escape of the escape comes last: until then each } begins an escape, whatever else has been replaced.
    for two in sorted(digits, key=b"7d".__eq__):
        data = data.replace(b"}" + two, _PLAIN[two])
    return data
