"""Nobody else can read the log, and no secret can get in."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventlog import Actor, EventLog, blobs, verify
from eventlog.writing.turn import LEASE
from statemachine.events import Created, Exited, Failure, Owner, Receipt, StartFailed, StopRequested
from statemachine.secret import Secret


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_private_whatever_the_umask(tmp_path: Path, umask: None) -> None:
    path = tmp_path / "a" / "b" / "events.jsonl"
    log = EventLog(path, actor=lambda: Actor("ada", "laptop"), correlation="")
    log.append("ws", Created())
    digest = blobs.put(path, "labels", b"{}")
    assert mode(path) == 0o600
    folder = path.with_name("events.jsonl.d")
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b"), mode(folder), mode(folder / "labels")] == [0o700] * 4
    assert mode(folder / "labels" / digest) == 0o600


@pytest.mark.parametrize("loose", [0o644, 0o660, 0o606, 0o400])
def test_a_looser_mode_is_warned_of_by_verify_and_taken_back_by_append(log: EventLog, path: Path, loose: int) -> None:
    log.append("ws", Created())
    path.chmod(loose)
    assert bool(verify(path).warnings) == bool(loose & 0o077)
    if os.geteuid() == 0 or loose != 0o400:
        time.sleep(LEASE)
        log.append("ws", Created())
        assert mode(path) == 0o600
        assert verify(path).warnings == ()


def test_rights_that_only_the_owner_can_take_back_are_warned_of(
    log: EventLog, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(fd: int, mode: int) -> None:
        raise PermissionError

    log.append("ws", Created())
    path.chmod(0o664)
    monkeypatch.setattr(os, "fchmod", refuse)
    time.sleep(LEASE)
    log.append("ws", Created())
    assert "only its owner can change that" in caplog.text


@pytest.mark.parametrize(
    "event",
    [
        Exited(detail=Secret("hunter2")),  # type: ignore[arg-type]  # the mistake under test
        StartFailed(failure=Failure("E", Secret("hunter2"))),  # type: ignore[arg-type]  # the mistake under test
        StopRequested(owner=Owner("laptop", object())),  # type: ignore[arg-type]  # the mistake under test
        Created(receipt=Receipt(http_status="200")),  # type: ignore[arg-type]  # the mistake under test
        Exited(detail="\ud800"),
    ],
    ids=["secret", "nested secret", "object", "wrong type", "not Unicode"],
)
def test_what_has_no_place_in_the_log_is_refused(log: EventLog, path: Path, event: Exited) -> None:
    log.append("ws", Created())
    before = path.read_bytes()
    with pytest.raises(TypeError, match="event log"):
        log.append("ws", event)
    assert path.read_bytes() == before


def test_an_actor_cannot_smuggle_one_in_either(make: Callable[..., EventLog]) -> None:
    log = make(actor=lambda: Actor("ada", "laptop", Secret("hunter2")))  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(TypeError, match="a Secret cannot be written"):
        log.append("ws", Created())
