"""Two points of one history, or of two: what is different, and where the two ways part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from difflib import SequenceMatcher
from typing import Final

import msgspec

from eventlog.audit.replay import facts_of, up_to
from eventlog.audit.story import told
from eventlog.audit.times import is_time
from eventlog.audit.walk import Step
from statemachine.fold import Workspace, empty

_LIKE_A_TIME: Final = re.compile(r"\d{4}-\d\d|\d\d:\d\d")
"""What is told that it is none, rather than looked for as a workspace."""

NOISE: Final = frozenset({"CommandOpened", "CommandClosed"})
"""Types that say little about why two lives went different ways, and are many."""


class Point(msgspec.Struct, frozen=True):
    """A place in a workspace's history."""

    workspace: str
    seq: int | None = None
    time: datetime | None = None
    """Both None: the end."""

    def __str__(self) -> str:
        at = "" if self.seq is None else f"@{self.seq}"
        return f"{self.workspace}{at}" + (f"@{self.time:%Y-%m-%d %H:%M:%S}" if self.time else "")


class Difference(msgspec.Struct, frozen=True):
    """One fact that is not the same; empty where there is none."""

    name: str
    left: str
    right: str


class Turn(msgspec.Struct, frozen=True):
    """A place where the two ways differ: what only one of them, or the other, went through."""

    left: tuple[str, ...]
    right: tuple[str, ...]


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """Two points, compared."""

    left: str
    right: str
    facts: tuple[Difference, ...]
    same: int
    """Events both ways have in common before they part."""
    turns: tuple[Turn, ...]


def read_point(text: str, workspace: str | None) -> tuple[str, str]:
    """Workspace and place in ``12``, ``demo``, ``demo@12``, ``demo@2026-11-22``; an empty place means the end.

    A number, or what looks like a time, needs ``workspace``. Raises ValueError.
    """
    name, at, place = text.partition("@")
    if at:
        return name or workspace or _missing(text), place
    if re.fullmatch(r"\d+", text) or (workspace and (_LIKE_A_TIME.match(text) or is_time(text))):
        return workspace or _missing(text), text
    return text, ""


def diff(left: Point, left_steps: Sequence[Step], right: Point, right_steps: Sequence[Step]) -> Diff:
    """What is different at two points. Of one workspace: what happened in between; of two: how their ways differ."""
    one = list(up_to(left_steps, seq=left.seq, moment=left.time))
    other = list(up_to(right_steps, seq=right.seq, moment=right.time))
    before = facts_of(_last(left.workspace, one))
    after = facts_of(_last(right.workspace, other))
    names = list(dict.fromkeys([*before, *after]))
    way, other_way = _way(one), _way(other)
    same, turns = _turns(way, other_way)
    return Diff(
        left=str(left),
        right=str(right),
        facts=tuple(
            Difference(name, before.get(name, ""), after.get(name, ""))
            for name in names
            if before.get(name) != after.get(name)
        ),
        same=same,
        turns=turns,
    )


def _last(workspace: str, steps: Sequence[Step]) -> Workspace:
    return steps[-1].after if steps else empty(workspace)


def _way(steps: Sequence[Step]) -> list[tuple[str, str]]:
    """The events that matter: what is compared, and how it is shown."""
    found = []
    for step in steps:
        if step.record.type in NOISE:
            continue
        words = told(step.event, step.before)
        code = f" {words.code}" if words.code else ""
        shown = f"{step.record.seq} {step.record.time:%m-%d %H:%M:%S} {step.record.type}{code} -> {step.after.state}"
        found.append((f"{step.record.type}{code}", shown))
    return found


def _turns(left: list[tuple[str, str]], right: list[tuple[str, str]]) -> tuple[int, tuple[Turn, ...]]:
    """How many events both begin with, and what is different after them."""
    one, other = [key for key, _ in left], [key for key, _ in right]
    same = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if same is None:
        same = min(len(one), len(other))
    blocks = SequenceMatcher(None, one[same:], other[same:], autojunk=False).get_opcodes()
    turns = tuple(
        Turn(
            tuple(shown for _, shown in left[same + a : same + b]),
            tuple(shown for _, shown in right[same + c : same + d]),
        )
        for kind, a, b, c, d in blocks
        if kind != "equal"
    )
    return same, turns


def _missing(text: str) -> str:
    raise ValueError(f"{text!r} does not say of which workspace; write WORKSPACE@{text.lstrip('@')}")
