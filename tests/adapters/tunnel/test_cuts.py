"""What Azure's line does to a session: idle and absolute limits, silence, drops in the middle of a frame."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import replace

import pytest

from adapters.tunnel import CommandSpec, ExecEndpoint, Tuning, run_command
from statemachine.errors import TunnelLostError
from statemachine.secret import Secret
from tests.waiting import PATIENCE, until

PATIENT = Tuning(ping=0.3, dead=300, resume=60, backoff_first=0.05)
BRISK = replace(PATIENT, dead=1.2)
"""For lines that die silently; on a busy machine this takes others for dead as well."""
# What each of ``tick``'s ten lines brings, a fifth of a second apart.
TICK = "for i in 0 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.2; done; cat; exit 4"
TICKED = b"".join(b"%d\n" % n for n in range(10))


class Line:
    """Commands over sessions with the given options; ``calls`` counts the exec calls."""

    def __init__(self, azure, captured):
        self.azure = azure
        self.captured = captured
        self.calls = 0
        self.events = []

    def options(self, **options):
        self.azure.emulator.control.exec_options(**options)

    def opener(self):
        self.calls += 1
        given = self.azure.ticket(self.azure.running_group)
        return ExecEndpoint(given.web_socket_uri, Secret(given.password))

    def __call__(self, command, data=b"", tuning=PATIENT):
        self.calls = 0
        self.events.clear()
        return self.captured(
            lambda i, o, e: run_command(
                CommandSpec(command), self.opener, stdin=i, stdout=o, stderr=e,
                ca_file=self.azure.emulator.ca_file, on_event=self.events.append, tuning=tuning,
            ), data,
        )  # fmt: skip


@pytest.fixture
def line(emulated, captured):
    control = emulated.emulator.control
    before = control.call("GET", "settings")["exec"]
    made = Line(emulated, captured)
    assert made("true").status == 0  # the helper is placed before anything is cut
    yield made
    control.change("exec", **before)


@pytest.mark.parametrize("mode", ["abort", "close", "silent"])
def test_an_absolute_limit_is_survived_again_and_again(line, mode):
    line.options(absolute_cut=1.5, cut_mode=mode)
    data = os.urandom(200_000)
    outcome = line(TICK, data, BRISK)
    assert (outcome.status, outcome.out) == (4, TICKED + data)
    assert line.calls >= 2


def test_keep_alive_stays_below_the_idle_limit(line):
    line.options(idle_cut=2.0)
    assert line("sleep 3; echo done").out == b"done\n"
    assert line.calls == 1, line.events


@pytest.mark.parametrize("mode", ["abort", "close"])
def test_an_idle_limit_that_strikes_is_survived(line, mode):
    line.options(idle_cut=1.2, cut_mode=mode)
    assert line("sleep 2; echo done; exit 5", tuning=replace(PATIENT, ping=60)).out == b"done\n"
    assert line.calls >= 2


def test_a_line_that_dies_without_a_word_is_found_dead(line):
    line.options(drop_after=150_000, drop_mode="silent", drop_silent=60, drop_count=_drops(line) + 1)
    data = os.urandom(600_000)
    began = time.monotonic()
    assert line("cat", data, replace(BRISK, dead=2)).out == data
    assert line.calls >= 2
    assert 2 <= time.monotonic() - began < 60, "before the line itself has an end"
    assert any("silent" in event for event in line.events)


def test_a_pause_shorter_than_the_limit_is_no_break(line):
    line.options(drop_after=150_000, drop_mode="stall", drop_silent=0.7, drop_count=_drops(line) + 2)
    data = os.urandom(600_000)
    assert line("cat", data).out == data
    assert line.calls == 1, line.events


@pytest.mark.parametrize("echo", [{"echo": "doubled"}, {"echo": "delayed", "echo_delay": 0.6}])
def test_echoes_are_no_data(line, echo):
    line.options(**echo)
    data = os.urandom(300_000)
    outcome = line("tee /dev/stderr; exit 3", data)
    assert (outcome.status, outcome.out, outcome.err) == (3, data, data)


def test_both_ends_give_up_when_nothing_comes_any_more(endpoint, captured, gone, tmp_path):
    server = endpoint()
    note = tmp_path / "pid"
    tuning = Tuning(ping=0.3, dead=1.0, resume=1.5, backoff_first=0.05)
    problems = []

    def run():
        spec = CommandSpec(f"echo $$ >{note}; sleep 300")
        with pytest.raises(TunnelLostError) as caught:
            captured(
                lambda i, o, e: run_command(
                    spec, server.opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file, tuning=tuning
                )
            )
        problems.append(caught.value)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: note.exists() and note.read_text().endswith("\n"))
    server.behaviour.close_with = 1011  # no other session is to be had
    server.behaviour.silent = True  # the sockets stay open, and nothing passes
    thread.join(PATIENCE)
    assert problems[0].exit_status == 95
    assert gone(int(note.read_text()))


def test_a_command_that_may_have_run_is_lost_also_where_the_ends_had_not_agreed_yet(endpoint, captured, tmp_path):
    """A short first command goes out before the container has answered: who hears nothing cannot say that none ran."""
    server = endpoint()
    note = tmp_path / "ran"
    introduced = []

    def nothing_after_the_introduction(piece):
        if introduced:
            return b""
        if b"probe-end" in piece:
            introduced.append(1)
            server.behaviour.close_with = 1011
        return piece

    server.behaviour.output = nothing_after_the_introduction
    tuning = replace(PATIENT, greeting=1, resume=1)
    with pytest.raises(TunnelLostError, match="1011"):
        captured(
            lambda i, o, e: run_command(
                CommandSpec(f"touch {note}"), server.opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file,
                tuning=tuning,
            )
        )  # fmt: skip
    until(note.exists)


def _drops(line):
    return line.azure.emulator.control.sessions()["drops"]


def _through(line, mebibytes, drops, minimum):
    """Both ways at once, exact although the line breaks in the middle of frames."""
    before = _drops(line)
    # What is broken off is sent again, and both directions count: a little less than an even share.
    line.options(drop_after=int(mebibytes * 1.6 * 2**20 / drops), drop_count=before + drops)
    block = os.urandom(1 << 20)
    data = b"".join(n.to_bytes(16, "big") + block[16:] for n in range(mebibytes))
    outcome = line("cat; exit 9", data, tuning=PATIENT)
    assert outcome.status == 9
    assert hashlib.sha256(outcome.out).digest() == hashlib.sha256(data).digest()
    assert minimum <= _drops(line) - before <= drops


def test_64_mebibytes_with_twenty_drops_in_the_middle_of_frames(line):
    _through(line, 64, 20, 18)


@pytest.mark.skipif(not os.environ.get("TUNNEL_SOAK"), reason="takes minutes; TUNNEL_SOAK=1 runs it")
@pytest.mark.timeout(1800)
def test_a_gibibyte_with_fifty_drops_in_the_middle_of_frames(line):
    _through(line, 1024, 50, 45)
