"""What was acknowledged survives; what was not is absent or marked; the next append works."""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from eventlog import LOG_SUBJECT, EventLog, TornTailSetAside, verify
from eventlog.disk import Disk
from statemachine.errors import LogDamagedError, LogError
from statemachine.events import Created, Exited, Owner, StopRequested
from tests.eventlog.faults import FaultyDisk, Killed
from tests.eventlog.processes import appender

Make = Callable[..., EventLog]


def test_a_killed_appender_takes_nothing_back(path: Path, make: Make) -> None:
    chance = random.Random(20)
    acknowledged: list[int] = []
    for _ in range(8):
        writers = [appender(path, "free", "ws", 100_000) for _ in range(2)]
        said = ""
        for writer in writers:
            assert writer.stdout is not None
            said += os.read(writer.stdout.fileno(), 1 << 16).decode()
        time.sleep(chance.uniform(0.0, 0.05))
        for writer in writers:
            writer.kill()
        for writer in writers:
            said += writer.communicate()[0]
        acknowledged += [int(line) for line in said.split()]
    last = make().append("ws", Created()).seq
    assert verify(path).ok, verify(path)
    seqs = [recorded.seq for recorded in make().history("ws")]
    assert set(acknowledged) <= set(seqs)
    assert last == seqs[-1]
    # A process can die between its sync and its word: at most one event each that nobody heard of.
    assert len(seqs) - len(acknowledged) <= 17


def test_a_line_torn_at_every_byte(path: Path, make: Make) -> None:
    make().append("ws", StopRequested(owner=Owner("laptop", 7)))
    make().append("ws", Exited(detail="é ☃"))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        path.write_bytes(whole[:cut])
        for aside in path.parent.glob("*.torn-*"):
            aside.unlink()
        torn = cut - first
        verdict = verify(path)
        assert (verdict.ok, verdict.torn, verdict.events) == (not torn, torn, 1)
        assert [recorded.seq for recorded in make().history("ws")] == [1]
        seq = make().append("ws", Created()).seq
        assert verify(path).ok
        assert verify(path).warnings == ()
        aside = list(path.parent.glob("*.torn-*"))
        assert seq == (3 if torn else 2)
        assert [file.read_bytes() for file in aside] == ([whole[first:cut]] if torn else [])


def test_the_first_line_can_be_torn_as_well(path: Path, make: Make) -> None:
    make().append("ws", Exited())
    whole = path.read_bytes()
    for cut in (1, 5, 26, 40, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert list(make().history("ws")) == []
        assert make().append("ws", Created()).seq == 2
        assert verify(path).ok


@pytest.mark.parametrize(
    "rest", [b"\0" * 700, b"\0" * 700 + b"\n", b'{"specversion":"1.0","id":"' + b"\0" * 300 + b"\n"]
)
def test_pages_that_never_reached_the_disk_are_set_aside(path: Path, make: Make, rest: bytes) -> None:
    make().append("ws", Exited())
    with path.open("ab") as file:
        file.write(rest)
    assert make().append("ws", Created()).seq == 3
    assert verify(path).ok


def test_what_is_set_aside_is_kept_and_told(path: Path, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    log = make()
    log.append("ws", Exited())
    with path.open("ab") as file:
        file.write(b'{"specversion":"1.0","id":"half')
    log.append("ws", Created())
    (told,) = [record for record in log.records() if record.subject == LOG_SUBJECT]
    assert told.type == "TornTailSetAside"
    assert told.event is None
    aside = msgspec.json.decode(told.data, type=TornTailSetAside)
    kept = path.with_name(aside.file)
    assert kept.read_bytes() == b'{"specversion":"1.0","id":"half'
    assert kept.stat().st_mode & 0o777 == 0o600
    assert aside.size == 31
    assert "set aside" in caplog.text
    kept.write_bytes(b'{"specversion":"1.0","id":"hall')
    assert verify(path).warnings == (f"{aside.file} is not what was set aside: it was changed",)
    kept.unlink()
    assert verify(path).warnings == (f"{aside.file} was set aside and is gone",)


def test_two_lines_torn_in_one_second_have_two_names(path: Path, make: Make) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    make().append("ws", Exited())
    whole = path.read_bytes()
    for torn in (b"one", b"two"):
        path.write_bytes(whole + torn)
        make(now=lambda: moment).append("ws", Created())
    kept = sorted(path.parent.glob("*.torn-*"))
    assert [file.name for file in kept] == [f"events.jsonl.torn-2-20260102T030405Z{end}" for end in ("", "-1")]
    assert [file.read_bytes() for file in kept] == [b"one", b"two"]


def scenario(log: EventLog, acknowledged: list[int]) -> None:
    acknowledged.append(log.append("ws", StopRequested(owner=Owner("laptop", 7)), expected=acknowledged[-1]).seq)
    acknowledged.append(log.append("ws", Exited(detail="x" * 6000), expected=acknowledged[-1]).seq)


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        {"code": None},
        {"code": None, "part": 0.3},
        {"code": None, "part": 1.0},
        {"code": None, "after": True},
        {"code": errno.EIO},
        {"code": errno.EIO, "after": True},
        {"code": errno.ENOSPC},
        {"code": errno.ENOSPC, "part": 0.5},
    ],
    ids=str,
)
def test_a_fault_at_every_call(path: Path, make: Make, fault: dict[str, object], old: bool, torn: bool) -> None:
    for at in range(1, 100):
        for file in path.parent.glob("*"):
            file.unlink()
        acknowledged = [0]
        if old:
            acknowledged.append(make().append("ws", Created()).seq)
        if torn:
            path.parent.mkdir(exist_ok=True)
            with path.open("ab") as file:
                file.write(b'{"specversion":"1.0","id":"0190')
        disk = FaultyDisk(at, **fault)  # type: ignore[arg-type]  # the table above names its parameters
        try:
            scenario(make(disk=disk), acknowledged)
        except Killed:
            assert fault["code"] is None
        except LogError:
            assert fault["code"] is not None
        if not disk.struck:
            assert at > 4
            return
        before = verify(path)
        assert before.ok or before.torn, (before, disk.calls)
        heard = set(acknowledged[1:])
        assert heard <= {recorded.seq for recorded in make().history("ws")}, disk.calls
        unheard = {recorded.seq for recorded in make().history("ws")} - heard
        assert len(unheard) <= (fault["code"] is None), disk.calls
        after = make().append("ws", Created())
        assert verify(path).ok, disk.calls
        assert after.seq > max(acknowledged)
        assert heard <= {recorded.seq for recorded in make().history("ws")}
    pytest.fail("the fault never stopped striking")


def test_a_failed_sync_is_not_tried_again_by_the_same_process(path: Path, make: Make) -> None:
    class Dying(Disk):
        syncs = 0

        def sync(self, fd: int) -> None:
            self.syncs += 1
            raise OSError(errno.EIO, "Input/output error")

    make().append("ws", Created())
    before = path.read_bytes()
    disk = Dying()
    log = make(disk=disk)
    for _ in range(2):
        with pytest.raises(LogError, match=r"Input/output error.*Check the disk"):
            log.append("ws", Exited())
    assert disk.syncs == 1
    assert path.read_bytes() == before


def test_a_short_write_is_continued(path: Path, make: Make) -> None:
    class Small(Disk):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            return super().write(fd, data[:100])

    make(disk=Small()).append("ws", Exited(detail="y" * 500))
    assert verify(path).ok


@pytest.mark.parametrize("room", [0, 1, 200])
def test_a_limit_on_file_size_leaves_a_whole_log(path: Path, make: Make, room: int) -> None:
    make().append("ws", Created())
    size = path.stat().st_size
    writer = appender(path, "limited", "ws", 1, str(size + room))
    out, err = writer.communicate(timeout=30)
    assert writer.returncode == 85, err
    assert "File too large" in out
    assert path.stat().st_size == size
    assert verify(path).ok


def test_a_damaged_last_line_stops_every_append(path: Path, make: Make) -> None:
    log = make()
    log.append("ws", Created())
    log.append("ws", Exited(detail="one"))
    path.write_bytes(path.read_bytes().replace(b'"one"', b'"two"'))
    for _ in range(2):
        with pytest.raises(LogDamagedError, match=r"events\.jsonl, line 2: .*changed"):
            make().append("ws", Created())
    assert verify(path).line == 2


def test_a_clock_that_steps_back_changes_nothing_but_the_times(path: Path, make: Make) -> None:
    moments = iter([datetime(2026, 1, 2, tzinfo=UTC) - timedelta(hours=hour) for hour in range(3)])
    log = make(now=lambda: next(moments))
    for _ in range(3):
        log.append("ws", Created())
    assert verify(path).ok
    times = [recorded.time for recorded in log.history("ws")]
    assert times == sorted(times, reverse=True)
