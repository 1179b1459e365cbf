"""Reading back: many writers in the order of time, and what was done to any of them is named."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ship.local import LocalLog
from adapters.ship.merge import Merged
from adapters.ship.send import ship
from adapters.ship.store import Folder
from adapters.ship.writer import blob_name, writer_of
from statemachine.errors import LogDamagedError, LogError
from tests.adapters.ship.logs import BEGIN, chained, log_bytes, write
from tests.adapters.ship.stores import MemoryStore


def shipped(tmp_path: Path, logs: list[bytes], **limits: int) -> MemoryStore:
    store = MemoryStore()
    for at, data in enumerate(logs):
        ship(LocalLog(write(tmp_path / f"log-{at}", data)), store, **limits)
    return store


def test_writers_are_merged_by_time(tmp_path: Path) -> None:
    logs = [log_bytes(30, user=f"u{at}", step=1 + at / 10) for at in range(8)]
    store = shipped(tmp_path, logs, block=2_000, most_blocks=3)
    for memory in (1, 1 << 24):
        lines = list(Merged(store, memory=memory).lines())
        times = [line.time for line in lines]
        assert times == sorted(times)
        for data in logs:
            mine = [line for line in lines if line.raw in data]
            assert b"".join(line.raw + b"\n" for line in mine) == data


def test_a_clock_that_steps_back_keeps_a_writers_own_order(tmp_path: Path) -> None:
    steps = [0, 10, 3, 4, 20]
    data = chained([{"at": BEGIN + timedelta(seconds=at)} for at in steps])
    store = shipped(tmp_path, [data, log_bytes(30, user="bob")])
    ours = [line.seq for line in Merged(store).lines() if b'"ada"' in line.raw]
    assert ours == [1, 2, 3, 4, 5]


def test_the_same_time_is_ordered_by_writer_then_seq(tmp_path: Path) -> None:
    logs = [log_bytes(5, user=user, step=0) for user in ("zoe", "ada")]
    seen = [(line.log, line.seq) for line in Merged(shipped(tmp_path, logs)).lines()]
    assert [seq for _, seq in seen] == [1, 2, 3, 4, 5] * 2


def tampered(store: MemoryStore, change: str) -> None:
    name = min(name for name in store.blobs if "ada" in name)
    data = b"".join(store.blobs[name])
    lines = data.splitlines(keepends=True)
    table = {
        "flip": lambda: data[:3000] + bytes([data[3000] ^ 1]) + data[3001:],
        "delete": lambda: b"".join(lines[:5] + lines[6:]),
        "swap": lambda: b"".join([*lines[:5], lines[6], lines[5], *lines[7:]]),
        "double": lambda: b"".join(lines[:6] + lines[5:]),
        "behead": lambda: b"".join(lines[1:]),
        "foreign": lambda: data + b"hello\n",
        "torn": lambda: data[:-9],
        "splice": lambda: b"".join(lines[:5]) + b"".join(log_bytes(20, user="eve").splitlines(keepends=True)[5:]),
        "endless": lambda: data + b"x" * (2 << 20),
        "empty line": lambda: b"".join(lines[:5]) + b"\n" + b"".join(lines[5:]),
    }
    store.blobs[name] = [table[change]()]


CHANGES = ["flip", "delete", "swap", "double", "behead", "foreign", "torn", "splice", "endless", "empty line"]


@pytest.mark.parametrize("change", CHANGES)
def test_good_lines_before_the_damage_and_all_of_the_others_are_given(tmp_path: Path, change: str) -> None:
    logs = [log_bytes(20, user="ada"), log_bytes(20, user="bob")]
    store = shipped(tmp_path, logs)
    tampered(store, change)
    merged = Merged(store)
    given: list[bytes] = []
    with pytest.raises(LogDamagedError, match=r"event \d+ of laptop-ada\.ada\."):
        given.extend(line.raw + b"\n" for line in merged.lines())
    bob = b"".join(raw for raw in given if raw in logs[1])
    ada = b"".join(raw for raw in given if raw not in logs[1])
    assert bob == logs[1]
    assert logs[0].startswith(ada)
    assert [bool(writer.damage) for writer in merged.writers] == [True, False]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_blob_is_seen(tmp_path: Path, missing: int) -> None:
    store = shipped(tmp_path, [log_bytes(40)], block=2_000, most_blocks=3)
    assert len(store.blobs) > 3
    del store.blobs[sorted(store.blobs)[missing]]
    with pytest.raises(LogDamagedError, match="beginning is missing" if missing == 0 else "was removed"):
        list(Merged(store).lines())


def test_blobs_of_others_are_left_alone(tmp_path: Path) -> None:
    store = shipped(tmp_path, [log_bytes(3)])
    store.blobs["readme.txt"] = [b"hello"]
    assert len(list(Merged(store).lines())) == 3


def test_marks_give_what_was_added_since(tmp_path: Path) -> None:
    data = [log_bytes(30), log_bytes(30, user="bob")]
    store = shipped(
        tmp_path, [b"".join(one.splitlines(keepends=True)[:20]) for one in data], block=2_000, most_blocks=2
    )
    first = Merged(store)
    assert len(list(first.lines())) == 40
    shipped_more = LocalLog(write(tmp_path / "log-0", data[0]))
    ship(shipped_more, store, block=2_000, most_blocks=2)
    again = Merged(store, marks=first.marks())
    assert [line.seq for line in again.lines()] == list(range(21, 31))
    assert list(Merged(store, marks=again.marks()).lines()) == []


def test_it_reads_a_folder_of_copies(tmp_path: Path) -> None:
    store = shipped(tmp_path / "logs", [log_bytes(9), log_bytes(9, user="bob")])
    for name, data in store.content().items():
        write(tmp_path / "copy" / name, data)
    (tmp_path / "copy" / "note.txt").write_text("x")
    folder = Folder(tmp_path / "copy")
    assert [line.raw for line in Merged(folder).lines()] == [line.raw for line in Merged(store).lines()]
    os.truncate(tmp_path / "copy" / min(store.blobs), 10)
    stale = store.list()
    with pytest.raises(LogError, match="became shorter"):
        folder.read(stale[0].name, 0, stale[0].size)
    with pytest.raises(LogError, match="cannot be read"):
        Folder(tmp_path / "none").list()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=12), min_size=1, max_size=6),
    st.integers(300, 5_000),
)
def test_no_event_is_lost_or_doubled(times: list[list[int]], chunk: int) -> None:
    store = MemoryStore()
    for at, moments in enumerate(times):
        data = chained([{"at": datetime.fromtimestamp(m, UTC), "subject": f"w{at}"} for m in moments])
        store.blobs[blob_name(writer_of(data.partition(b"\n")[0]), 1)] = [data]
    merged = Merged(store)
    merged._chunk = chunk
    seen = [line.raw for line in merged.lines()]
    assert sorted(seen) == sorted(line for data in store.content().values() for line in data.splitlines())
