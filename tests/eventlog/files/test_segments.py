"""A log in segments is one log: it is read, checked and appended to as if it were one file."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from eventlog.disk import Disk
from eventlog.files.segments import DRAFT, folder, sealed
from statemachine.errors import LogDamagedError, LogError
from statemachine.events import Created, Exited
from statemachine.fold import fold
from tests.eventlog.conftest import ACTOR
from tests.eventlog.faults import Killed, RollingDisk
from tests.eventlog.lives import Quick, live, quick

Make = Callable[..., EventLog]
SIZE = 8_000


@pytest.fixture
def small(make: Make) -> Callable[..., EventLog]:
    return lambda **options: make(**({"segment": SIZE, "disk": Quick()} | options))


@pytest.fixture
def filled(small: Make, path: Path) -> Path:
    live(small(), 150)
    return path


def plain(filled: Path) -> bytes:
    """The lines of the log as one file."""
    return b"".join(record_line(record) for record in quick(filled).records())


def record_line(record: object) -> bytes:
    import msgspec

    return msgspec.json.encode(record) + b"\n"


def test_a_log_in_segments_answers_like_one_file(filled: Path, small: Make, tmp_path: Path) -> None:
    assert len(sealed(filled)) > 5
    assert all(file.name.endswith(".jsonl.zst") for file in folder(filled).iterdir())
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder(filled).iterdir())
    one = tmp_path / "one.jsonl"
    one.write_bytes(plain(filled))
    assert verify(one).events == verify(filled).events == 150
    assert verify(one).head == verify(filled).head
    assert verify(filled).ok
    assert list(quick(filled).replay()) == list(quick(one).replay())
    assert quick(filled).states() == quick(one).states()
    for subject in ("ws-0", "ws-6", "never"):
        log = small()
        assert list(log.history(subject)) == list(quick(one).history(subject))
        assert list(log.history(subject)) == list(quick(one).history(subject))
        assert small().recall(subject) == fold(subject, quick(one).history(subject))
    with pytest.raises(LogError, match="changed by another process"):
        small().append("ws-0", Created(), expected=1)


@pytest.mark.parametrize("reader", ["history", "recall", "append"])
def test_what_a_process_knows_survives_a_roll(small: Make, path: Path, reader: str) -> None:
    log, other = small(), small()
    live(other, 7)
    list(log.history("ws-1")), log.recall("ws-1")
    live(other, 100, start=7)
    version = list(quick(path).history("ws-1"))[-1].seq
    if reader == "append":
        assert log.append("ws-1", Exited(), expected=version).seq == 108
    elif reader == "recall":
        assert log.recall("ws-1").version == version
    else:
        assert [one.seq for one in log.history("ws-1")][-1] == version
    assert verify(path).ok


def test_without_the_library_segments_stay_as_they_are(
    small: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog.files.pack.zstandard", lambda: None)
    live(small(), 60)
    assert {file.suffix for file in folder(path).iterdir()} == {".jsonl"}
    assert verify(path).ok
    monkeypatch.undo()
    live(small(), 30, start=60)
    assert {file.suffix for file in folder(path).iterdir()} == {".zst"}
    monkeypatch.setattr("eventlog.files.pack.zstandard", lambda: None)
    with pytest.raises(LogError, match=r"is compressed.*Install `zstandard`"):
        list(quick(path).records())


def test_every_damage_of_a_segment_is_found_in_its_line(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = sealed(filled)
    chance = random.Random(3)
    packed = segments[2].packed
    whole = packed.read_bytes()
    good = verify(filled)
    for position in sorted(chance.sample(range(len(whole)), 80)):
        changed = bytearray(whole)
        changed[position] ^= 1 << chance.randrange(8)
        packed.write_bytes(changed)
        verdict = verify(filled)
        # Bits that change nothing of the contents are not part of the log.
        assert verdict == good or (verdict.file, verdict.ok) == (segments[2].path.name, False), position
        assert verdict.events >= segments[1].last
    packed.unlink()
    verdict = verify(filled)
    assert (verdict.ok, verdict.events, verdict.line) == (False, segments[1].last, 1)
    with pytest.raises(LogDamagedError):
        list(quick(filled).replay())


def test_a_compressed_segment_that_was_cut_off_or_has_more_behind_it(filled: Path) -> None:
    segments = sealed(filled)
    packed = segments[1].packed
    whole = packed.read_bytes()
    step = 1 if os.environ.get("ACI_SLOW_TESTS") else 11
    sizes = {*range(0, len(whole), step), *range(len(whole) - 12, len(whole))}
    for data in (*(whole[:size] for size in sizes), whole + b"\0", whole + whole):
        packed.write_bytes(data)
        verdict = verify(filled)
        assert (verdict.ok, verdict.file) == (False, segments[1].path.name), len(data)
        # Nor does anybody read it as if it ended there.
        with pytest.raises(LogDamagedError):
            list(quick(filled).records())


def test_removed_swapped_and_cut_segments_are_found(small: Make, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlog.files.pack.zstandard", lambda: None)
    live(small(), 150)
    first, second, third = (segment.path for segment in sealed(path)[:3])
    keep = {file: file.read_bytes() for file in (first, second, third)}

    def wrong(line: int, file: str) -> None:
        verdict = verify(path)
        assert (verdict.ok, verdict.line, verdict.file) == (False, line, file), verdict
        for name, data in keep.items():
            name.write_bytes(data)
        assert verify(path).ok

    lines = keep[second].count(b"\n")
    second.unlink()
    wrong(1, third.name)
    first.unlink()
    wrong(1, second.name)
    first.write_bytes(keep[second])
    second.write_bytes(keep[first])
    wrong(1, first.name)
    second.write_bytes(keep[second][:-1])
    wrong(lines, second.name)
    second.write_bytes(keep[second][: keep[second].rindex(b"\n", 0, -1) + 1])
    wrong(lines, second.name)
    changed = keep[second].replace(b'"aci-ws"', b'"aci-wz"', 1)
    second.write_bytes(changed if changed != keep[second] else keep[second].replace(b"laptop", b"laptoq", 1))
    assert not verify(path).ok


@pytest.mark.parametrize("code", [None, 28, 5])
@pytest.mark.parametrize("after", [False, True])
def test_a_fault_at_every_step_of_a_roll(path: Path, make: Make, code: int | None, after: bool) -> None:
    import shutil

    for at in range(1, 60):
        shutil.rmtree(path.parent, ignore_errors=True)
        live(quick(path), 20)
        before = verify(path)
        disk = RollingDisk(at, code, after=after)
        heard = 0
        with suppress(Killed, LogError):
            heard = make(disk=disk, segment=SIZE).append("ws-1", Exited()).seq
        found = verify(path)
        assert found.ok or found.torn, (disk.calls, found)
        assert found.events - before.events in ((1,) if heard else (0, 1)), disk.calls
        for subject in ("ws-0", "ws-2"):
            assert quick(path).recall(subject) == fold(subject, quick(path).history(subject))
        follow = make(disk=Quick(), segment=SIZE)
        assert follow.append("ws-1", Exited()).seq >= found.events + 1
        assert verify(path).ok, disk.calls
        if not disk.struck:
            assert at > 8, disk.calls
            return
    pytest.fail("the fault never stopped striking")


def test_a_file_that_is_gone_right_after_a_roll(small: Make, path: Path) -> None:
    live(small(), 20)
    log = small()
    last = list(log.records())[-1].seq
    path.rename(folder(path) / f"{sealed(path)[-1].last + 1:012d}-{last:012d}-{verify(path).head}.jsonl")
    assert verify(path).events == last
    assert log.append("ws-1", Exited()).seq == last + 1
    assert verify(path).ok


def test_many_threads_roll_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(number: int) -> list[int]:
        log = EventLog(path, actor=lambda: ACTOR, correlation=str(number), disk=Quick(), segment=4_000)
        return [log.append(f"ws-{number}", Exited(detail=str(step))).seq for step in range(60)]

    with ThreadPoolExecutor(6) as pool:
        seqs = [seq for seqs in pool.map(write, range(6)) for seq in seqs]
    assert sorted(seqs) == list(range(1, 361))
    verdict = verify(path)
    assert (verdict.ok, verdict.events) == (True, 360), verdict
    assert len(sealed(path)) > 20


@pytest.mark.parametrize("library", [True, False])
def test_old_drafts_are_swept(filled: Path, small: Make, monkeypatch: pytest.MonkeyPatch, *, library: bool) -> None:
    if not library:
        monkeypatch.setattr("eventlog.files.pack.zstandard", lambda: None)
    old, new = (folder(filled) / f"{DRAFT}{name}" for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    live(small(), 30, start=150)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_disk_that_does_not_let_it_roll(small: Make, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Disk):
        def rename(self, source: Path, target: Path) -> None:
            raise PermissionError(13, "Permission denied")

    live(small(segment=1 << 30), 30)
    assert small(disk=Stuck()).append("ws-0", Exited()).seq == 31
    assert "cannot be moved" in caplog.text
    assert verify(path).ok
