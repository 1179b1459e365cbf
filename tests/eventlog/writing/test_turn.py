"""A file that lost its name is written to no more, although not every turn looks at the name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from eventlog.sealing.seal import public_key
from eventlog.writing import turn
from statemachine.errors import ProviderError
from statemachine.events import Exited
from tests.eventlog.lives import Quick, quick
from tests.eventlog.old import at, expires, old

Make = Callable[..., EventLog]

LONG = 0.3


@pytest.fixture
def long_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "LEASE", LONG)


@pytest.mark.usefixtures("long_lease")
def test_a_file_is_sealed_only_when_no_look_at_it_counts_any_more(path: Path, make: Make) -> None:
    one, other = quick(path), make(disk=Quick(), segment=1)
    for _ in range(3):
        assert one.append("ws", Exited())
        assert other.append("ws", Exited())
    assert one.append("ws", Exited()).seq == 7
    verdict = verify(path)
    assert (verdict.ok, verdict.events, verdict.warnings) == (True, 7, ())


@pytest.mark.usefixtures("long_lease")
def test_nor_is_it_cut_before(path: Path) -> None:
    log = old(path, 30, segment=1 << 30)
    assert expires(quick(path), at(10)).last == 10
    assert [log.append("ws-1", Exited()).seq for _ in range(2)] == [32, 33]
    verdict = verify(path)
    assert (verdict.ok, verdict.events) == (True, 33)


def test_a_log_moved_away_by_hand_is_left_a_moment_later(log: EventLog, path: Path) -> None:
    assert log.append("ws", Exited()).seq == 1
    path.rename(path.with_name("moved"))
    time.sleep(turn.LEASE)
    assert log.append("ws", Exited()).seq == 1
    assert (verify(path).events, verify(path.with_name("moved")).events) == (1, 1)


@pytest.mark.parametrize(("lease", "looked"), [(0, True), (600, False)])
def test_appends_in_a_row_look_at_the_name_once_in_a_while(
    log: EventLog, path: Path, monkeypatch: pytest.MonkeyPatch, lease: float, looked: bool
) -> None:
    looks: list[object] = []
    stat = os.stat

    def counted(name: str | Path, **options: object) -> os.stat_result:
        looks.append(name)
        return stat(name, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(turn, "LEASE", lease)
    log.append("ws", Exited())
    monkeypatch.setattr(os, "stat", counted)
    for _ in range(10):
        log.append("ws", Exited())
    assert (str(path) in looks) is looked


@pytest.mark.usefixtures("long_lease")
def test_a_log_moved_away_while_it_is_to_be_sealed_takes_no_other_along(path: Path, make: Make) -> None:
    log, moved = make(disk=Quick(), segment=1), path.with_name("moved")
    log.append("ws", Exited())
    with ThreadPoolExecutor(1) as pool:
        appending = pool.submit(log.append, "ws", Exited())
        time.sleep(LONG / 2)
        path.rename(moved)
        assert quick(path).append("other", Exited()).seq == 1
        assert appending.result().seq == 2
    assert quick(path).append("other", Exited()).seq == 2
    for file in (path, moved):
        verdict = verify(file)
        assert (verdict.ok, verdict.events) == (True, 2), verdict


@pytest.mark.usefixtures("long_lease")
@pytest.mark.parametrize("hour", [10, 90])
def test_nor_one_that_is_to_be_cut(path: Path, hour: int) -> None:
    old(path, 30, segment=1 << 30).close()
    moved = path.with_name("moved")
    public_key(path)
    with ThreadPoolExecutor(1) as pool:
        expiring = pool.submit(expires, quick(path), at(hour))
        time.sleep(LONG / 2)
        path.rename(moved)
        assert quick(path).append("other", Exited()).seq == 1
        with pytest.raises(ProviderError, match="ry again"):
            expiring.result()
    for file, events in ((path, 1), (moved, 30)):
        verdict = verify(file)
        assert (verdict.ok, verdict.events) == (True, events), verdict
