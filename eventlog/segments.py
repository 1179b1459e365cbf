"""Sealed segments: what was the log's file until it grew too large, beside it under names that say what is in them.

``events.jsonl.d/segments/<first seq>-<last seq>-<hash of the last line>.jsonl``, with ``.zst`` behind it once it
is compressed. The names are a help for finding, not a promise: ``verify`` holds them against the lines.
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

_NAME: Final = re.compile(r"(\d{12})-(\d{12})-([0-9a-f]{64})\.jsonl(\.zst)?\Z")


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


def sealed(log: Path) -> list[Segment]:
    """The sealed segments of a log, oldest first; what has another name is none of ours. Raises OSError.

    Reading a folder while a segment in it is being compressed can miss both of its names, so it is read until it
    says the same twice.
    """
    found = _listed(log)
    while found and found != (again := _listed(log)):
        found = again
    return [found[name] for name in sorted(found)]


def _listed(log: Path) -> dict[str, Segment]:
    place = folder(log)
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
