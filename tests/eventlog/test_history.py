"""Rows for people: every intent joined with what became of it."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from eventlog import EventLog, Record
from eventlog.history import OWN, Ended, Row, rows
from eventlog.lines.codec import OWN_TYPES
from eventlog.table import columns, duration, json_line, json_lines, printable, table
from statemachine import events as e
from tests.eventlog.lines.test_record import rewrite

OWNER = e.Owner("laptop", 7)
CREATE = e.CreateRequested(owner=OWNER, group=e.GroupRef("s", "r", "n", "c"), facts=e.GroupFacts("i", "l", 1, 2))
START = e.StartRequested(owner=OWNER)
FAILED = e.StartFailed(failure=e.Failure("CapacityError", "no room", code="NoCapacity", request_id="r-9"))
OPENED = e.CommandOpened(owner=OWNER, command="c1", purpose="inject")


@pytest.fixture
def told(make: Callable[..., EventLog]) -> Callable[..., list[tuple[str, str, Ended, str, float | None]]]:
    def tell(*events: e.Event, **filters: object) -> list[tuple[str, str, Ended, str, float | None]]:
        moments = iter([datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for second in range(99)])
        log = make(now=lambda: next(moments))
        for event in events:
            log.append("ws", event)
        found = rows(log.records(), **filters)  # type: ignore[arg-type]  # as rows names them
        return [(row.subject, row.verb, row.ended, row.detail, row.seconds) for row in found]

    return tell


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ([CREATE, e.Created()], [("create", Ended.OK, "", 1)]),
        ([START, FAILED], [("start", Ended.FAILED, "NoCapacity: no room", 1)]),
        ([START], [("start", Ended.OPEN, "", None)]),
        ([START, START, e.Started()], [("start", Ended.ABANDONED, "", 1), ("start", Ended.OK, "", 1)]),
        (
            [START, e.Vanished(detail="404")],
            [("start", Ended.ABANDONED, "", 1), ("vanished", Ended.SEEN, "404", None)],
        ),
        ([e.Exited(exit_code=137)], [("exited", Ended.SEEN, "exit status 137", None)]),
        ([e.Exited(exit_code=1, detail="Error")], [("exited", Ended.SEEN, "exit status 1, Error", None)]),
        ([e.Evicted(detail="moved")], [("evicted", Ended.SEEN, "moved", None)]),
        ([OPENED], [("command", Ended.OPEN, "inject", None)]),
        ([OPENED, e.CommandClosed(command="c1", exit_status=0)], [("command", Ended.OK, "inject", 1)]),
        (
            [OPENED, e.CommandClosed(command="c1", exit_status=130)],
            [("command", Ended.FAILED, "inject, exit status 130", 1)],
        ),
        (
            [OPENED, e.CommandClosed(command="c1", reason="failed", failure=e.Failure("TunnelLostError", "broke"))],
            [("command", Ended.FAILED, "inject, TunnelLostError: broke", 1)],
        ),
        ([OPENED, e.CommandClosed(command="c1", reason="abandoned")], [("command", Ended.ABANDONED, "inject", 1)]),
        ([e.CommandClosed(command="unknown"), e.Started()], []),
        (
            [START, OPENED, e.Started(), e.CommandClosed(command="c1", exit_status=0)],
            [("start", Ended.OK, "", 2), ("command", Ended.OK, "inject", 2)],
        ),
    ],
)
def test_rows(told: Callable[..., list[tuple[object, ...]]], story: list[e.Event], expected: list[object]) -> None:
    assert [row[1:] for row in told(*story)] == expected


def test_filters(make: Callable[..., EventLog]) -> None:
    log = make()
    for subject in ("a", "b", "a", "b"):
        log.append(subject, START)
        log.append(subject, e.Started(receipt=e.Receipt(request_id="r-1")))
    assert [row.seq for row in rows(log.records())] == [1, 3, 5, 7]
    assert [row.seq for row in rows(log.records(), subject="a")] == [1, 5]
    assert [row.seq for row in rows(log.records(), limit=3)] == [3, 5, 7]
    assert [row.seq for row in rows(log.records(), subject="b", limit=1)] == [7]
    assert rows(log.records(), limit=0) == []
    assert rows(log.records(), subject="none") == []
    assert rows(log.records())[0].request_id == "r-1"


def test_types_this_version_does_not_know(log: EventLog, path: Path) -> None:
    log.append("ws", e.Created())
    rewrite(path, (b'"type":"Created"', b'"type":"Hibernated"'))
    (row,) = rows(log.records())
    assert (row.verb, row.detail) == ("hibernated", "written by a newer version of this program")


def test_the_logs_own_events(log: EventLog, path: Path) -> None:
    log.append("ws", e.Evicted())
    with path.open("ab") as file:
        file.write(b"half")
    log.append("ws", e.Evicted())
    row = rows(log.records())[1]
    assert (row.subject, row.verb) == ("log", "set aside")
    assert row.detail.startswith("an unfinished line of 4 bytes, kept in events.jsonl.torn-2-")


def test_whatever_the_log_does_itself_has_a_name() -> None:
    assert set(OWN) == set(OWN_TYPES.values())


def test_a_limit_beyond_all_numbers_is_none(make: Callable[..., EventLog]) -> None:
    log = make()
    log.append("ws", CREATE)
    assert [len(rows(log.records(), limit=limit)) for limit in (0, 1, 10**30)] == [0, 1, 1]


def test_table_and_json_lines(make: Callable[..., EventLog]) -> None:
    moments = iter([datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=70 * step) for step in range(9)])
    log = make(now=lambda: next(moments))
    log.append("ws", START)
    log.append("ws", FAILED)
    log.append("长名字", e.Evicted(detail="moved \x1b[31m\nelsewhere"))
    found = rows(log.records())
    assert table(found, width=None) == (
        "TIME (UTC)           WORKSPACE  WHO                 VERB     TOOK        OUTCOME\n"
        "2026-01-01 00:00:00  ws         ada@laptop (app-1)  start    1 min 10 s  failed: NoCapacity: no room\n"
        "2026-01-01 00:02:20  长名字     ada@laptop (app-1)  evicted              seen: moved �[31m elsewhere"
    )
    for width in (0, 80, 95, 100, 500):
        for line in table(found, width=width).splitlines():
            assert columns(line) <= max(width, 93)
    assert "…" in table(found, width=80)
    # Who somebody is in Azure goes first: without the outcome the rest says nothing.
    assert ["(app-1)" in table(found, width=width) for width in (None, 93, 92)] == [True, True, False]
    lines = list(json_lines(found))
    assert [msgspec.json.decode(line, type=Row) for line in lines] == found
    assert not any(b"\n" in line for line in lines)


def test_an_empty_table_is_its_heading() -> None:
    assert table([], width=80) == "TIME (UTC)  WORKSPACE  WHO  VERB  TOOK  OUTCOME"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (3599.9, "1 h 00 min"), (7384, "2 h 03 min")],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_nothing_a_terminal_obeys_is_printed() -> None:
    assert printable("a\x1b]0;x\x07\u202eb\tc") == "a�]0;x��b c"


def test_json_is_one_line_for_every_reader_and_no_order_to_a_terminal() -> None:
    text = "a\u0085b\u2028c\u202ed\x7f\x9b2J\U000e0001é長"
    line = json_line(msgspec.json.encode({"it": text}))
    assert len(line.decode().splitlines()) == 1
    assert line.decode().isprintable()
    assert json.loads(line) == {"it": text}
    assert "é長" in line.decode()


def test_the_newest_rows_take_no_more_memory_in_a_long_log(make: Callable[..., EventLog]) -> None:
    log = make()
    log.append("ws", CREATE)
    log.append("ws", e.Created())
    record, closing = log.records()

    def long(count: int) -> Iterator[Record]:
        for number in range(1, count, 2):
            yield msgspec.structs.replace(record, seq=number)
            yield msgspec.structs.replace(closing, seq=number + 1)

    def peak(count: int) -> int:
        tracemalloc.start()
        found = rows(long(count), limit=3)
        assert [row.closed for row in found] == [count - 4, count - 2, count]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(20_000) < peak(2_000) + 50_000


def test_a_message_of_a_whole_line_of_the_log_is_shortened_at_once(make: Callable[..., EventLog]) -> None:
    log = make()
    for message in ("a" * 1_000_000, "長" * 300_000, "e\u0301" * 300_000):
        log.append("ws", START)
        log.append("ws", e.StartFailed(failure=e.Failure("CapacityError", message)))
    begun = time.process_time()
    lines = table(rows(log.records()), width=120).splitlines()[1:]
    assert time.process_time() - begun < 10
    assert [line[-1] for line in lines] == ["…"] * 3
    assert {119, 120} >= {columns(line) for line in lines}
