"""A computer that slept: its connections are likely gone, and nobody tells it so."""

from __future__ import annotations

import threading
import time

import pytest

from adapters.tunnel import CommandSpec, Tuning, run_command, session
from statemachine.errors import TunnelLostError
from tests.waiting import PATIENCE, until

PATIENT = Tuning(ping=60, dead=600, resume=60, backoff_first=0.05)


class Clock:
    """The time of day, which goes on while the computer sleeps; its other clock does not."""

    def __init__(self):
        self.slept = 0.0

    def __call__(self):
        return time.time() + self.slept


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(session, "time_of_day", made)
    return made


def run_in_thread(captured, server, command, tuning, events):
    results = []

    def run():
        try:
            results.append(
                captured(
                    lambda i, o, e: run_command(
                        CommandSpec(command), server.opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file,
                        tuning=tuning, on_event=events.append,
                    )
                )
            )  # fmt: skip
        except TunnelLostError as problem:
            results.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def test_after_a_sleep_the_session_goes_on_over_a_new_connection_at_once(endpoint, captured, clock, tmp_path):
    server, events, go = endpoint(), [], tmp_path / "go"
    command = f"echo before; until [ -e {go} ]; do sleep 0.05; done; echo after; exit 5"
    thread, results = run_in_thread(captured, server, command, PATIENT, events)
    until(lambda: server.live and any("ready" in event for event in events))
    time.sleep(0.3)
    server.behaviour.silent = True  # the connection of before the sleep is dead, and does not know it
    clock.slept += 3600
    until(lambda: any("slept" in event for event in events))
    server.behaviour.silent = False
    go.touch()
    thread.join(PATIENCE)
    assert [(result.status, result.out) for result in results] == [(5, b"before\nafter\n")]
    assert server.sessions == 2


@pytest.mark.parametrize("change", [-3600, 2])
def test_a_clock_that_is_set_is_no_sleep(endpoint, captured, clock, change):
    server, events = endpoint(), []
    thread, results = run_in_thread(captured, server, "sleep 1; echo done", PATIENT, events)
    until(lambda: any("ready" in event for event in events))
    time.sleep(0.2)
    clock.slept += change
    thread.join(PATIENCE)
    assert results[0].out == b"done\n"
    assert server.sessions == 1
