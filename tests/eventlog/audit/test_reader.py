"""A log read once, and then as it grows: across segments, unfinished lines, lines taken back, and damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog import Actor, EventLog, verify
from eventlog.audit.reader import LogReader
from statemachine import events as e
from statemachine.errors import LogDamagedError

OWNER = e.Owner(host="laptop", pid=1)
Write = Callable[[int], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def write(path: Path) -> Write:
    log = EventLog(path, actor=lambda: Actor("ada", "laptop"), correlation="c", segment=6_000)

    def writing(count: int) -> None:
        for _ in range(count):
            log.append("shop", e.StopRequested(owner=OWNER))

    return writing


def seqs(reader: LogReader) -> list[int]:
    return [record.seq for record in reader.records()]


def test_each_look_gives_what_came_since(path: Path, write: Write) -> None:
    reader = LogReader(path)
    assert seqs(reader) == []
    write(3)
    assert seqs(reader) == [1, 2, 3]
    assert seqs(reader) == []
    write(2)
    assert seqs(reader) == [4, 5]


def test_segments_that_are_sealed_meanwhile_hide_nothing(path: Path, write: Write) -> None:
    reader, seen = LogReader(path), []
    for count in (5, 20, 1, 40, 3):
        write(count)
        seen += seqs(reader)
    assert len(list((path.parent / "events.jsonl.d" / "segments").iterdir())) > 3
    assert seen == list(range(1, 70))
    assert reader.damage == []


def test_an_unfinished_line_waits_until_it_is_finished(path: Path, write: Write) -> None:
    write(2)
    reader = LogReader(path)
    assert seqs(reader) == [1, 2]
    whole = path.read_bytes()
    write(1)
    grown = path.read_bytes()
    path.write_bytes(grown[: len(whole) + 40])
    assert seqs(reader) == []
    path.write_bytes(grown)
    assert seqs(reader) == [3]


@pytest.mark.parametrize("lines", [1, 2])
def test_so_does_one_of_which_pages_never_reached_the_disk(path: Path, write: Write, lines: int) -> None:
    write(5)
    data = path.read_bytes()
    whole = b"".join(data.splitlines(keepends=True)[:-lines])
    rest = data[len(whole) :].splitlines(keepends=True)
    path.write_bytes(whole + b"".join(line[:40] + bytes(90) + line[130:] for line in rest))
    reader = LogReader(path)
    assert (seqs(reader), reader.damage) == (list(range(1, 6 - lines)), [])
    # The system went down with them, and with everybody who knew how the log ended.
    log = EventLog(path, actor=lambda: Actor("ada", "laptop"), correlation="c")
    assert [recorded.seq for recorded in log.history("shop")] == list(range(1, 6 - lines))
    verdict = verify(path)
    assert (verdict.events, verdict.torn, verdict.line) == (5 - lines, len(data) - len(whole), 6 - lines)
    log.append("shop", e.StopRequested(owner=OWNER))
    assert verify(path).ok


def test_an_unfinished_line_that_is_set_aside_hides_nothing(path: Path, write: Write) -> None:
    write(2)
    reader = LogReader(path)
    assert seqs(reader) == [1, 2]
    with path.open("ab") as file:
        file.write(b'{"specversion":"1.0","id":"half')
    assert seqs(reader) == []
    write(1)
    # Setting it aside is an event of the log's own.
    assert seqs(reader) == [3, 4]


def test_a_line_that_was_taken_back_is_followed_by_what_took_its_place(path: Path, write: Write) -> None:
    write(2)
    reader = LogReader(path)
    assert seqs(reader) == [1, 2]
    before = path.read_bytes()
    write(1)
    assert seqs(reader) == [3]
    path.write_bytes(before)
    assert seqs(reader) == []
    write(2)
    assert seqs(reader) == [3, 4]


def test_another_log_in_its_place_is_no_continuation(path: Path, write: Write) -> None:
    write(2)
    reader = LogReader(path)
    assert seqs(reader) == [1, 2]
    path.unlink()
    other = EventLog(path, actor=lambda: Actor("bob", "desk"), correlation="d")
    for _ in range(9):
        other.append("ml", e.StopRequested(owner=OWNER))
    with pytest.raises(LogDamagedError, match="is not the log any more that was followed"):
        seqs(reader)


def test_damage_is_noted_and_read_over(path: Path, write: Write) -> None:
    write(5)
    path.write_bytes(path.read_bytes().replace(b'"seq":3,"schema":1', b'"seq":3,"schema":2'))
    reader = LogReader(path)
    assert seqs(reader) == [1, 2, 3, 4, 5]
    (damage,) = reader.damage
    assert "line 3" in str(damage)
    assert reader.logs == [(str(path), 2, str(damage))]


def test_what_is_no_record_ends_it_and_names_the_first_bad_line(path: Path, write: Write) -> None:
    write(5)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"time":', b'"tame":')
    path.write_bytes(b"".join(lines))
    reader = LogReader(path)
    assert seqs(reader) == [1, 2, 3]
    (damage,) = reader.damage
    assert "line 4" in str(damage)
    # Looking again finds nothing new, and does not begin again.
    assert seqs(reader) == []
    assert reader.damage == [damage]


def test_a_line_that_is_too_long_ends_it(path: Path, write: Write) -> None:
    write(5)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3][:-2] + b"x" * 2_000_000 + b"\n"
    path.write_bytes(b"".join(lines))
    reader = LogReader(path)
    assert seqs(reader) == [1, 2, 3]
    assert "line 4: longer than" in str(reader.damage[0])
