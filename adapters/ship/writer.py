"""The name under which a log is shipped: made from its first line, so that it is unique and never changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from adapters.ship.line import LOG_ID
from eventlog.lines import layout
from eventlog.lines.tombstone import Origin

_PLAIN: Final = re.compile(r"[^A-Za-z0-9@_-]+")
_LONGEST: Final = 63
_NAME: Final = re.compile(r"(?P<writer>[^/]+)/(?P<part>\d{6})\.jsonl\Z")
LAST_PART: Final = 999_999


class Name(NamedTuple):
    """What a log is called."""

    log: str
    """The first digits of its first line's hash: what is under that hash cannot be the same twice."""
    writer: str
    """Where it is shipped to: ``host.user.log``, readable in a listing, unique by its last part."""


class _First(msgspec.Struct, gc=False):
    actor: Origin


_first: Final[Callable[[bytes], _First]] = msgspec.json.Decoder(_First).decode
"""Of a whole line only this: what else is in it may be more than can be decoded."""


def writer_of(first: bytes) -> str:
    """The name of the log with this first line."""
    return name_of(layout.hash_in(first), _first(first).actor).writer


def name_of(first: str, origin: Origin) -> Name:
    """The name of a log from the hash of its first line and who wrote that.

    From that line and not from the computer, which may be given another name; a second copy of everything under
    that name would be the result. When it has expired, the tombstone has both.
    """
    log = first[:LOG_ID]
    return Name(log, f"{_plain(origin.host)}.{_plain(origin.user)}.{log}")


def blob_name(writer: str, part: int) -> str:
    """The name of one of a writer's blobs; parts count from 1."""
    return f"{writer}/{part:06d}.jsonl"


def parse_name(name: str) -> tuple[str, int] | None:
    """Writer and part of a blob; None for a blob that is not ours."""
    found = _NAME.match(name)
    return (found["writer"], int(found["part"])) if found else None


def _plain(text: str) -> str:
    return _PLAIN.sub("_", text)[:_LONGEST] or "_"
