"""Expiring: the oldest events are removed, and a signed tombstone in the log says which they were.

Whole segments go; of the file that is appended to, the lines up to a place are made one first. What is removed was
read and checked before, and what living workspaces still need of it was proven to fold to the same states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from eventlog.disk import Disk
from eventlog.files.pieces import START, Piece, View, open_view
from eventlog.lines.codec import LOG_SUBJECT, READERS, UNREADABLE, TornTailSetAside, own_event_of
from eventlog.lines.tombstone import Origin, SegmentFacts, SegmentsExpired
from eventlog.log import EventLog
from eventlog.replay import Entry, decode_entry, ensure_as_told
from eventlog.retention.expired import identity
from eventlog.retention.living import Living
from eventlog.retention.measure import Cut, Prefix, cut_before, entries, is_late, measure
from eventlog.retention.steps import cut, finish, write_pending
from statemachine.errors import InternalError, LogDamagedError
from statemachine.fold import Workspace, empty, evolve
from statemachine.ports import Recorded
from statemachine.states import State

MOST: Final = 1000
"""Segments that one tombstone names, for it must be one line of the log; the next call removes more."""

May = Callable[[SegmentFacts], bool]
"""Whether a segment may go, besides being old enough."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What would expire, and what would be kept of it."""

    segments: tuple[SegmentFacts, ...] = ()
    """Empty: there is nothing to expire."""
    cut: Cut | None = None
    """Where the log's own file is to be cut, if some of it expires; the last of the segments is made so."""
    kept: list[bytes] = []
    """Lines."""
    living: list[str] = []
    """The workspaces they are of."""
    aside: tuple[str, ...] = ()
    """Files with lines that were set aside during those events."""
    log: str = ""
    origin: Origin = Origin("", "")

    @property
    def last(self) -> int:
        """Seq of the last event that would be gone; 0 if none would."""
        return self.segments[-1].last if self.segments else 0

    @property
    def events(self) -> int:
        """How many would go; those that are kept are among them."""
        return sum(segment.events for segment in self.segments)

    @property
    def size(self) -> int:
        """Bytes of their lines."""
        return sum(segment.size for segment in self.segments)


def plan(disk: Disk, log: Path, before: datetime, may: May | None = None) -> Plan:
    """What expires if everything from before a moment is to go. Changes nothing.

    Segments go from the oldest on, up to the first with an event of that moment or later, by the clock of whoever
    wrote it. Raises LogError, LogDamagedError.
    """
    with open_view(disk, log) as view:
        ensure_as_told(view)
        chosen, facts, place = _choose(view, before, may)
        if not chosen:
            return Plan()
        gone = [*([view.kept] if view.kept else []), *chosen]
        living, aside = Living(), []
        for _, line, entry in chain.from_iterable(map(entries, gone)):
            living.take(line, entry)
            if entry.subject == LOG_SUBJECT:
                own = own_event_of(entry.type, entry.schema, entry.data, entry.seq)
                if isinstance(own, TornTailSetAside):
                    aside.append(own.file)
        kept = living.lines()
        _prove(gone, kept, living.subjects())
        named = identity(view.pieces)
        return Plan(
            segments=tuple(facts),
            cut=place,
            kept=kept,
            living=living.subjects(),
            aside=tuple(aside),
            log=named[0] if named else "",
            origin=named[1] if named else Origin("", ""),
        )


def expire(log: EventLog, disk: Disk, found: Plan, *, reason: str = "", archived: bool = False) -> Recorded:
    """Carry out a plan; the tombstone. Call it ``steps.alone``, in the same ``with`` block as ``plan``.

    Raises LogError, BusyError, ImportError without ``cryptography``.
    """
    from eventlog.sealing.seal import ensure_signable, sign

    ensure_signable(log.path)
    if found.cut is not None:
        log.ensure_writable()
        cut(disk, log.path, found.cut)
    head = found.segments[-1].head
    digest = write_pending(disk, log.path, found.last, head, found.kept)
    tombstone = SegmentsExpired(
        segments=found.segments,
        last=found.last,
        head=head,
        log=found.log,
        origin=found.origin,
        kept=len(found.kept),
        kept_sha256=digest,
        aside=found.aside,
        archived=archived,
        reason=reason,
    )
    recorded = sign(log, tombstone)
    finish(disk, log.path)
    return recorded


def _choose(view: View, before: datetime, may: May | None) -> tuple[list[Piece], list[SegmentFacts], Cut | None]:
    """The pieces that go, what they are, and where the log's file is to be cut."""
    chosen: list[Piece] = []
    facts: list[SegmentFacts] = []
    prev = view.kept.segment.head if view.kept else START.head
    for piece in view.sealed:
        found = measure(piece, prev)
        if len(chosen) == MOST or is_late(found, before) or (may and not may(found)):
            return chosen, facts, None
        chosen.append(piece)
        facts.append(found)
        prev = found.head
    place = None if view.active is None or may is not None else cut_before(view.active, before)
    if place is None or view.active is None:
        return chosen, facts, None
    rest = Prefix(view.active, place)
    return [*chosen, rest], [*facts, measure(rest, prev)], place


def _prove(gone: list[Piece], kept: list[bytes], living: list[str]) -> None:
    """Make sure that the kept lines say of every living workspace what all lines said, and that the others are over."""
    before = _folded(entry for _, _, entry in chain.from_iterable(map(entries, gone)))
    after = _folded(map(decode_entry, kept))
    for name, workspace in before.items():
        if not (_is_same(workspace, after.get(name, _NEVER)) if name in living else _is_over(workspace)):
            raise InternalError(f"workspace {name} would be another one without its old events; nothing was done")


def _folded(found: Iterable[Entry]) -> dict[str, Workspace | None]:
    """What events add up to, one by one, in the plainest way there is; None for what cannot be folded."""
    states: dict[str, Workspace | None] = {}
    for entry in found:
        name = entry.subject
        workspace = states[name] if name in states else empty(name)
        if name == LOG_SUBJECT or workspace is None:
            continue
        try:
            event = READERS[entry.type, entry.schema](entry.data)
            states[name] = evolve(workspace, Recorded(entry.seq, entry.time, name, event, entry.type))
        except (LogDamagedError, *UNREADABLE):
            states[name] = None
    return states


_NEVER: Final = empty("")


def _is_same(before: Workspace | None, after: Workspace | None) -> bool:
    """Whether nothing was lost but an earlier failure, which the next outcome would replace.

    Of one that was over, and of which a newer version says more, also not what it once was.
    """
    if before is None or after is None:
        return after == before
    past = _PAST if before.state is State.ABSENT else ()
    return after in (before, replace(before, failure=None, **{name: getattr(after, name) for name in past}))


_PAST: Final = ("since", "group", "facts")
"""What is known of a workspace that is not there any more."""


def _is_over(workspace: Workspace | None) -> bool:
    return workspace is not None and workspace.state is State.ABSENT and not (workspace.intent or workspace.commands)
