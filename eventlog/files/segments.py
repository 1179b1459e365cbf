"""Sealed segments: what was the log's file until it grew too large, beside it under names that say what is in them.

``events.jsonl.d/segments/<first seq>-<last seq>-<hash of the last line>.jsonl``, with ``.zst`` behind it once it
is compressed. The names are a help for finding, not a promise: ``verify`` holds them against the lines.

Where segments expired, one file stands in their place: ``<1>-<last seq>-<hash of that line>.kept`` has the lines of
theirs that are still needed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import msgspec

from eventlog.paths import blobs_path

PACKED: Final = ".zst"
"""Behind the name of a compressed segment."""

KEPT: Final = ".kept"
"""Ends the name of the file with what is kept of expired segments."""
PENDING: Final = ".kept-new"
"""The same before the tombstone is in the log."""

DRAFT: Final = ".draft-"
"""Begins the name under which a segment, or the log's own file, is written that then gets its own."""

_NAME: Final = re.compile(r"(\d{12})-(\d{12})-([0-9a-f]{64})(\.jsonl(?:\.zst)?|\.kept)\Z")


class Segment(msgspec.Struct, frozen=True, gc=False):
    """One sealed segment, as its name tells."""

    path: Path
    """Without the suffix of a compressed one: which of the two is there may change at any time."""
    first: int
    last: int
    head: str

    @property
    def packed(self) -> Path:
        """Where it is once it is compressed."""
        return self.path.with_name(self.path.name + PACKED)


def folder(log: Path) -> Path:
    """Where the segments of a log are."""
    return blobs_path(log, "segments")


def named(log: Path, first: int, last: int, head: str) -> Segment:
    """The segment with these lines."""
    return Segment(folder(log) / f"{first:012d}-{last:012d}-{head}.jsonl", first, last, head)


def kept(log: Path, last: int, head: str) -> Segment:
    """The file with what is kept of all events up to one."""
    return Segment(folder(log) / f"{1:012d}-{last:012d}-{head}{KEPT}", 1, last, head)


class Parts(msgspec.Struct, frozen=True, gc=False):
    """The files beside the log's own, oldest first."""

    kept: Segment | None
    """What is left of the segments that expired."""
    sealed: list[Segment]
    leftover: list[Segment]
    """Those whose lines are elsewhere in the log, or expired: what a process that died did not remove."""


def parts(log: Path) -> Parts:
    """The sealed segments of a log; what has another name is none of ours. Raises OSError.

    Reading a folder while a segment in it is being compressed can miss both of its names, so it is read until it
    says the same twice.
    """
    found = listed(folder(log))
    while found and found != (again := listed(folder(log))):
        found = again
    if not found:
        return Parts(None, [], [])
    keeping = [segment for segment in found.values() if segment.path.suffix == KEPT]
    newest = max(keeping, key=lambda segment: segment.last, default=None)
    upto = newest.last if newest else 0
    whole: list[Segment] = []
    leftover = [segment for segment in keeping if segment is not newest]
    for segment in sorted(found.values(), key=lambda segment: (segment.first, -segment.last)):
        if segment.path.suffix == KEPT:
            continue
        if segment.last > upto:
            whole.append(segment)
            upto = segment.last
        else:
            leftover.append(segment)
    return Parts(newest, whole, leftover)


def sealed(log: Path) -> list[Segment]:
    """The sealed segments of a log, oldest first. Raises OSError."""
    return parts(log).sealed


def has_expired(segment: Segment) -> bool:
    """Whether a segment, which is gone, expired: what is kept stands for its lines. Raises OSError."""
    beside = listed(segment.path.parent).values()
    return any(one.path.suffix == KEPT and one.last >= segment.last for one in beside)


def listed(place: Path) -> dict[str, Segment]:
    """The segments in a folder, by name. Raises OSError."""
    try:
        names = os.listdir(place)  # noqa: PTH208  # a Path for each entry costs more than the call
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found: dict[str, Segment] = {}
    for name in names:
        match = _NAME.match(name)
        if match is not None:
            plain = name.removesuffix(PACKED)
            found[plain] = Segment(place / plain, int(match[1]), int(match[2]), match[3])
    return found
