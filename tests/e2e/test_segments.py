"""The user says how large the log's file may grow; what is in it then is one log all the same."""

from __future__ import annotations

from eventlog.files.segments import sealed
from tests.e2e.provider import Provider
from tests.eventlog.lives import live, quick


def test_the_users_size_of_a_segment(machine: Provider) -> None:
    live(quick(machine.log), 2_500)
    assert machine.log.stat().st_size > 1 << 20
    machine.ok("init")
    machine.ok("create", ACI_EVENT_LOG_SEGMENT="4096")
    assert sealed(machine.log) == []
    machine.ok("stop", ACI_EVENT_LOG_SEGMENT="1")
    assert len(sealed(machine.log)) == 1
    assert machine.status() == "Stopped"
    assert b": 2504 events, chain whole" in machine.ok("verify")
    answer = machine.call("start", ACI_EVENT_LOG_SEGMENT="small")
    assert answer.returncode == 64
    assert b"ACI_EVENT_LOG_SEGMENT" in answer.stderr
    assert b"a whole number from 1 to 4096" in answer.stderr
