"""Shipping: every byte once, whoever dies when."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.ship.local import LocalLog
from adapters.ship.send import ship
from adapters.ship.store import MovedError
from adapters.ship.writer import blob_name, parse_name, writer_of
from statemachine.errors import BusyError, LogDamagedError, LogError
from tests.adapters.ship.logs import chained, log_bytes, write
from tests.adapters.ship.stores import MemoryStore

DATA = log_bytes(40)
BLOCK = 2_000
"""Bytes; a few lines."""


class Died(BaseException):
    """What a kill is inside one process."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "events.jsonl", DATA)


def test_the_blob_is_the_log_byte_for_byte(log: Path) -> None:
    store = MemoryStore()
    done = ship(LocalLog(log, own=True), store)
    assert store.content() == {done.blob: DATA}
    assert done.blob.startswith("laptop-ada.ada.")
    assert (done.events, done.size, done.last) == (40, len(DATA), 40)


def test_a_second_run_appends_nothing_and_a_third_what_is_new(log: Path) -> None:
    store = MemoryStore()
    write(log, b"".join(DATA.splitlines(keepends=True)[:25]))
    ship(LocalLog(log), store)
    assert ship(LocalLog(log), store).events == 0
    write(log, DATA)
    assert ship(LocalLog(log), store).events == 15
    assert store.whole() == DATA


def test_lines_are_never_cut_and_pieces_never_too_large(tmp_path: Path) -> None:
    data = log_bytes(60, pad=150_000)
    store = MemoryStore()
    ship(LocalLog(write(tmp_path / "e", data)), store)
    assert store.whole() == data
    blocks = next(iter(store.blobs.values()))
    assert len(blocks) == 3
    assert all(block.endswith(b"\n") for block in blocks)


def test_killed_at_every_call_it_still_is_every_byte_once(log: Path) -> None:
    calls = 0
    while True:
        store = MemoryStore()
        for moment in ("before", "after"):
            left = calls

            def strike(_call: str) -> None:
                nonlocal left
                if left == 0:
                    raise Died
                left -= 1

            store = MemoryStore(most_blocks=4)
            setattr(store, moment, strike)
            died = False
            try:
                ship(LocalLog(log), store, block=BLOCK, most_blocks=4)
            except Died:
                died = True
            setattr(store, moment, lambda _call: None)
            ship(LocalLog(log), store, block=BLOCK, most_blocks=4)
            assert store.whole() == DATA
            assert all(len(blocks) <= 4 for blocks in store.blobs.values())
        if not died:
            break
        calls += 1
    assert calls > 15


def test_a_lost_answer_is_seen_on_the_next_look(log: Path) -> None:
    """The append arrived, its answer did not: the repeated request is refused, and shipping goes on behind it."""
    store = MemoryStore()
    lost = [True]

    def answer(call: str) -> None:
        if call == "append" and lost:
            lost.pop()
            raise MovedError("the repetition finds the blob longer than it was")

    store.after = answer
    done = ship(LocalLog(log), store, block=BLOCK)
    assert store.whole() == DATA
    assert done.last == 40


def test_two_at_once_take_turns(log: Path) -> None:
    store = MemoryStore()
    turns = [True, True]

    def meanwhile(call: str) -> None:
        if call == "append" and turns:
            turns.pop()
            ship(LocalLog(log), store, block=BLOCK)

    store.before = meanwhile
    ship(LocalLog(log), store, block=BLOCK)
    assert store.whole() == DATA


def test_who_never_gets_a_turn_is_told(log: Path) -> None:
    store = MemoryStore()

    def never(call: str) -> None:
        if call == "append":
            raise MovedError("x")

    store.before = never
    with pytest.raises(BusyError):
        ship(LocalLog(log), store)


def test_a_full_blob_is_followed_by_the_next(log: Path) -> None:
    store = MemoryStore(most_blocks=3)
    done = ship(LocalLog(log), store, block=BLOCK, most_blocks=3)
    assert len(store.blobs) > 3
    assert store.whole() == DATA
    assert done.blob == max(store.blobs)
    assert ship(LocalLog(log), store, block=BLOCK, most_blocks=3).events == 0


def test_a_blob_that_is_full_before_we_think_so_is_no_end(log: Path) -> None:
    store = MemoryStore(most_blocks=2)
    with pytest.raises(BusyError):
        ship(LocalLog(log), store, block=BLOCK, most_blocks=1_000_000)
    # Azure's limit is the one we keep; nothing was lost or doubled on the way.
    ship(LocalLog(log), store, block=BLOCK, most_blocks=2)
    assert store.whole() == DATA


def test_a_torn_last_line_stays_at_home(log: Path) -> None:
    store = MemoryStore()
    log.write_bytes(DATA + b'{"specversion":"1.0","id":"half')
    ship(LocalLog(log, own=True), store)
    assert store.whole() == DATA


def test_a_damaged_line_is_not_shipped_nor_what_follows_it(log: Path) -> None:
    lines = DATA.splitlines(keepends=True)
    lines[30] = lines[30].replace(b"StopRequested", b"StartRequeste")
    write(log, b"".join(lines))
    store = MemoryStore()
    with pytest.raises(LogDamagedError, match="line 31: was changed"):
        ship(LocalLog(log), store, block=BLOCK)
    assert DATA.startswith(store.whole())
    write(log, DATA)
    ship(LocalLog(log), store, block=BLOCK)
    assert store.whole() == DATA


def test_a_log_that_was_cut_is_refused(log: Path) -> None:
    store = MemoryStore()
    ship(LocalLog(log), store)
    write(log, b"".join(DATA.splitlines(keepends=True)[:20]))
    with pytest.raises(LogDamagedError, match="event 40 was shipped, but .* ends before it"):  # noqa: RUF043  # a path
        ship(LocalLog(log), store)
    assert store.whole() == DATA


def test_a_log_that_went_another_way_after_it_was_shipped_is_refused(log: Path) -> None:
    """Restored from an older copy, for instance, and used again."""
    store = MemoryStore()
    begun: list[dict[str, object]] = [{}] * 20
    one = chained([*begun, *({"subject": "one"} for _ in range(20))])
    two = chained([*begun, *({"subject": "two"} for _ in range(30))])
    ship(LocalLog(write(log, one)), store)
    with pytest.raises(LogDamagedError, match="has another one in its place"):
        ship(LocalLog(write(log, two)), store)
    assert store.whole() == one


def test_what_somebody_else_wrote_to_our_blob_is_named(log: Path) -> None:
    store = MemoryStore()
    name = ship(LocalLog(log), store).blob
    store.blobs[name].append(b"hello\n")
    with pytest.raises(LogDamagedError, match="something else wrote to it"):
        ship(LocalLog(log), store)


def test_an_empty_log_and_none_at_all_ship_nothing(tmp_path: Path) -> None:
    store = MemoryStore()
    assert ship(LocalLog(write(tmp_path / "e", b""), own=True), store).events == 0
    assert ship(LocalLog(tmp_path / "none", own=True), store).events == 0
    assert not (tmp_path / "none").exists()
    assert store.blobs == {}


@pytest.mark.parametrize("data", [b"hello\n", b"\x7fELF" + bytes(500), b'{"a":1}\n' * 30])
def test_a_file_of_something_else_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(LogError, match="is not an event log"):
        LocalLog(write(tmp_path / "e", data), own=True)


@pytest.mark.parametrize("seq", [1, 2, 17, 39, 40])
def test_a_line_is_found_without_reading_those_before(tmp_path: Path, seq: int) -> None:
    data = log_bytes(40, pad=30_000)
    log = LocalLog(write(tmp_path / "e", data))
    known = list(log.lines())
    after = list(log.after(seq, known[seq - 1].hash, known[0].log))
    assert [line.raw for line in after] == [line.raw for line in known[seq:]]
    assert {line.log for line in after} <= {known[0].log}


def test_names_of_writers_are_safe_and_their_own() -> None:
    strange = {"user": "CORP\\a/../da", "host": "häuser.example", "azure": ""}
    one = chained([{"actor": strange}]).strip()
    two = chained([{"actor": strange, "subject": "b"}]).strip()
    assert writer_of(one) != writer_of(two)
    name = blob_name(writer_of(one), 7)
    assert name.count("/") == 1
    assert ".." not in name
    assert parse_name(name) == (writer_of(one), 7)
    assert parse_name("readme.txt") is None
    assert parse_name("a/b/000001.jsonl") is None
