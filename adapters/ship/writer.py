"""Who ships: every log has a name of its own, made from its first line, so that it never changes."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from adapters.ship.line import LOG_ID
from eventlog import layout

_PLAIN: Final = re.compile(r"[^A-Za-z0-9@_-]+")
_LONGEST: Final = 63
_NAME: Final = re.compile(r"(?P<writer>[^/]+)/(?P<part>\d{6})\.jsonl\Z")
LAST_PART: Final = 999_999


def log_id(first: bytes) -> str:
    """The name of a log, from its first line: what is under that line's hash cannot be the same twice."""
    return layout.hash_in(first)[:LOG_ID]


def writer_of(first: bytes) -> str:
    """``host.user.log``: readable in a listing, unique by its last part.

    From the first line and not from the computer, which may be given another name; a second copy of
    everything under that name would be the result.
    """
    actor: Any = msgspec.json.decode(first).get("actor", {})
    return f"{_plain(actor.get('host', ''))}.{_plain(actor.get('user', ''))}.{log_id(first)}"


def blob_name(writer: str, part: int) -> str:
    """The name of one of a writer's blobs; parts count from 1."""
    return f"{writer}/{part:06d}.jsonl"


def parse_name(name: str) -> tuple[str, int] | None:
    """Writer and part of a blob; None for a blob that is not ours."""
    found = _NAME.match(name)
    return (found["writer"], int(found["part"])) if found else None


def _plain(text: str) -> str:
    return _PLAIN.sub("_", text)[:_LONGEST] or "_"
