"""Each kind of channel that the emulator knows: judged before the first byte of a command, and carried over exactly."""

from __future__ import annotations

import os

import pytest

from adapters.tunnel import CommandSpec, ExecEndpoint, run_command
from statemachine.secret import Secret
from tools.bench_armour import AGREED, CHANNELS, CLEAN


@pytest.fixture
def run(emulated, captured):
    """Run a command; gives its outcome, how many exec calls it took and what the tunnel said."""
    control = emulated.emulator.control
    before = control.call("GET", "settings")["exec"]

    def run(command, data=b""):
        calls, events = [], []

        def opener():
            calls.append(1)
            given = emulated.ticket(emulated.running_group)
            return ExecEndpoint(given.web_socket_uri, Secret(given.password))

        outcome = captured(
            lambda i, o, e: run_command(
                CommandSpec(command), opener, stdin=i, stdout=o, stderr=e, ca_file=emulated.emulator.ca_file,
                on_event=events.append,
            ), data,
        )  # fmt: skip
        return outcome, len(calls), events

    run.options = lambda **options: control.change("exec", **options)
    run("true")  # places the helper
    yield run
    control.change("exec", **before)


@pytest.mark.parametrize("kind", CHANNELS)
def test_the_ends_agree_in_the_first_round_trip_on_the_cheapest_that_works(run, kind):
    channel = CHANNELS[kind]
    run.options(**channel.options)
    data = bytes(range(256)) * 8 + os.urandom(100_000) + b"}^~" * 500
    outcome, calls, events = run("tee /dev/stderr; exit 3", data)
    assert (outcome.status, outcome.out, outcome.err) == (3, data, data)
    assert calls == 1, events
    assert not [event for event in events if "broken" in event]
    found = AGREED.findall("\n".join(events))
    agreed = (found[0][0], found[0][1], int(found[0][2])) if found else CLEAN
    assert agreed == channel.agreed
