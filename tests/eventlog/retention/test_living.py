"""The lines that are kept fold to the same workspaces as all lines did, whatever happened."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.folding.states import recorded_in
from eventlog.replay import Entry, decode_entry
from eventlog.retention.living import Living
from statemachine import events as e
from statemachine.fold import Workspace, empty, fold
from statemachine.states import State
from statemachine.table import TABLE
from tests.eventlog.lives import FACTS, GROUP, OWNER
from tests.eventlog.making import line_of

MADE: dict[type[e.Event], dict[str, Any]] = {
    e.CreateRequested: {"owner": OWNER, "group": GROUP, "facts": FACTS},
    e.Adopted: {"group": GROUP, "facts": FACTS},
    **{kind: {"owner": OWNER} for kind in (e.StartRequested, e.StopRequested, e.DeleteRequested)},
    **{kind: {"failure": e.Failure("AzureError", "no")} for kind in e.FAILURES},
}
COMMANDS = ("one", "two", "three")


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, e.Event]]:
    """What can happen to a few workspaces, by the table of states."""
    states = dict.fromkeys(draw(st.sampled_from([("a",), ("a", "b"), ("a", "b", "log book")])), State.ABSENT)
    found: list[tuple[str, e.Event]] = []
    for _ in range(draw(st.integers(0, 40))):
        subject = draw(st.sampled_from(sorted(states)))
        kinds = sorted((kind for kind in TABLE if states[subject] in TABLE[kind]), key=lambda kind: kind.__name__)
        kind = draw(st.sampled_from(kinds))
        more: dict[str, Any] = dict(MADE.get(kind, {}))
        if kind in (e.CommandOpened, e.CommandClosed):
            more = {"command": draw(st.sampled_from(COMMANDS))} | ({"owner": OWNER} if kind is e.CommandOpened else {})
        found.append((subject, kind(**more)))
        states[subject] = TABLE[kind][states[subject]]
    return found


def folded(lines: list[bytes], subject: str) -> Workspace:
    return fold(subject, [recorded_in(line) for line in lines if decode_entry(line).subject == subject])


@settings(deadline=None, max_examples=80)
@given(histories(), st.data())
def test_the_living_stay_and_the_others_are_over(history: list[tuple[str, e.Event]], data: st.DataObject) -> None:
    lines = [line_of(seq, subject, event) for seq, (subject, event) in enumerate(history, 1)]
    living = Living()
    entries: list[Entry] = [decode_entry(line) for line in lines]
    for line, entry in zip(lines, entries, strict=True):
        living.take(line, entry)
    kept = living.lines()
    assert [line for line in lines if line in kept] == kept
    for subject in {subject for subject, _ in history}:
        whole = folded(lines, subject)
        if subject in living.subjects():
            # Why an earlier workspace of that name had failed is all that may be forgotten.
            assert folded(kept, subject) in (whole, msgspec.structs.replace(whole, failure=None))
        else:
            assert (whole.state, whole.intent, whole.commands) == (State.ABSENT, None, {})
            assert folded(kept, subject) == empty(subject)
    # A second expiry goes on from what the first one kept, as if it had seen everything.
    place = data.draw(st.integers(0, len(lines)))
    first, second = Living(), Living()
    for line in lines[:place]:
        first.take(line, decode_entry(line))
    for line in [*first.lines(), *lines[place:]]:
        second.take(line, decode_entry(line))
    assert second.lines() == kept
