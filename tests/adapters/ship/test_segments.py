"""A log in segments ships like one file, also when it is sealed while it is read."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from adapters.ship import local as shipping
from adapters.ship.local import LocalLog
from eventlog import Actor, EventLog
from eventlog.files.segments import sealed
from eventlog.writing.turn import Turn
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


@pytest.mark.parametrize("again", [(4, 5), (31, 32), (55, 56), (54, 56), (58, 59)])
def test_lines_that_are_there_once_more_at_the_end_hide_nothing(tmp_path: Path, again: tuple[int, int]) -> None:
    log = EventLog(tmp_path / "events.jsonl", actor=lambda: Actor("ada", "laptop"), correlation="c", segment=20_000)
    for number in range(60):
        log.append("ws", Exited(detail=str(number)))
    raw = [line.raw for line in LocalLog(log.path).lines()]
    assert 32 < sealed(log.path)[-1].last < 54
    with log.path.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in raw[slice(*again)]))
    for own in (False, True):
        lines = LocalLog(log.path, own=own).lines()
        assert [line.seq for line in islice(lines, 60)] == list(range(1, 61))
        with pytest.raises(LogDamagedError, match="line 61: does not follow the line before"):
            next(lines)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("moment", ["before", "behind"])
def test_a_segment_sealed_while_the_end_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, own: bool
) -> None:
    log = EventLog(tmp_path / "events.jsonl", actor=lambda: Actor("ada", "laptop"), correlation="c")
    for number in range(20):
        log.append("ws", Exited(detail=str(number)))
    other = EventLog(log.path, actor=lambda: Actor("bob", "laptop"), correlation="d", segment=1)
    look, views = shipping.open_view, iter(range(100))

    def rolling(*arguments: object) -> object:
        if next(views) == (0 if moment == "before" else 1):
            other.append("ws", Exited(detail="the first line of a new file"))
        return look(*arguments)  # type: ignore[arg-type]  # whatever the caller passes

    monkeypatch.setattr(shipping, "open_view", rolling)
    local = LocalLog(log.path, own=own)
    seqs = [line.seq for line in local.lines()]
    assert len(sealed(log.path)) == 1
    assert seqs == list(range(1, 22 if moment == "before" else 21))
    for _ in range(3):
        log.append("ws", Exited(detail="behind the end that was found"))
    assert [line.seq for line in local.lines()] == seqs


def test_a_segment_and_no_file_behind_it(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl", actor=lambda: Actor("ada", "laptop"), correlation="c", segment=2_000)
    while not sealed(log.path):
        last = log.append("ws", Exited()).seq - 1
    log.close()
    log.path.unlink()
    for own in (False, True):
        assert [line.seq for line in LocalLog(log.path, own=own).lines()] == list(range(1, last + 1))
    assert not log.path.exists()


def test_the_end_is_brought_to_the_disk_in_our_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(tmp_path / "events.jsonl", actor=lambda: Actor("ada", "laptop"), correlation="c")
    log.append("ws", Exited())
    synced: list[str] = []
    begin, sync = Turn.__enter__, shipping.Disk().sync
    monkeypatch.setattr(Turn, "__enter__", lambda turn: (synced.append("turn"), begin(turn))[1])
    monkeypatch.setattr(shipping.Disk, "sync", lambda _disk, fd: (synced.append("sync"), sync(fd))[1])
    LocalLog(log.path)
    assert synced == []
    LocalLog(log.path, own=True)
    assert synced == ["turn", "sync"]
