"""What the log says of its own segments: which were archived, and which expired. Both are signed, and in the chain.

An event of either kind is signed over its place in the chain and everything in it, so that it vouches for all lines
before it, as a checkpoint does, and cannot be moved. The signature is the last member of its data: what is signed are
the bytes before it, as they were written, so members that only a newer version knows are signed as well.
"""

from __future__ import annotations

from typing import ClassVar, Final

from statemachine.events import Event, Fact

_CONTEXT: Final = b"devpod-provider-aci event log tombstone 1\n"
_SIGNATURE: Final = b',"signature":"'


class SegmentFacts(Fact, frozen=True, gc=False, omit_defaults=True):
    """A sealed segment, so exactly that no other bytes can be taken for it."""

    first: int
    """Seq of its first line."""
    last: int
    prev: str
    """Hash of the line before the first."""
    head: str
    """Hash of the last line."""
    events: int
    size: int
    """Bytes of its lines, uncompressed."""
    sha256: str
    """Of those bytes."""
    began: str
    """The earliest time in it (RFC 3339, UTC), as the lines say; it helps to choose, and proves nothing."""
    ended: str
    """The latest one."""


class Origin(Fact, frozen=True, gc=False, omit_defaults=True):
    """Who wrote the very first line of a log; where a log is shipped to, it goes by that name."""

    user: str
    host: str


class SegmentsArchived(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The log's own event: copies of some segments are in a folder, and were read back and compared."""

    VERSION: ClassVar[int] = 1

    segments: tuple[SegmentFacts, ...]
    place: str
    """The folder, as it was called on the computer that wrote this."""
    reason: str = ""
    key: str = ""
    """Short name of the key that signed."""
    signature: str = ""
    """Ed25519, in hex."""


class SegmentsExpired(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The log's own event, the tombstone: all events up to ``last`` are gone but for those that are kept.

    It is written before anything is removed. Kept are the lines that the state of living workspaces rests on.
    """

    VERSION: ClassVar[int] = 1

    segments: tuple[SegmentFacts, ...]
    """What this one removes; what earlier ones removed is before it."""
    last: int
    """Seq of the last event that is gone, or is the last of those kept."""
    head: str
    """Its hash: the ``prev`` of the line behind it."""
    log: str
    """Hash of the first line the log ever had, which is the log's name."""
    origin: Origin
    kept: int = 0
    """Lines that are kept."""
    kept_sha256: str = ""
    """Of those lines, each with its newline, in their order."""
    aside: tuple[str, ...] = ()
    """Names of files with unfinished lines, set aside during those events, which go with them."""
    archived: bool = False
    """Whether every segment had been archived, and the copy was found again before."""
    reason: str = ""
    key: str = ""
    signature: str = ""


def signed_text(kind: str, schema: int, seq: int, prev: str, data: bytes) -> bytes:
    """What the signature of such an event is over; ``data`` with or without the signature."""
    cut = data.rfind(_SIGNATURE)
    unsigned = data if cut < 0 else data[:cut] + b"}"
    return b"%b%b %d\n%d\n%b\n%b" % (_CONTEXT, kind.encode(), schema, seq, prev.encode(), unsigned)
