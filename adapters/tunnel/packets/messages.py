"""What the payloads say: between Python values and bytes, nothing else."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from adapters.tunnel.packets.malformed import MalformedError
from adapters.tunnel.spec import CommandSpec
from statemachine.errors import TunnelError

PROTOCOL_VERSION: Final = 1
CHANNEL_IN: Final = 0
CHANNEL_OUT: Final = 1
CHANNEL_ERR: Final = 2
OPEN_MOST: Final = 4 << 20
NOBODY: Final = bytes(16)  # the owner of a session that no later holder takes over

_HELLO: Final = struct.Struct("<B32s16sI")
_ATTACH: Final = struct.Struct("<BBBB16sIIII32s16s")
_WELCOME: Final = struct.Struct("<BBHII32s")
_CREDIT: Final = struct.Struct("<BI")
_EXIT: Final = struct.Struct("<BI")
_NUMBER: Final = struct.Struct("<I")
_SIZE: Final = struct.Struct("<HH")


@dataclass(frozen=True)
class Hello:
    """How the helper introduces itself."""

    version: int
    digest: bytes
    instance: bytes
    uid: int


@dataclass(frozen=True)
class Welcome:
    """The helper's answer to ATTACH and the probes."""

    attached: bool
    next_number: int
    pad_seen: int
    bad: bytes


def _fields(layout: struct.Struct, payload: bytes) -> tuple[Any, ...]:
    if len(payload) < layout.size:
        raise MalformedError("a message shorter than it must be")
    return layout.unpack_from(payload)


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogateescape")
    return _NUMBER.pack(len(data)) + data


def encode_open(spec: CommandSpec) -> bytes:
    """OPEN: what to run, as whom, where, with what. Raises TunnelError when that is more than the helper takes."""
    size = spec.tty
    parts = [struct.pack("<BBHH", 1, size is not None, size.rows if size else 0, size.columns if size else 0)]
    parts += [_text(spec.user), _text(spec.cwd), _text(spec.command), _NUMBER.pack(len(spec.env))]
    parts += [_text(f"{name}={value}") for name, value in spec.env.items()]
    order = b"".join(parts)
    if len(order) > OPEN_MOST:
        raise TunnelError(
            f"the command could not be started: command and environment are larger than {OPEN_MOST >> 20} MiB",
            remedy="Put what is long into a file, or hand it to the command's standard input.",
        )
    return order


def encode_attach(
    *,
    session: bytes,
    resume: bool,
    armour: int,
    next_number: int,
    ping: float,
    dead: float,
    grace: float,
    bad: bytes,
    owner: bytes = NOBODY,
) -> bytes:
    """ATTACH: which session of whom, from where, on what terms; ``bad`` is what the helper's probe suffered."""
    times = [round(seconds * 1000) for seconds in (ping, dead, grace)]
    return _ATTACH.pack(PROTOCOL_VERSION, resume, armour, 0, session, next_number, *times, bad, owner)


def decode_hello(payload: bytes) -> Hello:
    """HELLO."""
    version, digest, instance, uid = _fields(_HELLO, payload)
    return Hello(version, digest, instance, uid)


def decode_welcome(payload: bytes) -> Welcome:
    """WELCOME."""
    _, attached, _, next_number, pad_seen, bad = _fields(_WELCOME, payload)
    return Welcome(bool(attached), next_number, pad_seen, bad)


def encode_number(value: int) -> bytes:
    """ACK."""
    return _NUMBER.pack(value)


def decode_number(payload: bytes) -> int:
    """ACK."""
    (number,) = _fields(_NUMBER, payload)
    return int(number)


def encode_credit(channel: int, count: int) -> bytes:
    """CREDIT: the receiver is ready for that many more bytes."""
    return _CREDIT.pack(channel, count)


def decode_credit(payload: bytes) -> tuple[int, int]:
    """CREDIT: channel and count."""
    channel, count = _fields(_CREDIT, payload)
    return int(channel), int(count)


def encode_size(rows: int, columns: int) -> bytes:
    """WINSIZE."""
    return _SIZE.pack(rows, columns)


def decode_exit(payload: bytes) -> int:
    """EXIT, as a shell would report it: 128+n for signal n."""
    signaled, code = _fields(_EXIT, payload)
    return 128 + int(code) if signaled else int(code)


def decode_error(payload: bytes) -> tuple[str, str]:
    """ERROR: kind and text."""
    kind, _, text = payload.partition(b"\0")
    return kind.decode("ascii", "replace"), text.decode("utf-8", "replace")
