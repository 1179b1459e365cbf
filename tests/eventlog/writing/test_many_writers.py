"""Many processes append at once: nothing is lost, nothing is doubled, and nobody overwrites what he did not see."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from eventlog.disk import Disk
from eventlog.lock import LOCK_SUFFIX
from eventlog.writing.turn import LEASE, Turn
from statemachine.errors import LogError
from statemachine.events import Exited
from tests.eventlog.conftest import ACTOR
from tests.eventlog.lives import Quick
from tests.eventlog.processes import appender

WRITERS = 24
EACH = 100


def test_every_acknowledged_event_is_there_once_and_in_order(path: Path, log: EventLog) -> None:
    writers = [appender(path, "free", f"ws-{number % 5}", EACH) for number in range(WRITERS)]
    acknowledged = []
    for writer in writers:
        out, err = writer.communicate(timeout=150)
        assert writer.returncode == 0, err
        own = [int(line) for line in out.split()]
        assert own == sorted(own)
        acknowledged += own
    assert sorted(acknowledged) == list(range(1, WRITERS * EACH + 1))
    verdict = verify(path)
    assert verdict.ok, verdict
    assert verdict.events == WRITERS * EACH
    records = list(log.records(verified=True))
    assert len({record.id for record in records}) == len(records)
    assert len({record.event for record in records}) == len(records)


def test_expected_lets_one_of_many_through(path: Path, log: EventLog) -> None:
    writers = [appender(path, "careful", "ws", 40) for _ in range(6)]
    for writer in writers:
        _, err = writer.communicate(timeout=150)
        assert writer.returncode == 0, err
    version = 0
    for recorded in log.history("ws"):
        assert recorded.event == Exited(detail=str(version)), "somebody appended without having seen the event before"
        version = recorded.seq
    assert version == 240
    assert verify(path).ok


def test_threads_share_one_log(log: EventLog, path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        recorded = list(pool.map(lambda number: log.append("ws", Exited(detail=str(number))), range(200)))
    assert sorted(one.seq for one in recorded) == list(range(1, 201))
    assert verify(path).ok


def test_the_way_of_windows_as_far_as_it_goes_here(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A lock file beside the log, which is closed after each turn, and which nobody can rename while it is open."""
    monkeypatch.setattr("eventlog.writing.turn._LOCKS_THE_LOG", False)
    monkeypatch.setattr("eventlog.writing.append.STAYS_OPEN", False)

    class Stubborn(Quick):
        def rename(self, source: Path, target: Path) -> None:
            raise PermissionError(13, "the file is being used by another process")

    def write(number: int) -> list[int]:
        log = EventLog(path, actor=lambda: ACTOR, correlation=str(number), disk=Stubborn(), segment=20_000)
        return [log.append(f"ws-{number}", Exited()).seq for _ in range(20)]

    with ThreadPoolExecutor(6) as pool:
        assert sorted(seq for seqs in pool.map(write, range(6)) for seq in seqs) == list(range(1, 121))
    assert path.with_name(path.name + LOCK_SUFFIX).exists()
    assert "cannot be moved" in caplog.text
    verdict = verify(path)
    assert (verdict.ok, verdict.events) == (True, 120), verdict


def test_a_lock_that_is_never_released_is_an_error_in_the_end(make: Callable[..., EventLog], log: EventLog) -> None:
    log.append("ws", Exited())
    with Turn(log.path, Disk(), 1), pytest.raises(LogError, match=r"locked for 0\.05 s.*stopped devpod-provider-aci"):
        make(patience=0.05).append("ws", Exited())
    assert log.append("ws", Exited()).seq == 2


def test_a_log_moved_away_while_waiting_is_not_written_to(log: EventLog, path: Path) -> None:
    log.append("ws", Exited())
    time.sleep(LEASE)
    moved = path.with_name("moved")
    with ThreadPoolExecutor(1) as pool:
        with Turn(log.path, Disk(), 1):
            waiting = pool.submit(log.append, "ws", Exited())
            path.rename(moved)
        assert waiting.result(timeout=150).seq == 1
    assert verify(moved).events == 1
    assert verify(path).events == 1
