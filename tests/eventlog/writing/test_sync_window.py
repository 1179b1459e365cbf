"""Between the line and its sync others may write: who fails there, or dies, takes nothing of theirs with him."""

from __future__ import annotations

import errno
import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from eventlog.disk import Disk
from statemachine.errors import LogError
from statemachine.events import Created, Exited
from tests.eventlog.conftest import ACTOR
from tests.eventlog.faults import Killed
from tests.eventlog.lives import Quick, live, quick
from tests.waiting import PATIENCE

Make = Callable[..., EventLog]
IO_ERROR = OSError(errno.EIO, "Input/output error")


class Window(Quick):
    """Does something between a line and its sync, and then fails, dies or goes on."""

    def __init__(self, meanwhile: Callable[[], object], outcome: BaseException | None = None) -> None:
        self.meanwhile = meanwhile
        self.outcome = outcome
        self.anew: list[tuple[int, int]] = []
        self.entered = False

    def sync(self, fd: int) -> None:
        super().sync(fd)
        if not self.entered:
            self.entered = True
            self.meanwhile()
            if self.outcome is not None:
                raise self.outcome

    def write_anew(self, fd: int, start: int, end: int) -> None:
        self.anew.append((start, end))
        super().write_anew(fd, start, end)


@pytest.fixture
def begun(path: Path) -> Path:
    live(quick(path), 3)
    return path


def details(path: Path) -> list[str]:
    verdict = verify(path)
    assert verdict.ok, verdict
    return [one.event.detail for one in quick(path).history("ws") if isinstance(one.event, Exited)]


def test_others_write_while_one_syncs(begun: Path, make: Make) -> None:
    other = quick(begun)
    log = make(disk=Window(lambda: [other.append("ws", Exited(detail="theirs")) for _ in range(3)]))
    assert log.append("ws", Exited(detail="ours")).seq == 4
    assert details(begun) == ["ours", "theirs", "theirs", "theirs"]
    assert log.append("ws", Exited(detail="more")).seq == 8


@pytest.mark.parametrize("outcome", [IO_ERROR, KeyboardInterrupt(), Killed()], ids=["eio", "interrupt", "kill"])
def test_what_others_wrote_behind_a_line_that_fails_stays_and_so_does_the_line(
    begun: Path, make: Make, outcome: BaseException
) -> None:
    before = begun.stat().st_size
    disk = Window(lambda: quick(begun).append("ws", Exited(detail="theirs")), outcome)
    log = make(disk=disk)
    with pytest.raises(LogError if outcome is IO_ERROR else type(outcome)):
        log.append("ws", Exited(detail="ours"))
    assert details(begun) == ["ours", "theirs"]
    # Only after a failed sync the system may have forgotten what it was to write.
    assert disk.anew == ([(before, begun.stat().st_size)] if outcome is IO_ERROR else [])
    if outcome is IO_ERROR:
        assert disk.syncs == 2
        with pytest.raises(LogError, match="nothing more is written to it by this process"):
            log.append("ws", Exited())
    assert quick(begun).append("ws", Created()).seq == 6
    assert details(begun) == ["ours", "theirs"]


def test_an_interrupted_sync_takes_the_line_back_if_it_is_the_last(begun: Path, make: Make) -> None:
    before = begun.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        make(disk=Window(lambda: None, KeyboardInterrupt())).append("ws", Exited())
    assert begun.read_bytes() == before


def test_two_that_fail_take_back_what_nobody_was_told_of(begun: Path, make: Make) -> None:
    before = begun.read_bytes()

    def fail_behind() -> None:
        with pytest.raises(LogError):
            make(disk=Window(lambda: None, IO_ERROR)).append("ws", Exited(detail="later"))

    first = Window(fail_behind, IO_ERROR)
    with pytest.raises(LogError):
        make(disk=first).append("ws", Exited(detail="first"))
    assert begun.read_bytes() == before
    assert first.anew == []


def test_the_first_of_two_fails_first(begun: Path, make: Make) -> None:
    written, done = threading.Event(), threading.Event()
    first = Window(lambda: written.wait(PATIENCE), IO_ERROR)
    failed: list[Exception] = []

    def append_first() -> None:
        try:
            make(disk=first).append("ws", Exited(detail="first"))
        except LogError as error:
            failed.append(error)
        done.set()

    def let_the_first_fail() -> None:
        written.set()
        assert done.wait(PATIENCE)

    thread = threading.Thread(target=append_first)
    thread.start()
    while not first.entered:
        time.sleep(0.001)
    with pytest.raises(LogError):
        make(disk=Window(let_the_first_fail, IO_ERROR)).append("ws", Exited(detail="second"))
    thread.join()
    assert len(failed) == len(first.anew) == 1
    assert details(begun) == ["first"]


def test_a_line_that_is_taken_back_is_remembered_by_nobody(begun: Path, make: Make) -> None:
    """Another line of the same length takes its place, so that only the hash tells them apart."""
    other = make(disk=Quick())

    with pytest.raises(LogError):
        make(disk=Window(other.ensure_writable, IO_ERROR)).append("ws", Exited(detail="one"))
    quick(begun).append("ws", Exited(detail="two"))
    assert other.append("ws", Exited(detail="six")).seq == 5
    assert details(begun) == ["two", "six"]


def test_a_segment_is_sealed_only_when_all_of_it_is_on_the_disk(path: Path, make: Make) -> None:
    live(quick(path), 20)
    order: list[str] = []

    class Ordered(Disk):
        def sync(self, fd: int) -> None:
            order.append("sync")

        def rename(self, source: Path, target: Path) -> None:
            order.append(f"rename {source.suffix}")
            super().rename(source, target)

    make(disk=Ordered(), segment=1_000).append("ws", Exited())
    assert order[:2] == ["sync", "rename .jsonl"]


class Power(Disk):
    """A disk that keeps, when the power is cut, what was synced and nothing else; renames and removals are safe."""

    def __init__(self) -> None:
        self.mutex = threading.RLock()
        self.durable: dict[int, int] = {}
        self.chance = random.Random(4)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        with self.mutex:
            return super().write(fd, data)

    def sync(self, fd: int) -> None:
        with self.mutex:
            status = os.fstat(fd)
            nap = self.chance.choice((0.0, 0.001, 0.004))
        time.sleep(nap)
        with self.mutex:
            self.durable[status.st_ino] = max(self.durable.get(status.st_ino, 0), status.st_size)

    def sync_folder(self, path: Path) -> None:
        pass

    def rename(self, source: Path, target: Path) -> None:
        with self.mutex:
            super().rename(source, target)

    def unlink(self, path: Path) -> None:
        with self.mutex:
            super().unlink(path)

    def cut(self, folder: Path, to: Path) -> None:
        """What would be there after the power was cut now."""
        with self.mutex:
            # Caches come and go without this disk, so what is not there any more is not copied.
            for file in folder.rglob("*"):
                with suppress(FileNotFoundError, IsADirectoryError):
                    kept = self.durable.get(file.stat().st_ino, 0)
                    data = file.read_bytes()[:kept]
                    copy = to / file.relative_to(folder)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(data)


@pytest.mark.parametrize("segment", [1 << 30, 6_000])
def test_what_was_acknowledged_survives_a_power_cut_at_any_moment(path: Path, tmp_path: Path, segment: int) -> None:
    disk = Power()
    acknowledged: list[int] = []
    stop = threading.Event()

    def write(number: int) -> None:
        log = EventLog(path, actor=lambda: ACTOR, correlation=str(number), disk=disk, segment=segment)
        while not stop.is_set():
            acknowledged.append(log.append(f"ws-{number}", Exited(detail="x" * number * 40)).seq)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for writer in writers:
        writer.start()
    cuts = []
    try:
        number = 0
        while number < 15 or len(acknowledged) <= 100:
            number += 1
            time.sleep(0.02)
            cuts.append((list(acknowledged), tmp_path / f"cut-{number}"))
            disk.cut(path.parent, cuts[-1][1])
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    for heard, folder in cuts:
        left = folder / path.name
        found = verify(left)
        assert found.ok or found.torn, found
        assert set(heard) <= {record.seq for record in quick(left).records()}
        assert quick(left).append("ws", Created()).seq > max(heard, default=0)
        assert verify(left).ok
