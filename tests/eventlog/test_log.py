from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from statemachine.errors import LogConflictError
from statemachine.events import Created, Owner, Started, StopRequested
from statemachine.ports import Journal

OWNER = Owner("laptop", 7)


def test_is_a_journal(log: EventLog) -> None:
    journal: Journal = log
    assert list(journal.history("ws")) == []


def test_what_is_appended_is_read_back_in_order(log: EventLog, path: Path) -> None:
    first = log.append("ws", StopRequested(owner=OWNER), expected=0)
    other = log.append("other", Created(), expected=0)
    second = log.append("ws", Started(), expected=first.seq)
    assert [r.seq for r in (first, other, second)] == [1, 2, 3]
    assert list(log.history("ws")) == [first, second]
    assert [r.event for r in log.records(verified=True)] == [first.event, other.event, second.event]
    verdict = verify(path)
    assert verdict.ok
    assert verdict.events == 3


@pytest.mark.parametrize("fresh", [True, False])
def test_an_append_based_on_old_knowledge_is_refused(log: EventLog, make: Callable[..., EventLog], fresh: bool) -> None:
    first = log.append("ws", Created(), expected=0)
    list(log.history("ws"))
    make().append("ws", Started(), expected=first.seq)
    late = make() if fresh else log
    with pytest.raises(LogConflictError, match="its last event is 2, not 1"):
        late.append("ws", Started(), expected=first.seq)
    assert late.append("ws", Started(), expected=2).seq == 3
