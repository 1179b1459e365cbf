"""A log that several processes fold says what it says to one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from eventlog.folding import cores, workers
from eventlog.folding.snapshot import path_of
from statemachine.errors import LogDamagedError
from statemachine.fold import empty
from statemachine.folding import Folding
from tests.eventlog.lives import Quick, live, quick


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "STRETCH", 20_000)
    monkeypatch.setattr(cores, "_LONGEST", 20_000)
    monkeypatch.setattr(cores, "WORTH", 1)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each stretch whether it came from another process and was taken."""
    seen: list[bool] = []
    original = cores._joined

    def joined(*arguments: object, **options: object) -> bool:
        seen.append(original(*arguments, **options))  # type: ignore[arg-type]  # passed on as they came
        return seen[-1]

    monkeypatch.setattr(cores, "_joined", joined)
    return seen


@pytest.mark.parametrize("segment", [1 << 30, 30_000])
def test_several_processes_say_what_one_says(
    path: Path, make: Callable[..., EventLog], shared: list[bool], segment: int
) -> None:
    live(make(disk=Quick(), segment=segment), 300)
    with path.open("ab") as file:
        file.write(b'{"specversion":"1.0","id":"half')
    shared.clear()
    alone = quick(path).states(jobs=1)
    assert not shared
    assert quick(path).states(jobs=2) == alone
    assert len(shared) > 3
    assert all(shared)
    assert quick(path).states(jobs=2, verified=False) == alone


def test_damage_in_any_stretch_is_named_as_one_process_names_it(path: Path, shared: list[bool]) -> None:
    live(quick(path), 200)
    whole = path.read_bytes().splitlines(keepends=True)
    changed = b"".join([*whole[:90], whole[90].replace(b"laptop", b"laptoq"), *whole[91:]])
    path.write_bytes(changed)
    with pytest.raises(LogDamagedError, match="line 91: was changed"):
        quick(path).states(jobs=2)
    # A line that is gone exactly where two stretches meet: each of them is whole.
    first = next(number for number in range(200) if len(b"".join(whole[:number])) >= 20_000)
    path.write_bytes(b"".join(whole[:first] + whole[first + 1 :]))
    shared.clear()
    with pytest.raises(LogDamagedError, match=rf"line {first + 1}: was changed, or does not follow"):
        quick(path).states(jobs=2)
    assert shared == [True, False]


def test_a_log_that_was_moved_away_is_folded_here(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live(quick(path), 200)
    alone = quick(path).states(jobs=1)
    original = cores._stretches

    def stretches(*arguments: object) -> object:
        found = list(original(*arguments))  # type: ignore[arg-type]  # passed on as they came
        path.replace(path.with_name("moved"))
        live(quick(path), 3)
        return iter(found)

    monkeypatch.setattr(cores, "_stretches", stretches)
    assert quick(path).states(jobs=2) == alone


@pytest.mark.parametrize(
    "command",
    [
        ["/nonexistent"],
        [sys.executable, "-c", "pass"],
        [sys.executable, "-c", "print('not what was asked for, but as much of it')"],
    ],
)
def test_where_no_processes_can_be_had(path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    live(quick(path), 200)
    original = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **options: original(command, **options))
    assert quick(path).states(jobs=2) == quick(path).states(jobs=1)


def test_a_process_that_is_killed_leaves_its_share_to_us(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live(quick(path), 200)
    original = cores._joined

    def joined(*arguments: object, **options: object) -> bool:
        for worker in started:
            worker.kill()
        return original(*arguments, **options)  # type: ignore[arg-type]  # passed on as they came

    started = []
    start = workers._start
    monkeypatch.setattr(workers, "_start", lambda: started.append(start()) or started[-1])
    monkeypatch.setattr(cores, "_joined", joined)
    assert quick(path).states(jobs=2) == quick(path).states(jobs=1)
    assert [worker.returncode for worker in started] == [-9, -9]


def test_a_lost_snapshot_is_made_anew_by_all_processors(
    path: Path, monkeypatch: pytest.MonkeyPatch, shared: list[bool]
) -> None:
    monkeypatch.setattr("eventlog.folding.recall.TAIL", 1_000)
    monkeypatch.setattr(cores, "processors", lambda: 2)
    live(quick(path), 200)
    expected = quick(path).states(jobs=1)
    assert quick(path).recall("ws-3") == expected["ws-3"]
    assert all(shared)
    assert len(shared) > 3
    assert path_of(path).exists()
    assert verify(path).ok


def test_only_a_history_without_a_base_travels() -> None:
    with pytest.raises(ValueError, match="without a base"):
        Folding(empty("w")).carried()


def test_processors() -> None:
    assert 1 <= cores.processors() <= (os.cpu_count() or 1)
