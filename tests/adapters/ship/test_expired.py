"""A log from which events expired leaves the building under its name, and what reads it back knows why it has gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.cli.main import run
from adapters.ship.line import Line
from adapters.ship.local import LocalLog
from adapters.ship.merge import Merged
from adapters.ship.send import ship
from adapters.ship.tell import tell
from adapters.ship.vouch import Voucher
from eventlog import verify
from eventlog.audit.reader import LogReader
from eventlog.sealing.checkpoint import trust_in
from eventlog.sealing.seal import public_key, seal
from statemachine.errors import LogDamagedError
from statemachine.events import CommandClosed
from tests.adapters.ship.stores import MemoryStore
from tests.eventlog.lives import live, quick
from tests.eventlog.old import archives, at, expires, old


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "events.jsonl"


def seqs(lines: list[Line]) -> list[int]:
    return [line.seq for line in lines]


class Ear:
    """A collector that remembers how many events it was told."""

    url = "http://ear"

    def __init__(self) -> None:
        self.heard = 0

    def send(self, body: bytes) -> tuple[int, str]:
        self.heard += 1
        return 0, ""


@pytest.mark.parametrize("segment", [8_000, 1 << 30])
def test_what_was_shipped_before_goes_on_behind_it(path: Path, segment: int) -> None:
    log = old(path, segment=segment)
    store = MemoryStore()
    first = ship(LocalLog(path, own=True), store)
    whole = store.whole()
    expires(log, at(100))
    live(quick(path), 7, 7, 150)
    second = ship(LocalLog(path, own=True), store)
    assert second.writer == first.writer
    assert second.events == 8
    assert store.whole().startswith(whole)
    (writer,) = Merged(store).writers
    found = list(Merged(store).lines())
    assert seqs(found) == list(range(1, 159))
    assert {line.log for line in found} == {writer.name.rpartition(".")[2]}
    # And a third time, from behind the last line of what expired meanwhile.
    expires(quick(path), datetime.now(UTC) + timedelta(days=1))
    assert ship(LocalLog(path, own=True), store).events == 1
    assert seqs(list(Merged(store).lines())) == list(range(1, 160))


@pytest.mark.parametrize("shipped", [0, 20, 64, 65, 66])
def test_what_expired_before_it_was_shipped_is_a_gap_that_is_explained(path: Path, shipped: int) -> None:
    store = MemoryStore()
    old(path, 66, segment=1 << 30)
    if shipped:
        lines = list(LocalLog(path).lines())[:shipped]
        short = path.with_name("short.jsonl")
        short.write_bytes(b"".join(line.raw + b"\n" for line in lines))
        ship(LocalLog(short), store)
    log = quick(path)
    live(log, 40, 7, 66)
    kept = expires(log, at(66)).kept
    assert verify(path).expired == 66
    done = ship(LocalLog(path, own=True), store)
    assert done.last == 107
    found = seqs(list(Merged(store).lines()))
    missing = set(range(1, 108)) - set(found)
    assert missing <= set(range(shipped + 1, 67))
    assert len(found) == len(set(found)) == shipped + 41 + sum(seq > shipped for seq in found if seq <= 66)
    assert len(kept) >= len([seq for seq in found if shipped < seq <= 66])
    (writer,) = Merged(store).writers
    assert writer.name == done.writer
    # Where the tombstone does not say so, the gap is damage.
    (name,) = store.blobs
    data = b"".join(store.blobs[name])
    store.blobs[name] = [data[: data.rindex(b"\n", 0, -1) + 1]]
    if missing:
        with pytest.raises(LogDamagedError, match=r"removed|beginning is missing"):
            list(Merged(store).lines())


def test_an_export_is_whole_too(path: Path, tmp_path: Path) -> None:
    log = old(path)
    expires(log, at(60))
    live(quick(path), 20, 7, 150)
    out = tmp_path / "export.jsonl"
    out.write_bytes(b"".join(line.raw + b"\n" for line in LocalLog(path).lines()))
    here, there = verify(path), verify(out)
    assert (there.ok, there.expired, there.events, there.head) == (True, here.expired, here.events, here.head)
    again = LocalLog(out)
    assert again.name() == LocalLog(path).name()
    assert b"".join(line.raw + b"\n" for line in again.lines()) == out.read_bytes()
    for file in (path, out):
        reader = LogReader(file)
        assert [record.seq for record in reader.records()] == seqs(list(again.lines()))
        assert reader.damage == []
        assert list(quick(file).replay(verified=True)) == list(quick(file).replay(verified=False))
    # A line that is missing behind what expired is damage, tombstone or not.
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join([*lines[:-5], *lines[-4:]]))
    reader = LogReader(out)
    list(reader.records())
    assert len(reader.damage) == 1
    with pytest.raises(LogDamagedError):
        list(LocalLog(out).lines())


def test_a_log_that_is_followed_while_events_expire(path: Path, tmp_path: Path) -> None:
    log = old(path, 60, segment=1 << 30)
    reader, seen = LogReader(path), []
    for step in range(6):
        seen += [record.seq for record in reader.records()]
        if step % 2:
            archives(log, tmp_path / "archive", before=at(10 + 3 * step))
        else:
            expires(log, at(12 + 4 * step))
        log.append("ws-1", CommandClosed(command="x"))
    seen += [record.seq for record in reader.records()]
    assert reader.damage == []
    assert seen == list(range(1, held(path)[-1] + 1))


def held(path: Path) -> list[int]:
    return [record.seq for record in quick(path).records()]


def test_a_collector_is_told_what_is_left(path: Path) -> None:
    log = old(path, 66, segment=1 << 30)
    ear = Ear()
    told = tell(LocalLog(path, own=True), ear, redactor=None, now=lambda: 0)
    assert told.events == 66
    expires(log, at(66))
    assert tell(LocalLog(path, own=True), ear, redactor=None, now=lambda: 0).events == 1
    live(quick(path), 10, 7, 66)
    expires(quick(path), datetime.now(UTC) + timedelta(days=1))
    # Those that expired before anybody was told are gone; the tombstone and what is kept are told.
    left = len([seq for seq in held(path) if seq > 67])
    assert tell(LocalLog(path, own=True), ear, redactor=None, now=lambda: 0).events == left


def test_another_log_than_the_one_that_was_shipped_is_found_out(path: Path) -> None:
    log = old(path, 66, segment=1 << 30)
    hashes = {record.seq: record.hash for record in log.records()}
    expires(log, at(40))
    kept = [seq for seq in held(path) if seq <= 40]
    for seq in (50, 40, *kept):
        with pytest.raises(LogDamagedError, match="has another one in its place"):
            list(LocalLog(path).after(seq, "0" * 64, "log"))
        assert seqs(list(LocalLog(path).after(seq, hashes[seq], "log"))) == [one for one in held(path) if one > seq]


def test_the_auditor_of_many_logs_takes_a_tombstone_for_a_seal(path: Path) -> None:
    log = old(path)
    expires(log, at(60))
    store = MemoryStore()
    ship(LocalLog(path, own=True), store)
    trust = trust_in(public_key(path))
    assert trust.sealed.seq == 150
    voucher = Voucher({"ada.pem": trust})
    for writer, line in Merged(store).named():
        voucher.look(writer, line)
    (writer,) = [one.name for one in Merged(store).writers]
    verdict = voucher.verdict(writer)
    assert (verdict.wrong, verdict.sealed) == ("", 150)
    assert voucher.unused() == []


@pytest.mark.parametrize("segment", [8_000, 1 << 30])
def test_what_was_sealed_and_expired_before_it_was_shipped_is_no_fraud(
    path: Path, tmp_path: Path, segment: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = old(path, 30, segment=segment)
    seal(log)
    key = tmp_path / "ada.pem"
    key.write_text(public_key(path))
    live(log, 60, 7, 30)
    expires(log, at(80))
    store = MemoryStore()
    ship(LocalLog(path, own=True), store)
    monkeypatch.setattr("adapters.cli.audit.shipped.store", lambda _source: store)
    asked = ["audit", "writers", "--from", str(tmp_path), "--public-key", str(key)]
    assert run(asked) == 0, capsys.readouterr().err
    # A line that is there, and is another one than was sealed, is not excused by the tombstone.
    kept = next(iter(Merged(store).lines()))
    promise, _, rest = key.read_text().partition("\n")
    words = promise.split()
    key.write_text(" ".join([*words[:-2], str(kept.seq), "0" * 64]) + "\n" + rest)
    assert run(asked) == 86
    assert f"event {kept.seq}, which had been sealed, is missing, or another one" in capsys.readouterr().err
