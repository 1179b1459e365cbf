"""Copies of segments: whole, compressed, found again, and part of the log to whoever checks it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from eventlog import EventLog, verify
from eventlog.disk import Disk
from eventlog.files.pieces import open_view
from eventlog.files.segments import folder, sealed
from eventlog.folding.recall import refresh
from eventlog.lines.tombstone import SegmentsArchived, SegmentsExpired
from eventlog.retention.archive import Copies, select
from eventlog.retention.expire import plan
from eventlog.retention.expired import own_events
from eventlog.sealing.seal import public_key, read_trust, seal, sign
from eventlog.verify import verify_signed
from statemachine.errors import BusyError, LogDamagedError, LogError
from statemachine.events import CommandClosed
from tests.eventlog.conftest import ACTOR
from tests.eventlog.lives import Quick, live, quick
from tests.eventlog.old import archives, at, expires, old, stored

LATE = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "else" / "where"


def test_all_that_is_sealed_is_copied_once(path: Path, target: Path) -> None:
    log = old(path)
    fresh = archives(log, target)
    assert [facts.last for facts in fresh] == [segment.last for segment in sealed(path)]
    assert {file.name: file.read_bytes() for file in target.iterdir()} == {
        file.name: file.read_bytes() for file in folder(path).iterdir()
    }
    for file in (target, *target.iterdir()):
        assert file.stat().st_mode & 0o077 == 0
    before = dict(stored(path))
    assert archives(quick(path), target) == []
    assert dict(stored(path)) == before
    with open_view(Disk(), path) as view:
        ((event, record),) = own_events(view.pieces, SegmentsArchived)
    assert (event.place, list(event.segments), record.actor.user) == (str(target), fresh, "ada")
    live(quick(path), 60, 7, 150)
    EventLog(path, actor=lambda: ACTOR, correlation="", segment=1).append("ws-1", CommandClosed(command="x"))
    again = archives(quick(path), target)
    assert again[0].first == fresh[-1].last + 1
    assert [facts.last for facts in fresh + again] == [segment.last for segment in sealed(path)]


def test_a_log_that_is_moved_away_meanwhile_is_not_told_of_in_the_next_one(path: Path, target: Path) -> None:
    log, away = old(path), path.parent.with_name("away")
    newest = sealed(path)[-1].packed.name

    class Moved(Quick):
        def rename(self, source: Path, target: Path) -> None:
            super().rename(source, target)
            if target.name == newest:
                path.parent.rename(away)
                quick(path).append("other", CommandClosed(command="x"))

    with pytest.raises(BusyError, match="is another one than it was"):
        archives(log, target, disk=Moved())
    assert (verify(path).ok, verify(path).events) == (True, 1)
    assert verify(away / path.name).ok


def test_the_snapshot_fits_a_file_that_was_cut(path: Path, target: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = old(path, 300, segment=1 << 30)
    refresh(Disk(), path, force=True)
    told = quick(path).recall("ws-1")
    assert [facts.last for facts in archives(log, target, before=at(100))] == [100]
    assert quick(path).recall("ws-1") == told
    assert caplog.text == ""


@pytest.mark.parametrize(("keep", "count"), [(0, 9), (2, 7), (9, 0), (50, 0)])
def test_the_newest_stay(path: Path, target: Path, keep: int, count: int) -> None:
    assert len(archives(old(path), target, keep=keep)) == count


def test_by_time_to_the_line(path: Path, target: Path) -> None:
    log = old(path, segment=1 << 30)
    assert archives(log, target) == []
    (facts,) = archives(log, target, before=at(100))
    assert (facts.first, facts.last, facts.began, facts.ended) == (
        1,
        100,
        "2026-01-01T00:00:00.000000Z",
        "2026-01-05T03:00:00.000000Z",
    )
    assert [file.suffix for file in target.iterdir()] == [".zst"]
    assert [record.seq for record in quick(path).records()] == list(range(1, 152))
    assert verify(path).ok


def test_without_the_library_copies_are_plain(path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlog.files.pack.zstandard", lambda: None)
    log = old(path)
    archives(log, target)
    assert {file.suffix for file in target.iterdir()} == {".jsonl"}
    expires(log, at(100), only=True)
    assert verify(path, archive=target).archived > 80


def test_a_damaged_copy_is_replaced_and_a_damaged_segment_is_not_copied(path: Path, target: Path) -> None:
    log = old(path)
    archives(log, target)
    copy = min(target.iterdir())
    whole = copy.read_bytes()
    copy.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    assert [facts.first for facts in archives(log, target)] == [1]
    assert copy.read_bytes() == whole
    segment = sealed(path)[1].packed
    segment.write_bytes(min(folder(path).iterdir()).read_bytes())
    with pytest.raises(LogDamagedError):
        archives(log, target.with_name("other"))


def test_only_what_is_archived_and_still_there_expires(path: Path, target: Path) -> None:
    log = old(path)
    archives(log, target, before=at(60))
    last = max(int(file.name[13:25]) for file in target.iterdir())
    assert plan(Disk(), path, LATE, Copies(Disk(), path).has).last == last
    copies = sorted(target.iterdir())
    copies[1].rename(target / "elsewhere")
    assert plan(Disk(), path, LATE, Copies(Disk(), path).has).last == int(copies[0].name[13:25])
    (target / "elsewhere").rename(copies[1])
    moved = target.rename(target.with_name("moved"))
    assert plan(Disk(), path, LATE, Copies(Disk(), path).has).last == 0
    assert expires(log, LATE, only=moved).last == last
    verdict = verify(path, archive=moved)
    assert (verdict.ok, verdict.archived, verdict.warnings) == (True, last, ())
    # A copy that nobody recorded is no copy.
    for file in folder(path).glob("*.zst"):
        (moved / file.name).write_bytes(file.read_bytes())
    assert plan(Disk(), path, LATE, Copies(Disk(), path, moved).has).last == 0


def test_verify_takes_the_archive_for_a_part_of_the_log(path: Path, target: Path) -> None:
    log = old(path)
    trust = [read_trust(keyfile(path))]
    full = verify(path)
    archives(log, target)
    expires(log, at(100), only=True)
    seal(quick(path))
    short, whole = verify_signed(path, trust), verify_signed(path, trust, archive=target)
    assert (short.ok, short.archived) == (True, 0)
    assert (whole.ok, whole.archived, whole.expired) == (True, short.expired, short.expired)
    assert whole.events >= full.events + 2 > short.events
    assert whole.head == short.head


def keyfile(path: Path) -> Path:
    file = path.with_name("key.pem")
    path.parent.mkdir(exist_ok=True)
    file.write_text(public_key(path))
    return file


def test_every_damage_of_an_archive_is_found_in_its_line(path: Path, target: Path) -> None:
    log = old(path, 40, segment=1 << 30)
    archives(log, target, before=at(30))
    expires(log, at(30), only=True)
    (copy,) = target.iterdir()
    whole = copy.read_bytes()
    good = verify(path, archive=target)
    assert good.archived == 30
    chance = random.Random(8)
    for position in chance.sample(range(len(whole)), 100):
        changed = bytearray(whole)
        changed[position] ^= 1 << chance.randrange(8)
        copy.write_bytes(changed)
        verdict = verify(path, archive=target)
        # Bits that change nothing of the contents are not part of the log.
        assert verdict == good or (verdict.ok, verdict.file) == (False, copy.name.removesuffix(".zst")), position


def test_every_change_of_a_plain_copy(path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlog.files.pack.zstandard", lambda: None)
    log = old(path, 40, segment=1 << 30)
    archives(log, target, before=at(30))
    expires(log, at(30), only=True)
    (copy,) = target.iterdir()
    whole = copy.read_bytes()
    chance = random.Random(9)
    for position in chance.sample(range(len(whole)), 150):
        changed = bytearray(whole)
        changed[position] ^= 1 << chance.randrange(8)
        copy.write_bytes(changed)
        verdict = verify(path, archive=target)
        assert (verdict.file, verdict.line) == (copy.name, whole.count(b"\n", 0, position) + 1), position
    lines = whole.splitlines(keepends=True)
    for number in range(1, len(lines) - 1):
        copy.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        assert verify(path, archive=target).line == number + 1


def test_what_an_archive_lacks(path: Path, target: Path, tmp_path: Path) -> None:
    log = old(path)
    archives(log, target)
    expires(log, at(100), only=True)
    copies = sorted(target.iterdir())
    names = [(int(file.name[:12]), int(file.name[13:25])) for file in copies]
    for number in (0, 2, 4):
        copies[number].rename(tmp_path / "out")
        verdict = verify(path, archive=target)
        first, last = names[number]
        assert verdict.ok
        assert verdict.warnings == (f"{target} lacks events {first} to {last}",)
        (tmp_path / "out").rename(copies[number])
    # Somebody else's segments are no help.
    other = tmp_path / "other" / "events.jsonl"
    old(other)
    archives(quick(other), tmp_path / "strange")
    verdict = verify(path, archive=tmp_path / "strange")
    assert (verdict.ok, verdict.archived) == (True, 0)
    assert verdict.warnings == (f"{tmp_path / 'strange'} lacks events 1 to {verdict.expired}",)
    # Nor in the way: one folder may hold many logs.
    for file in (tmp_path / "strange").iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    assert verify(path, archive=target).warnings == ()


def test_a_segment_that_was_only_moved_away_is_read_from_the_archive(path: Path, target: Path) -> None:
    log = old(path)
    archives(log, target)
    middle = sealed(path)[3]
    middle.packed.unlink()
    assert not verify(path).ok
    verdict = verify(path, archive=target)
    assert (verdict.ok, verdict.archived, verdict.events) == (True, middle.last - middle.first + 1, 151)


def test_a_tombstone_that_lies_about_what_it_removed(path: Path, target: Path) -> None:
    log = old(path)
    trust = [read_trust(keyfile(path))]
    archives(log, target, before=at(60))
    done = expires(log, at(60), only=True)
    # With the key, one can claim anything; the archive shows that it is not so.
    lies = tuple(replace(facts, size=facts.size + 1) for facts in done.segments)
    with open_view(Disk(), path) as view:
        ((event, _),) = own_events(view.pieces, SegmentsExpired)
    sign(log, replace(event, segments=lies))
    assert verify_signed(path, trust).ok
    verdict = verify_signed(path, trust, archive=target)
    assert not verdict.ok
    assert "describes other events" in verdict.reason


def test_bad_folders(path: Path, tmp_path: Path) -> None:
    log = old(path)
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match=r"the archive .*file.* cannot be written: Not a directory"):
        archives(log, tmp_path / "file" / "below")
    with pytest.raises(LogError, match="is where the log itself keeps its segments"):
        archives(log, folder(path))
    with pytest.raises(LogError, match="there is no archive"):
        verify(path, archive=tmp_path / "none")
    with pytest.raises(LogError, match="cannot be written: No such file or directory"):
        archives(log, Path("/proc/self/nowhere"))


def test_nothing_to_select(path: Path) -> None:
    assert select(Disk(), path).segments == ()
    live(quick(path), 5)
    assert select(Disk(), path).segments == ()
    assert select(Disk(), path, before=at(0)).segments == ()
