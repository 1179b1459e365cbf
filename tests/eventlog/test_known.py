"""What a process remembers saves reading, and never changes an answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog import EventLog, verify
from eventlog.disk import Disk
from eventlog.known import KEPT_EVENTS
from eventlog.writing.turn import LEASE
from statemachine.errors import LogConflictError
from statemachine.events import Created, Exited
from tests.eventlog.conftest import ACTOR

Make = Callable[..., EventLog]


class Counting(Disk):
    read = 0

    def read_at(self, fd: int, size: int, offset: int) -> bytes:
        data = super().read_at(fd, size, offset)
        self.read += len(data)
        return data

    def sync(self, fd: int) -> None:
        """Not what is tested."""


def test_an_append_reads_the_tail_of_a_large_log_and_no_more(path: Path, make: Make) -> None:
    big = make(disk=Counting())
    for number in range(2000):
        big.append(f"ws-{number % 10}", Exited(detail=str(number)))
    fresh = Counting()
    make(disk=fresh).append("ws-1", Created())
    assert fresh.read < 10_000
    disk = Counting()
    log = make(disk=disk)
    version = list(log.history("ws-3"))[-1].seq
    make(disk=Counting()).append("ws-3", Created())
    make(disk=Counting()).append("ws-4", Created())
    disk.read = 0
    with pytest.raises(LogConflictError):
        log.append("ws-3", Created(), expected=version)
    log.append("ws-3", Created(), expected=2002)
    list(log.history("ws-3"))
    assert disk.read < 20_000


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["append", "other", "check", "history", "half"]), st.sampled_from(["a", "b"])),
        max_size=30,
    )
)
def test_a_log_with_a_memory_answers_like_one_without(path: Path, make: Make, steps: list[tuple[str, str]]) -> None:
    path.unlink(missing_ok=True)
    log, other = make(disk=Counting()), make(disk=Counting())
    for step, subject in steps:
        plain = list(make().history(subject))
        version = plain[-1].seq if plain else 0
        if step == "append":
            assert log.append(subject, Exited(), expected=version).seq > version
        elif step == "other":
            other.append(subject, Exited())
        elif step == "check":
            with pytest.raises(LogConflictError):
                log.append(subject, Exited(), expected=version + 1)
        elif step == "half":
            next(log.history(subject), None)
        assert list(log.history(subject)) == list(make().history(subject))
    assert verify(path).ok


def test_a_log_that_was_replaced_is_read_anew(path: Path, make: Make) -> None:
    log = make()
    log.append("ws", Created())
    log.append("ws", Exited(detail="one"))
    assert len(list(log.history("ws"))) == 2
    path.unlink()
    time.sleep(LEASE)
    assert list(log.history("ws")) == []
    other = make()
    for _ in range(3):
        other.append("else", Created())
    assert list(log.history("ws")) == []
    with pytest.raises(LogConflictError, match="its last event is 0, not 2"):
        log.append("ws", Created(), expected=2)
    assert log.append("ws", Created(), expected=0).seq == 4


def test_a_subject_with_very_many_events_is_not_kept_in_memory(make: Make) -> None:
    writer = make(disk=Counting())
    for _ in range(KEPT_EVENTS + 10):
        writer.append("ws", Created())
    log = make(disk=Counting())
    for _ in range(2):
        assert len(list(log.history("ws"))) == KEPT_EVENTS + 10
    assert log._known["ws"].kept is None
    assert log.append("ws", Created(), expected=KEPT_EVENTS + 10).seq == KEPT_EVENTS + 11
    assert len(list(log.history("ws"))) == KEPT_EVENTS + 11


def test_two_names_of_one_file_are_one_log(path: Path, make: Make, tmp_path: Path) -> None:
    log = make()
    log.append("ws", Created())
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    linked = EventLog(link, actor=lambda: ACTOR, correlation="")
    assert linked.path == Path(os.path.realpath(path))
    assert linked.append("ws", Created(), expected=1).seq == 2
