"""What expires is gone, what lives stays as it was, and the log says which was which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from eventlog import EventLog, TornTailSetAside, verify
from eventlog.disk import Disk
from eventlog.files import pieces
from eventlog.files.pieces import open_view
from eventlog.files.segments import KEPT, PACKED, folder, parts, sealed
from eventlog.folding.snapshot import path_of
from eventlog.history import rows
from eventlog.retention.expire import expire, plan
from eventlog.retention.expired import described, expiry, tombstones
from eventlog.retention.steps import alone
from statemachine import events as e
from statemachine.errors import BusyError, InternalError, LogDamagedError, LogError
from statemachine.fold import fold
from tests.eventlog.conftest import ACTOR
from tests.eventlog.lives import FACTS, GROUP, LIFE, OWNER, Quick, live, quick
from tests.eventlog.old import SIZE, at, expires, lasting, old

Make = Callable[..., EventLog]


@pytest.mark.parametrize(
    ("segment", "hour"),
    [
        *((SIZE, hour) for hour in (14, 15, 40, 64, 77, 78, 100, 148, 5000)),
        *((1 << 30, hour) for hour in (1, 7, 14, 77, 149, 150, 5000)),
    ],
)
def test_workspaces_that_live_are_what_they_were(path: Path, segment: int, hour: int) -> None:
    log = old(path, segment=segment)
    before = lasting(log.states())
    events = {record.seq: record for record in log.records()}
    done = expires(log, at(hour))
    assert done.last <= hour
    after = quick(path)
    assert lasting(after.states()) == lasting(after.states(verified=False)) == before
    for subject, workspace in before.items():
        assert quick(path).recall(subject) == workspace
        assert fold(subject, quick(path).history(subject)) == workspace
    left = {record.seq: record for record in after.records() if record.subject != "log"}
    assert left.items() <= events.items()
    assert set(events) - set(left) == set(range(1, done.last + 1)) - {seq for seq in left if seq <= done.last}
    verdict = verify(path)
    assert (verdict.ok, verdict.expired, verdict.warnings) == (True, done.last, ())
    # Work goes on, also for whoever knew the log before.
    live(log, 40, 7, 150)
    assert verify(path).ok
    if hour < 5000:
        expires(log, at(hour + 30))
        assert verify(path).ok
        assert verify(path).expired > done.last
    assert [one.event.last for one in told(path)] == sorted({one.event.last for one in told(path)})


def told(path: Path) -> list[object]:
    with open_view(Disk(), path) as view:
        return list(tombstones(view.pieces))


def test_time_is_met_to_the_line(path: Path) -> None:
    log = old(path)
    done = expires(log, at(100))
    assert done.last == max(segment.last for segment in done.segments)
    # A sealed segment goes when all of it is old enough ...
    assert 84 <= done.last <= 100
    # ... and of the file itself, just what is.
    log = old(path.with_name("small.jsonl"), segment=1 << 30)
    done = expires(log, at(100))
    assert done.last == 100
    assert [record.seq for record in log.records() if record.seq > 100] == list(range(101, 152))
    assert sealed(log.path) == []


def test_nothing_is_old_enough(path: Path) -> None:
    log = old(path, 60)
    before = sorted(file for file in path.parent.rglob("*"))
    assert expires(log, at(0)).segments == ()
    assert expires(quick(path.with_name("none.jsonl")), at(9)).segments == ()
    assert plan(Disk(), path, at(0)).segments == ()
    assert set(path.parent.rglob("*")) - set(before) == {
        path.with_name("events.jsonl.d") / "retention.lock",
        path.with_name("none.jsonl.d"),
        path.with_name("none.jsonl.d") / "retention.lock",
    }


def test_everything_can_expire_but_the_tombstone(path: Path) -> None:
    log = quick(path)
    log.append("ws", e.CreateRequested(owner=OWNER, group=GROUP, facts=FACTS))
    log.append("ws", e.Created())
    log.append("ws", e.DeleteRequested(owner=OWNER))
    log.append("ws", e.Deleted())
    expires(log, datetime.now(UTC) + timedelta(days=1))
    assert [record.type for record in quick(path).records()] == ["SegmentsExpired"]
    assert quick(path).recall("ws").version == 0
    verdict = verify(path)
    assert (verdict.ok, verdict.expired, verdict.events) == (True, 4, 1)
    assert quick(path).append("ws", e.CreateRequested(owner=OWNER, group=GROUP, facts=FACTS), expected=0).seq == 6
    # Without a line in it, the file of what is kept says nothing that the tombstone does not.
    parts(path).kept.path.unlink()  # type: ignore[union-attr]
    assert verify(path).ok


def test_no_trace_of_what_is_over(path: Path) -> None:
    log = old(path, 80, subjects=1)  # seven lives of one workspace, and the beginning of an eighth
    log.recall("ws-0")
    secret = b'"purpose":"gone with the wind"'
    other = quick(path)
    other.append("brief", e.CreateRequested(owner=OWNER, group=GROUP, facts=FACTS))
    other.append("brief", e.Created())
    other.append("brief", e.CommandOpened(owner=OWNER, command="x", purpose="gone with the wind"))
    other.append("brief", e.CommandClosed(command="x"))
    other.append("brief", e.DeleteRequested(owner=OWNER))
    other.append("brief", e.Deleted())
    expires(other, datetime.now(UTC) + timedelta(days=1))
    for file in path.parent.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert secret not in data
            assert b"brief" not in data, file


def test_ended_commands_go_and_open_ones_stay(path: Path) -> None:
    log = quick(path)
    log.append("ws", e.CreateRequested(owner=OWNER, group=GROUP, facts=FACTS))
    log.append("ws", e.Created())
    for number in range(20):
        log.append("ws", e.CommandOpened(owner=OWNER, command=str(number)))
    for number in range(0, 20, 2):
        log.append("ws", e.CommandClosed(command=str(number)))
    before = quick(path).recall("ws")
    done = expires(log, datetime.now(UTC) + timedelta(days=1))
    # Two of the life, ten that run, and the last of all, which gives the workspace its version.
    assert len(done.kept) == 13
    assert quick(path).recall("ws") == before
    assert quick(path).append("ws", e.CommandClosed(command="1"), expected=before.version)


def test_what_a_newer_version_wrote_is_kept_for_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Flown(e.Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
        pass

    log = quick(path)
    monkeypatch.setitem(e.EVENT_TYPES, "Flown", Flown)
    for subject in ("ws", "never-seen"):
        log.append(subject, Flown())
    log.append("ws", e.DeleteRequested(owner=OWNER))
    monkeypatch.undo()
    done = expires(log, datetime.now(UTC) + timedelta(days=1))
    assert [msgspec.json.decode(line)["type"] for line in done.kept] == ["Flown", "Flown", "DeleteRequested"]
    assert verify(path).ok


@pytest.mark.parametrize("life", [LIFE, (*LIFE[:2], e.Vanished())], ids=["deleted", "vanished"])
def test_what_a_newer_version_says_of_a_workspace_that_was_over_keeps_nobody_from_expiring(
    path: Path, monkeypatch: pytest.MonkeyPatch, life: tuple[e.Event, ...]
) -> None:
    class Flown(e.Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
        pass

    log = quick(path)
    monkeypatch.setitem(e.EVENT_TYPES, "Flown", Flown)
    for event in (*life, Flown()):
        log.append("ws", event)
    monkeypatch.undo()
    done = expires(log, datetime.now(UTC) + timedelta(days=1))
    assert [msgspec.json.decode(line)["type"] for line in done.kept] == ["Flown"]
    assert verify(path).ok
    assert quick(path).recall("ws").state == "absent"


def test_a_history_that_cannot_be_stays_impossible(path: Path) -> None:
    log = quick(path)
    log.append("ws", e.Created())
    log.append("ws", e.Deleted())
    expires(log, datetime.now(UTC) + timedelta(days=1))
    assert quick(path).states()["ws"] is None
    with pytest.raises(LogDamagedError, match="cannot happen"):
        quick(path).recall("ws")


def test_kept_lines_that_would_say_something_else_stop_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = old(path)
    before = sorted(path.parent.rglob("*"))
    monkeypatch.setattr("eventlog.retention.living.Living.lines", lambda living: [])
    with pytest.raises(InternalError, match="would be another one without its old events; nothing was done"):
        expires(log, at(100))
    assert set(path.parent.rglob("*")) - set(before) == {path.with_name("events.jsonl.d") / "retention.lock"}
    assert verify(path).expired == 0


def test_a_clock_that_stepped_keeps_what_is_too_young(path: Path) -> None:
    moments = iter([at(0), at(1), at(500), at(2), at(3), *(at(600 + n) for n in range(9))])
    log = EventLog(path, actor=lambda: ACTOR, correlation="", disk=Quick(), now=lambda: next(moments))
    live(log, 5, 1)
    done = expires(log, at(100))
    assert done.last == 2
    assert verify(path).ok


def test_damage_stops_it(path: Path) -> None:
    log = old(path, segment=1 << 30)
    path.write_bytes(path.read_bytes().replace(b'"user":"ada"', b'"user":"eve"', 1))
    for moment in (at(5), at(100)):
        with pytest.raises(LogDamagedError, match="line 1: was changed"):
            expires(log, moment)
    assert parts(path).kept is None


def test_what_was_set_aside_goes_with_its_event(path: Path) -> None:
    log = quick(path)
    live(log, 3)
    with path.open("ab") as file:
        file.write(b'{"specversion":"1.0","id":"half')
    quick(path).append("ws-1", e.CommandClosed(command="x"))
    (aside,) = path.parent.glob("*.torn-*")
    done = expires(quick(path), datetime.now(UTC) + timedelta(days=1))
    assert done.aside == (aside.name,)
    assert not aside.exists()
    assert verify(path).warnings == ()


def test_no_file_is_removed_that_is_none_of_its_own(path: Path) -> None:
    log = quick(path)
    other = path.with_name("precious")
    live(log, 3)
    other.write_text("mine")
    for name in ("precious", "../state/precious", "events.jsonl.torn-1/../precious", str(other), path.name):
        log.note(lambda tail, name=name: TornTailSetAside(size=1, sha256="", file=name))  # type: ignore[misc]
    expires(log, datetime.now(UTC) + timedelta(days=1))
    assert other.read_text() == "mine"
    assert path.exists()


def test_one_at_a_time(path: Path) -> None:
    log = old(path, 20)
    with alone(Disk(), path), pytest.raises(BusyError, match="another process archives or expires"):
        expires(log, at(15))
    assert expires(log, at(15)).segments


def test_appends_go_on_meanwhile(path: Path) -> None:
    old(path, 100, segment=1 << 30).close()
    busy = True
    seqs: list[int] = []

    def write() -> None:
        log = quick(path)
        while busy:
            seqs.append(log.append("busy", e.CommandClosed(command="x")).seq)

    writers = [Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    log = EventLog(path, actor=lambda: ACTOR, correlation="", disk=Quick())
    try:
        for hour in (10, 40, 99):
            expires(log, at(hour))
            quick(path).recall("ws-1")
    finally:
        busy = False
        for writer in writers:
            writer.join()
    verdict = verify(path)
    assert (verdict.ok, verdict.expired) == (True, 99), verdict
    assert len(seqs) == len(set(seqs))
    assert set(seqs) <= {record.seq for record in quick(path).records()}


def test_a_file_that_is_sealed_between_the_look_and_the_cut(path: Path) -> None:
    log = old(path, 30, segment=1 << 30)
    with alone(Disk(), path):
        found = plan(Disk(), path, at(10))
        EventLog(path, actor=lambda: ACTOR, correlation="", segment=1).append("ws", e.CommandClosed(command="x"))
        with pytest.raises(BusyError, match=r"changed while it was read\. Try again"):
            expire(log, Disk(), found)
    assert verify(path).ok
    assert expires(log, datetime.now(UTC) + timedelta(days=1)).last == 31


def test_a_reader_that_comes_too_late_is_told_to_try_again(path: Path) -> None:
    log = old(path)
    with open_view(Disk(), path) as view:
        expires(log, at(100))
        with pytest.raises(Exception, match=r"expired while it was read\. Try again"):
            list(view.sealed[0].blocks())


def test_so_is_one_whose_compressed_segment_goes_between_two_looks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, read = old(path), pieces.unpacked

    def late(packed: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
        monkeypatch.undo()
        expires(log, at(100))
        return read(packed, start)

    with open_view(Disk(), path) as view:
        monkeypatch.setattr(pieces, "unpacked", late)
        with pytest.raises(LogError, match=r"expired while it was read\. Try again"):
            list(view.sealed[1].blocks())


def test_what_expires_while_it_is_compressed_does_not_come_back(path: Path) -> None:
    class Slow(Quick):
        def rename(self, source: Path, target: Path) -> None:
            if target.suffix == PACKED and sealed(path):
                expires(quick(path), datetime.now(UTC) + timedelta(days=1))
            super().rename(source, target)

    old(path, 40, segment=1 << 30).close()
    rolls = EventLog(path, actor=lambda: ACTOR, correlation="", disk=Slow(), segment=1)
    rolls.append("ws-1", e.CommandClosed(command="x"))
    found = parts(path)
    assert (found.kept is not None, found.leftover) == (True, [])
    verdict = verify(path)
    assert (verdict.ok, verdict.expired > 30, verdict.warnings) == (True, True, ())


@pytest.mark.parametrize("verified", [False, True])
def test_what_was_known_of_a_workspace_is_read_again(path: Path, verified: bool) -> None:
    knowing = old(path)
    versions = {subject: knowing.recall(subject).version for subject in ("ws-0", "ws-3")}
    if verified:
        for subject in versions:
            list(knowing.history(subject))
    expires(quick(path), at(120))
    for subject, version in versions.items():
        assert knowing.recall(subject).version == version
        assert [one.seq for one in knowing.history(subject)][-1] == version
        assert knowing.append(subject, e.CommandClosed(command="x"), expected=version)
    assert verify(path).ok


def test_the_snapshot_is_made_anew(path: Path) -> None:
    log = old(path)
    log.recall("ws-1")
    expires(log, at(120))
    assert path_of(path).exists()
    made = path_of(path).read_bytes()
    path_of(path).unlink()
    with_none = {f"ws-{number}": quick(path).recall(f"ws-{number}") for number in range(7)}
    path_of(path).write_bytes(made)
    assert {f"ws-{number}": quick(path).recall(f"ws-{number}") for number in range(7)} == with_none


def test_a_state_is_never_told_without_what_is_kept(path: Path) -> None:
    log = old(path)
    expires(log, at(120))
    kept = parts(path).kept
    assert kept is not None
    kept.path.unlink()
    path_of(path).unlink()
    for use in (lambda: quick(path).recall("ws-1"), lambda: quick(path).states()):
        with pytest.raises(LogDamagedError, match=r"events 1 to \d+ of the event log are missing"):
            use()


@pytest.mark.parametrize("count", [150, 500])
def test_a_state_from_other_lines_than_were_kept_comes_with_a_warning(
    path: Path, caplog: pytest.LogCaptureFixture, count: int
) -> None:
    expires(old(path, count), at(100))
    (kept,) = folder(path).glob(f"*{KEPT}")
    kept.write_bytes(b"".join(kept.read_bytes().splitlines(keepends=True)[:-1]))
    path_of(path).unlink()
    caplog.clear()
    quick(path).recall("ws-1")
    (warning,) = caplog.records
    assert f"{kept}, line 1: is the first of " in warning.message


def test_history_says_so(path: Path) -> None:
    log = old(path)
    assert expiry(Disk(), path) is None
    done = expires(log, at(100))
    found = expiry(Disk(), path)
    assert found is not None
    last = at(done.last - 1)
    assert described(found).startswith(f"events 1 to {done.last}, up to {last:%Y-%m-%d %H:%M:%S} UTC, expired on 2026-")
    assert "by ada@laptop" in described(found)
    (row,) = [row for row in rows(log.records()) if row.verb == "expire"]
    assert row.detail == f"events 1 to {done.last}, {len(done.kept)} kept of all up to {done.last}"


def test_its_files_are_private(path: Path) -> None:
    log = old(path, segment=1 << 30)
    expires(log, at(100))
    for file in path.parent.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file
    assert [file.suffix for file in folder(path).iterdir()] == [KEPT]


def test_many_segments_take_several_calls(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlog.retention.expire.MOST", 3)
    log = old(path)
    lasts = [expires(log, at(100)).segments for _ in range(4)]
    assert [len(segments) for segments in lasts[:2]] == [3, 3]
    assert lasts[-1] == ()
    assert verify(path).ok
