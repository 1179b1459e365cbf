"""Whatever is killed, and whatever a disk refuses, while events are archived or expire: the log stays whole."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from eventlog.files.segments import folder, parts
from eventlog.sealing.checkpoint import Trust, trust_in
from eventlog.sealing.seal import public_key
from eventlog.verify import verify_signed
from statemachine.errors import BusyError, LogError
from statemachine.events import CommandClosed
from tests.eventlog.conftest import ACTOR
from tests.eventlog.faults import Killed, RollingDisk
from tests.eventlog.lives import quick
from tests.eventlog.old import archives, at, expires, lasting, old

SLOW = bool(os.environ.get("ACI_SLOW_TESTS"))
FAULTS = [(None, False), (errno.EIO, False), *([(None, True), (errno.ENOSPC, False)] if SLOW else [])]


class Scene:
    """A log to begin with, and what is done to it again and again."""

    def __init__(self, path: Path, origin: Path) -> None:
        self.path = path
        self.origin = origin
        self.states = lasting(quick(origin).states())
        self.seqs = {record.seq for record in quick(origin).records()}
        self.last = max(self.seqs)
        self.trust: list[Trust] = [trust_in(public_key(origin))]

    def begin(self) -> None:
        for place in (self.path.parent, self.path.parent.parent / "archive"):
            shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.origin.parent, self.path.parent)

    def is_whole(self) -> int:
        """Check everything that must hold at every moment; up to where events expired."""
        verdict = verify_signed(self.path, self.trust)
        assert verdict.ok or verdict.torn, verdict
        log = quick(self.path)
        assert lasting(log.states()) == self.states
        for subject, workspace in self.states.items():
            assert quick(self.path).recall(subject) == workspace
        seen = {record.seq for record in log.records() if record.seq <= self.last}
        assert self.seqs - seen <= set(range(1, verdict.expired + 1))
        return verdict.expired


@pytest.fixture
def scene(path: Path, tmp_path: Path) -> Scene:
    """A log that was sealed, from which something expired before, with segments, and with a line that was set aside."""
    origin = tmp_path / "origin" / path.name
    log = old(origin, 60, segment=12_000, subjects=3)
    public_key(origin)
    expires(log, at(25))
    with origin.open("ab") as file:
        file.write(b'{"specversion":"1.0","id":"half')
    # Later than that, so that the file is cut in its middle.
    clock = [at(70 + hour) for hour in range(60)]
    log = EventLog(origin, actor=lambda: ACTOR, correlation="c", now=lambda: clock.pop(0))
    for number in range(12):
        log.append(f"ws-{number % 3}", CommandClosed(command="none"))
    return Scene(path, origin)


def strikes(scene: Scene, code: int | None, after: bool, act: Callable[[EventLog, RollingDisk], object]) -> int:
    """Do something again and again, each time with the next call failing; how many there are."""
    for number in range(1, 150):
        scene.begin()
        disk = RollingDisk(number, code, after=after)
        log = EventLog(scene.path, actor=lambda: ACTOR, correlation="d", disk=disk)
        with suppress(Killed, LogError, BusyError):
            act(log, disk)
        log.close()
        try:
            scene.is_whole()
            # The next call does what is left to do, and leaves nothing behind.
            act(quick(scene.path), RollingDisk(1 << 30))
            scene.is_whole()
            assert verify(scene.path).warnings == ()
            found = parts(scene.path)
            assert found.leftover == []
            # Drafts of compressed segments are swept by a later roll, as ever.
            left = {file.suffix for file in folder(scene.path).iterdir() if not file.name.startswith(".draft-")}
            assert left <= {".zst", ".kept"}
            assert not list(scene.path.parent.glob(".draft-*"))
            assert quick(scene.path).append("ws-1", CommandClosed(command="x")).seq > scene.last
            assert verify(scene.path).ok
        except BaseException as error:
            error.add_note(f"struck at call {number}: {disk.calls}")
            raise
        if not disk.struck:
            return len(disk.calls)
    pytest.fail("the fault never stopped striking")


@pytest.mark.parametrize(("code", "after"), FAULTS)
@pytest.mark.parametrize("hour", [50, 75] if SLOW else [75])
def test_a_fault_at_every_call_of_an_expiry(scene: Scene, code: int | None, after: bool, hour: int) -> None:
    def act(log: EventLog, disk: RollingDisk) -> None:
        expires(log, at(hour), disk=disk)

    assert strikes(scene, code, after, act) > 20
    assert verify(scene.path).expired >= 40
    assert bool(list(scene.path.parent.glob("*.torn-*"))) == (hour == 50)


@pytest.mark.parametrize(("code", "after"), FAULTS)
def test_a_fault_at_every_call_of_an_archiving(scene: Scene, code: int | None, after: bool, tmp_path: Path) -> None:
    target = tmp_path / "archive"

    def act(log: EventLog, disk: RollingDisk) -> None:
        archives(log, target, before=at(75), disk=disk)

    assert strikes(scene, code, after, act) > 20
    assert verify(scene.path, archive=target).ok
    here = {file.name for file in folder(scene.path).iterdir() if file.suffix == ".zst"}
    assert {file.name for file in target.iterdir()} == here
    before = datetime.max.replace(tzinfo=at(0).tzinfo)
    assert expires(quick(scene.path), before, only=True).segments
