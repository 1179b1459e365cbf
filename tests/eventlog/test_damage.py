"""Whatever is changed, no answer is wrong without a word, and nothing that is still good is removed for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from eventlog.disk import Disk
from eventlog.files.segments import folder, sealed
from eventlog.folding.recall import refresh
from eventlog.retention.steps import alone, finish
from eventlog.sealing.seal import public_key, seal
from statemachine.errors import LogDamagedError, LogError
from statemachine.events import Exited
from statemachine.fold import Workspace, fold
from tests.eventlog.lives import Quick, live, quick
from tests.eventlog.old import at, expires, stored

Make = Callable[..., EventLog]
STEP = 1 if os.environ.get("ACI_SLOW_TESTS") else 11
"""From one byte that is changed to the next, where all of them take a while."""
SUBJECTS = ("ws-0", "ws-3", "ws-6")


@pytest.fixture
def filled(path: Path, make: Make) -> Path:
    """Two segments, some lines in the file, a snapshot, and some more lines."""
    live(make(disk=Quick(), segment=8_000), 31)
    live(quick(path), 3, start=31)
    refresh(Disk(), path, force=True)
    live(quick(path), 5, start=34)
    assert len(sealed(path)) == 2
    return path


def told(path: Path) -> dict[str, Workspace]:
    return {subject: fold(subject, quick(path).history(subject)) for subject in SUBJECTS}


def test_a_flipped_bit_behind_the_snapshot_changes_no_answer_without_a_word(
    filled: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = told(filled)
    whole = filled.read_bytes()
    newest = len(b"".join(whole.splitlines(keepends=True)[:-5]))
    refusals = []
    # The last newline makes an unfinished line, which is for the next append to set aside.
    for position in range(newest, len(whole) - 1, STEP):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        filled.write_bytes(changed)
        number = whole.count(b"\n", 0, position) + 1
        for subject, workspace in expected.items():
            caplog.clear()
            try:
                found = quick(filled).recall(subject)
            except LogDamagedError as error:
                refusals.append((f"line {number}: ", str(error)))
            else:
                assert f"line {number}: was changed, or does not follow" in caplog.text, position
                line = whole[whole.rindex(b"\n", 0, position) :]
                assert found == workspace or line.index(subject.encode()) < line.index(b"\n", 1), position
    assert len(refusals) > 500 // STEP
    assert all(number in said for number, said in refusals)


def test_a_flipped_bit_in_the_first_line_of_a_file_hides_no_segment(filled: Path, make: Make) -> None:
    expected = told(filled)
    whole = filled.read_bytes()
    seq = whole.index(b'"seq":')
    mine = next(subject for subject in SUBJECTS if f'"subject":"{subject}"'.encode() not in whole[: whole.index(b"\n")])
    for position in {*range(40), *range(40, whole.index(b"\n"), STEP), *range(seq, seq + 12)}:
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        filled.write_bytes(changed)
        verdict = verify(filled)
        assert (verdict.ok, verdict.file, verdict.line) == (False, "", 1), position
        assert verdict.events == sealed(filled)[-1].last, position
        assert quick(filled).recall(mine) == expected[mine], position


def test_a_file_whose_first_line_was_changed_is_not_sealed_under_a_wrong_name(
    filled: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    before = sealed(filled)
    whole = filled.read_bytes()
    at_seq = whole.index(b'"seq":') + len(b'"seq":')
    filled.write_bytes(whole[:at_seq] + b"1" + whole[at_seq + 1 :])
    last = make(disk=Quick(), segment=1_000).append("ws-0", Exited()).seq
    assert "cannot be sealed: its first line was changed" in caplog.text
    assert sealed(filled) == before
    assert [record.seq for record in quick(filled).records()][-1] == last


def test_an_older_copy_of_the_file_is_no_log(filled: Path, make: Make) -> None:
    """It was sealed since, so that the segment has more than it; nothing of that is removed."""
    older = filled.read_bytes()
    log = make(disk=Quick(), segment=1 << 30)
    live(log, 10, start=39)
    make(disk=Quick(), segment=1_000).append("ws-0", Exited())
    newest = sealed(filled)[-1]
    assert verify(filled).ok
    filled.write_bytes(older)
    verdict = verify(filled)
    assert not verdict.ok
    assert f"{newest.path.name} beside it goes up to event {newest.last}" in verdict.reason
    # Work goes on, and in the end another segment claims to have all of its events.
    live(make(disk=Quick(), segment=1 << 30), 20, start=39)
    make(disk=Quick(), segment=1_000).append("ws-0", Exited())
    assert not verify(filled).ok
    with alone(Disk(), filled), pytest.raises(LogDamagedError, match="has events that are nowhere else; nothing was"):
        finish(Disk(), filled)
    assert newest.packed.exists()


def test_a_copy_of_a_segment_in_the_file_is_one_too_many_and_goes(filled: Path, make: Make) -> None:
    live(make(disk=Quick(), segment=8_000), 60, start=39)
    whole = b"".join(data for _, data in _lines(filled))
    shutil.rmtree(folder(filled))
    filled.write_bytes(whole)
    live(make(disk=Quick(), segment=1_000), 1)
    (only,) = sealed(filled)
    copy = only.path.with_name(only.path.name.replace(f"-{only.last:012d}-", "-000000000007-"))
    head = [record.hash for record in quick(filled).records()][6]
    copy.with_name(copy.name.replace(only.head, head)).write_bytes(b"".join(whole.splitlines(keepends=True)[:7]))
    assert verify(filled).ok
    with alone(Disk(), filled):
        assert finish(Disk(), filled)
    assert sealed(filled) == [only]
    assert verify(filled).ok


def _lines(path: Path) -> list[tuple[int, bytes]]:
    from eventlog.files.pieces import open_view

    with open_view(Disk(), path) as view:
        return [block for piece in view.pieces for block in piece.blocks()]


def test_a_file_that_only_looks_like_what_is_kept_removes_nothing(filled: Path) -> None:
    first = sealed(filled)[0]
    (first.path.with_name(f"{1:012d}-{first.last:012d}-{first.head}.kept")).touch()
    before = dict(stored(filled))
    with pytest.raises(LogError, match="stands for events that no tombstone speaks of; nothing was removed"):
        expires(quick(filled), at(1))
    assert dict(stored(filled)).items() >= {name: data for name, data in before.items() if "segments" in name}.items()


class Meanwhile(Quick):
    """Does something, once, right after the log's file was opened to be read."""

    def __init__(self, path: Path, act: Callable[[], object]) -> None:
        self._path = str(path)
        self._act: Callable[[], object] | None = act

    def open_read(self, path: str) -> int:
        fd = super().open_read(path)
        if path == self._path and self._act is not None:
            act, self._act = self._act, None
            act()
        return fd


def test_what_others_do_while_one_looks_raises_no_alarm(
    filled: Path, make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    public_key(filled)
    seal(quick(filled))

    starts = iter(range(39, 1000, 10))

    def rolls_and_seals() -> None:
        for start in islice(starts, 3):
            live(make(disk=Quick(), segment=1_000), 10, start=start)
        seal(quick(filled))
        refresh(Disk(), filled, force=True)

    assert verify(filled, disk=Meanwhile(filled, rolls_and_seals)).ok
    assert make(disk=Meanwhile(filled, rolls_and_seals)).recall("ws-3").version
    # Another process sealed a later event before this one looked whether that was due.
    log = quick(filled)
    append = log._appender.append

    def slow(*arguments: object) -> object:
        written = append(*arguments)  # type: ignore[arg-type]  # passed on as they came
        seal(quick(filled))
        return written

    monkeypatch.setattr(log._appender, "append", slow)
    assert log.append("ws-0", Exited())
    assert caplog.text == ""
    assert verify(filled).ok
