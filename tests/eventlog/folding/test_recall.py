"""The snapshot saves reading, is never trusted over the log, and costs one rebuild when it is lost or changed."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from eventlog.disk import Disk
from eventlog.folding import recall as recalling
from eventlog.folding.snapshot import path_of
from statemachine.errors import LogDamagedError
from statemachine.events import Created, DeleteRequested, Vanished
from statemachine.fold import fold
from tests.eventlog.lives import OWNER, Quick, live, lives, quick

Make = Callable[..., EventLog]
SUBJECTS = [*(f"ws-{number}" for number in range(7)), "never", 'odd "name" ☃']


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalling, "TAIL", 2_000)
    monkeypatch.setattr(recalling, "_SILENT", 4_000)


@pytest.fixture
def filled(path: Path) -> Path:
    log = quick(path)
    live(log, 200)
    log.append('odd "name" ☃', Created())
    return path


def check(path: Path) -> None:
    for subject in SUBJECTS[:-1]:
        log = quick(path)
        assert log.recall(subject) == fold(subject, quick(path).history(subject))
        assert log.recall(subject) == fold(subject, log.history(subject))
    # Its history cannot be, and whoever asks is told so; the others are not.
    with pytest.raises(LogDamagedError, match="cannot happen while it is absent"):
        quick(path).recall(SUBJECTS[-1])


def test_the_answer_is_that_of_the_whole_history(filled: Path, caplog: pytest.LogCaptureFixture) -> None:
    check(filled)
    assert path_of(filled).stat().st_mode & 0o777 == 0o600
    for step in range(30):
        live(quick(filled), 11, start=200 + 11 * step)
        check(filled)
    assert [record.message for record in caplog.records] == [
        f"{path_of(filled)} is gone; the whole event log is read to make it anew"
    ]


def test_a_poll_reads_little_writes_nothing_and_syncs_nothing(filled: Path, make: Make) -> None:
    class Counting(Quick):
        read = written = 0

        def read_at(self, fd: int, size: int, offset: int) -> bytes:
            data = super().read_at(fd, size, offset)
            self.read += len(data)
            return data

        def write(self, fd: int, data: bytes | memoryview) -> int:
            self.written += len(data)
            return super().write(fd, data)

    building = Counting()
    make(disk=building).recall("ws-1")
    assert (building.syncs, building.written > 0) == (0, True)
    polling = Counting()
    log = make(disk=polling)
    for _ in range(5):
        log.recall("ws-1")
    assert (polling.syncs, polling.written) == (0, 0)
    assert polling.read < 60_000
    version = log.recall("ws-1").version
    polling.read = 0
    log.append("ws-1", DeleteRequested(owner=OWNER), expected=version)
    assert polling.syncs == 1
    assert polling.read < 10_000


def test_every_changed_byte_of_a_snapshot_is_refused(filled: Path, caplog: pytest.LogCaptureFixture) -> None:
    quick(filled).recall("ws-1")
    file = path_of(filled)
    whole = file.read_bytes()
    expected = {subject: fold(subject, quick(filled).history(subject)) for subject in SUBJECTS[:-1]}
    chance = random.Random(6)
    for position in sorted({*range(60), *chance.sample(range(len(whole)), 60)}):
        changed = bytearray(whole)
        changed[position] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
        caplog.clear()
        for subject, workspace in expected.items():
            assert quick(filled).recall(subject) == workspace, position
        assert len(caplog.records) <= 1
    for size in (0, 10, 44, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        for subject, workspace in expected.items():
            assert quick(filled).recall(subject) == workspace, size


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("instead", [_folder, _pipe])
def test_something_else_in_the_place_of_a_snapshot_is_refused(
    filled: Path, caplog: pytest.LogCaptureFixture, instead: Callable[[Path], None]
) -> None:
    quick(filled).recall("ws-1")
    caplog.clear()
    instead(path_of(filled))
    assert quick(filled).recall("ws-1") == fold("ws-1", quick(filled).history("ws-1"))
    assert "cannot be read" in caplog.text


def test_a_snapshot_on_a_bad_sector_is_refused(filled: Path, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    quick(filled).recall("ws-1")
    caplog.clear()
    bad = path_of(filled).stat().st_ino

    class Worn(Quick):
        def read_at(self, fd: int, size: int, offset: int) -> bytes:
            if os.fstat(fd).st_ino == bad:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read_at(fd, size, offset)

    log = make(disk=Worn())
    assert log.recall("ws-1") == fold("ws-1", quick(filled).history("ws-1"))
    assert "cannot be read (Input/output error)" in caplog.text
    # It was made anew, in another place of the disk.
    caplog.clear()
    assert quick(filled).recall("ws-2") == fold("ws-2", quick(filled).history("ws-2"))
    assert caplog.text == ""


def test_a_snapshot_of_another_log_or_of_a_longer_one_is_refused(
    filled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quick(filled).recall("ws-1")
    caplog.clear()
    other = tmp_path / "other" / "events.jsonl"
    live(quick(other), 150)
    shutil.copytree(path_of(filled).parent, path_of(other).parent)
    assert quick(other).recall("ws-2") == fold("ws-2", quick(other).history("ws-2"))
    shorter = filled.read_bytes().splitlines(keepends=True)[:60]
    filled.write_bytes(b"".join(shorter))
    assert quick(filled).recall("ws-2") == fold("ws-2", quick(filled).history("ws-2"))
    assert [record.message.partition(" ")[2] for record in caplog.records] == [
        "does not match the log; the whole event log is read to make it anew"
    ] * 2


def test_another_meaning_of_folding_is_another_snapshot(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(filled).recall("ws-1")
    monkeypatch.setattr("eventlog.folding.snapshot.fingerprint", lambda: b"newer")
    before = path_of(filled).read_bytes()
    assert quick(filled).recall("ws-1").version
    assert path_of(filled).read_bytes() != before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
def test_a_folder_that_takes_no_snapshot(filled: Path) -> None:
    filled.parent.chmod(0o500)
    check(filled)
    filled.parent.chmod(0o700)


def test_a_snapshot_that_cannot_be_written_is_done_without(filled: Path, make: Make) -> None:
    class Full(Disk):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            raise OSError(28, "No space left on device")

    assert make(disk=Full()).recall("ws-1") == fold("ws-1", make().history("ws-1"))
    assert list(path_of(filled).parent.iterdir()) == []


def test_damage_elsewhere_keeps_nobody_from_his_workspace(filled: Path) -> None:
    expected = quick(filled).recall("ws-1")
    path_of(filled).unlink()
    lines = filled.read_bytes().splitlines(keepends=True)
    number = next(index for index, line in enumerate(lines) if b'"subject":"ws-2"' in line)
    lines[number] = lines[number].replace(b"laptop", b"laptoq")
    filled.write_bytes(b"".join(lines))
    assert not verify(filled).ok
    assert quick(filled).recall("ws-1") == expected
    assert not path_of(filled).exists()
    with pytest.raises(LogDamagedError, match="was changed after it was written"):
        quick(filled).recall("ws-2")


def test_all_states_in_one_pass(filled: Path) -> None:
    for verified in (True, False):
        states = quick(filled).states(verified=verified)
        assert states.pop(SUBJECTS[-1]) is None
        assert states == {subject: fold(subject, quick(filled).history(subject)) for subject in SUBJECTS[:-2]}
    whole = filled.read_bytes()
    filled.write_bytes(whole.replace(b'"exit_code":1', b'"exit_code":2', 1))
    with pytest.raises(LogDamagedError, match=r"line 36: was changed"):
        quick(filled).states()


def test_events_of_other_versions_go_the_long_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = quick(path)
    for (subject, event), _ in zip(lives(1), range(2), strict=False):
        log.append(subject, event)
    monkeypatch.setattr(Vanished, "VERSION", 7)
    log.append("ws-0", Vanished())
    monkeypatch.undo()
    for number in range(8, 120):
        log.append(f"other-{number}", Created())
    found = quick(path).states()["ws-0"]
    assert found is not None
    assert (found.version, found.state) == (3, "running")
    assert found == fold("ws-0", quick(path).history("ws-0"))
