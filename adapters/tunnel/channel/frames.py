"""WebSocket frames after the handshake (RFC 6455, section 5), for a client that ignores message boundaries.

A data frame's payload is handed on as it comes, however long the frame is, so nothing here grows with it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

CONTROL_MOST: Final = 125
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_RESERVED: Final = 0x70
_DATA: Final = (0, TEXT, BINARY)
_CONTROL: Final = (CLOSE, PING, PONG)
_KEYS: Final = 1024
_NO_STATUS: Final = 1005


class FrameError(Exception):
    """Bytes that are no frame a server may send."""


class Control(NamedTuple):
    """A control frame: its opcode and payload."""

    opcode: int
    payload: bytes


def closing(payload: bytes) -> tuple[int, str]:
    """The code and reason of a close frame."""
    if len(payload) < 2:
        return _NO_STATUS, ""
    return int.from_bytes(payload[:2], "big"), payload[2:].decode("utf-8", "replace")


class FrameReader:
    """From a server's bytes to payloads and control frames, in whatever pieces they come."""

    def __init__(self) -> None:
        self._head = b""  # of a frame whose header, or control payload, is not complete
        self._left = 0  # bytes of the data frame at hand that have not come

    def feed(self, data: bytes) -> Iterator[memoryview | Control]:
        """What these bytes complete; raises FrameError. Consume it all before feeding more."""
        data, self._head = self._head + data if self._head else data, b""
        view, at = memoryview(data), 0
        while at < len(data):
            if self._left:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                yield piece
                continue
            found = _header(data, at)
            if found is None:
                break
            opcode, start, length = found
            if opcode in _DATA:
                self._left, at = length, start
            elif len(data) < start + length:
                break
            else:
                at = start + length
                yield Control(opcode, data[start:at])
        self._head = data[at:]


def _header(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Opcode, where the payload begins, its length; None when the header is not complete."""
    if len(data) < at + 2:
        return None
    first, length = data[at], data[at + 1]
    if first & _RESERVED or length & _MASKED:
        raise FrameError("a frame with reserved bits or a mask")
    opcode, start = first & 15, at + 2
    if opcode in _CONTROL:
        if length > CONTROL_MOST or not first & _FINAL:
            raise FrameError("a control frame that is too long or in parts")
    elif opcode not in _DATA:
        raise FrameError(f"a frame of the unknown kind {opcode}")
    extended = {126: 2, 127: 8}.get(length, 0)
    if len(data) < start + extended:
        return None
    if extended:
        length = int.from_bytes(data[start : start + extended], "big")
    return opcode, start + extended, length


class FrameWriter:
    """From payloads to a client's frames. Every mask is random (section 5.3); many are drawn at once."""

    def __init__(self) -> None:
        self._apply = _mask_function()
        self._keys = b""
        self._at = 0

    def frame(self, opcode: int, payload: bytes | memoryview) -> tuple[bytes, bytes]:
        """One whole message: its header and its masked payload, for whoever sends many to join once."""
        if self._at == len(self._keys):
            self._keys, self._at = os.urandom(4 * _KEYS), 0
        key = self._keys[self._at : self._at + 4]
        self._at += 4
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", _FINAL | opcode, _MASKED | length)
        elif length < 65536:
            head = struct.pack("!BBH", _FINAL | opcode, _MASKED | 126, length)
        else:
            head = struct.pack("!BBQ", _FINAL | opcode, _MASKED | 127, length)
        return head + key, self._apply(payload, key)


def _mask_function() -> Callable[[bytes | memoryview, bytes], bytes]:
    try:
        from websockets.speedups import apply_mask
    except ImportError:  # no compiled part for this platform: slower, not other
        from websockets.utils import apply_mask
    return apply_mask
