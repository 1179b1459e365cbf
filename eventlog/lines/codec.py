"""Between events and bytes. Canonical means: msgspec's compact JSON in the order of the struct's fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar, Final, NoReturn

import msgspec

from eventlog.lines.tombstone import SegmentsArchived, SegmentsExpired
from eventlog.lines.upcast import known as known_type
from eventlog.lines.upcast import reader
from statemachine.errors import LogDamagedError
from statemachine.events import EVENT_TYPES, Event


class TornTailSetAside(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The log's own event: an unfinished last line was moved out of the way of the next append."""

    VERSION: ClassVar[int] = 1

    size: int
    sha256: str
    file: str
    """Name of the file, beside the log, that holds the bytes."""


class CheckpointSigned(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The log's own event: a key vouches for all lines before this one."""

    VERSION: ClassVar[int] = 1

    count: int
    """Seq of the line before."""
    head: str
    """Its hash."""
    key: str
    """Short name of the key."""
    signature: str
    """Ed25519, in hex."""


UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for a line that is not a record; the last for one that is nested without end."""

LOG_SUBJECT: Final = "log"
"""Subject of the log's own events."""

OWN_TYPES: Final[dict[str, type[Event]]] = {
    kind.__name__: kind for kind in (TornTailSetAside, CheckpointSigned, SegmentsArchived, SegmentsExpired)
}
"""Event types the log writes itself. They are not part of any workspace's history."""


def refuse(value: object) -> NoReturn:
    """What the encoder calls for a type that has no place in the log, a Secret above all."""
    raise TypeError(f"a {type(value).__name__} cannot be written to the event log")


_encoder: Final = msgspec.json.Encoder(enc_hook=refuse)
_decoders: Final[dict[type[Event], msgspec.json.Decoder[Event]]] = {}


def encode(value: object) -> bytes:
    """Canonical bytes. Raises TypeError for what must not or cannot be written."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError as error:
        raise _no_text(error) from error


def _no_text(error: UnicodeEncodeError) -> TypeError:
    return TypeError(f"text that is not Unicode cannot be written to the event log: {error.reason}")


def encode_event(event: Event) -> bytes:
    """An event's canonical bytes, proven to read back: a line that cannot be read blocks its workspace for ever.

    Raises TypeError when a field holds something else than its type says.
    """
    kind = type(event)
    try:
        data = _encoder.encode(event)
        (_decoders.get(kind) or _decoder(kind)).decode(data)
    except UnicodeEncodeError as error:
        raise _no_text(error) from error
    except msgspec.MsgspecError as error:
        raise TypeError(f"{kind.__name__} would not read back from the event log: {error}") from error
    return data


Reader = Callable[[bytes | msgspec.Raw], Event | None]


class _Readers(dict[tuple[str, int], Reader]):
    """How to read the data of an event, by its type's name and version; made on first use."""

    def __missing__(self, key: tuple[str, int]) -> Reader:
        name, schema = key
        kind = EVENT_TYPES.get(name)
        known = kind is not None and schema <= kind.VERSION
        read: Reader = reader(kind, name, schema, _decoder(kind).decode) if kind is not None and known else _unknown
        self[key] = read
        return read


def _unknown(_data: bytes | msgspec.Raw) -> None:
    """A type this program does not know, or a newer version of one: it is kept, and changes nothing."""


READERS: Final = _Readers()


def _decoder(kind: type[Event]) -> msgspec.json.Decoder[Event]:
    # Made on first use: one costs more than the import of this module.
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    return decoder


def event_of(name: str, schema: int, data: bytes | msgspec.Raw, seq: int) -> Event | None:
    """The event in a record; None for a type this program does not know, or a newer version of one.

    Raises LogDamagedError when the data is not what the type and version promise.
    """
    try:
        return READERS[name, schema](data)
    except UNREADABLE as error:
        raise LogDamagedError(f"event {seq} of the log is not a valid {name}: {error}") from error


def own_event_of(name: str, schema: int, data: bytes | msgspec.Raw, seq: int) -> Event | None:
    """As ``event_of``, for the log's own events."""
    kind = known_type(OWN_TYPES, name, schema)
    try:
        return None if kind is None else reader(kind, name, schema, _decoder(kind).decode)(data)
    except UNREADABLE as error:
        raise LogDamagedError(f"event {seq} of the log is not a valid {name}: {error}") from error


def timestamp(moment: datetime) -> str:
    """RFC 3339, UTC, always with microseconds. Raises ValueError for a time without a zone."""
    if moment.tzinfo is None:
        raise ValueError("the event log needs times with a time zone")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # msgspec writes a datetime five times as fast as isoformat does, but leaves out a zero fraction.
    text = _encoder.encode(moment)[1:-1].decode()
    return text if moment.microsecond else f"{text[:19]}.000000Z"


_ONE: Final = 1 << 48
_MASK: Final = _ONE - 1


class Ids:
    """UUIDs of version 7 (RFC 9562): a time, random bits of this process, and a random number counted up.

    The time is that of this process's first event: ids of a process sort as it made them (6.2), and for the time of
    each the record has a member of its own.
    """

    __slots__ = ("_first", "_random", "_start")

    def __init__(self, entropy: bytes) -> None:
        random = int.from_bytes(entropy, "big")
        self._random = f"7{random >> 62 & 0xFFF:03x}-{0x8000 | random >> 48 & 0x3FFF:04x}"
        self._first = random & _MASK
        self._start = ""

    def make(self, moment: datetime, number: int) -> str:
        """The id for a number that nothing else in the same log has."""
        if not self._start:
            time = f"{int(moment.timestamp() * 1000):012x}"
            self._start = f"{time[:8]}-{time[8:]}-{self._random}-"
        # Faster than to format a number with leading zeros: a one in front of them keeps them.
        return self._start + hex(_ONE | self._first + number & _MASK)[3:]
