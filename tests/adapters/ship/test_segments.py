"""A log in segments ships like one file, also when it is sealed while it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.ship.local import LocalLog
from eventlog import Actor, EventLog
from eventlog.segments import sealed
from statemachine.errors import LogDamagedError
from statemachine.events import Exited


def test_it_ships_from_any_place(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl", actor=lambda: Actor("ada", "laptop"), correlation="c", segment=4_000)
    for number in range(60):
        log.append("ws", Exited(detail=str(number)))
    assert len(sealed(log.path)) > 3
    local = LocalLog(log.path, own=True)
    lines = list(local.lines())
    for _ in range(30):
        log.append("ws", Exited())
    assert [line.seq for line in local.lines()] == [line.seq for line in lines] == list(range(1, 61))
    for seq in (1, 9, 10, 11, 30, 59, 60):
        assert [line.seq for line in local.after(seq, lines[seq - 1].hash, "log")] == list(range(seq + 1, 61))
    with pytest.raises(LogDamagedError, match="has another one in its place"):
        list(local.after(5, "0" * 64, "log"))
