"""A log carried over a fork: parent and child must not think that one lock is both of theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from statemachine.events import Exited
from tests.eventlog.conftest import ACTOR

EACH = 150


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_parent_and_child_append_at_once(log: EventLog, path: Path) -> None:
    log.append("ws", Exited())
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for _ in range(EACH):
                    log.append("ws", Exited(detail="child"))
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    for _ in range(EACH):
        log.append("ws", Exited(detail="parent"))
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    verdict = verify(path)
    assert verdict.ok, verdict
    assert verdict.events == 1 + 4 * EACH
    assert len({record.id for record in log.records()}) == verdict.events


def test_a_closed_log_opens_again(log: EventLog, path: Path) -> None:
    log.append("ws", Exited())
    log.close()
    log.close()
    assert log.append("ws", Exited()).seq == 2
    before = descriptors()
    for _ in range(20):
        other = EventLog(path, actor=lambda: ACTOR, correlation="")
        other.append("ws", Exited())
        del other
    assert descriptors() <= before


def descriptors() -> int:
    """How many files this process has open; 0 where that cannot be told."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0
