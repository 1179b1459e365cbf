"""A container that has restarted behind an idle session: what was never sent to the old one runs in the new one."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, ExecEndpoint, Tuning, run_command
from adapters.tunnel.holder import call, protocol
from adapters.tunnel.packets.messages import encode_open
from emulator.testing import running_emulator
from statemachine.errors import AzureError, RefusedError, TunnelLostError
from statemachine.secret import Secret
from tests.emulator.clients import Azure
from tests.waiting import PATIENCE, until

BRISK = {"resume": 60, "backoff_first": 0.05, "backoff_most": 0.2}


def helpers_of(server):
    """The helper's processes in an endpoint's own folder."""
    folder = server.behaviour.env["TMPDIR"]
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str((entry / "exe").readlink()).startswith(folder):
                found.append(int(entry.name))
    return found


def restart(server):
    """What a restart does to an exec session: its processes are gone and its socket is closed."""
    for pid in helpers_of(server):
        os.kill(pid, signal.SIGKILL)
    server.drop_all()


class Running:
    """A command in a thread, with its outcome or its error."""

    def __init__(self, run):
        self.outcome = self.problem = None
        self.thread = threading.Thread(target=self._run, args=(run,))
        self.thread.start()

    def _run(self, run):
        try:
            self.outcome = run()
        except Exception as problem:
            self.problem = problem

    def join(self):
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self


def test_a_command_that_was_never_sent_runs_in_the_new_container(held):
    holder = held(tuning=BRISK)
    holder("true")
    holder.server.behaviour.close_with = 1011  # no session can be opened while the container is away
    restart(holder.server)
    waiting = [Running(lambda n=n: holder("cat; exit 7", b"%d" % n)) for n in range(3)]
    time.sleep(0.6)
    holder.server.behaviour.close_with = None
    results = [one.join().outcome for one in waiting]
    assert [(result.status, result.out) for result in results] == [(7, b"0"), (7, b"1"), (7, b"2")]
    assert len(holder.started) == 1
    assert holder("echo later").out == b"later\n"


def test_a_command_that_comes_to_a_holder_whose_session_was_just_lost_is_given_to_the_next(held):
    holder = held(tuning=BRISK)
    assert holder("echo old").out == b"old\n"
    sock, _ = protocol.meet(holder.path, 5)
    with sock:
        restart(holder.server)
        until(lambda: not holder.path.exists())
        with Path(os.devnull).open("r+b") as null:
            fds = (null.fileno(),) * 3
            order = encode_open(CommandSpec("echo never"))
            assert call._Request(sock, print).run(order, fds, terminal=False) is None
    assert holder("echo new").out == b"new\n"


def test_a_command_that_ran_in_the_old_container_is_lost_and_those_that_wait_are_not(held, tmp_path):
    holder = held(tuning=BRISK)
    note = tmp_path / "began"
    old = Running(lambda: holder(f"echo x >>{note}; sleep 60"))
    until(note.exists)
    holder.server.behaviour.close_with = 1011
    restart(holder.server)
    new = Running(lambda: holder("echo new"))
    time.sleep(0.5)
    holder.server.behaviour.close_with = None
    assert isinstance(old.join().problem, TunnelLostError)
    assert new.join().outcome.out == b"new\n"
    assert note.read_text() == "x\n", "what may have run is not run again"


def test_a_first_command_does_not_run_again_in_a_container_that_restarted_before_it_answered(
    endpoint, captured, tmp_path
):
    """A short first command goes out before the container has answered, and nobody heard the answer."""
    server, note, held_up = endpoint(), tmp_path / "ran", []

    def no_answer(piece):
        if held_up and server.sessions == 1:
            return b""
        if b"probe-end" in piece:
            held_up.append(1)
        return piece

    def break_it():
        until(note.exists)
        restart(server)

    server.behaviour.output = no_answer
    breaking = threading.Thread(target=break_it)
    breaking.start()
    with pytest.raises(TunnelLostError, match="restarted before it answered"):
        captured(
            lambda i, o, e: run_command(
                CommandSpec(f"echo x >>{note}; sleep 60"), server.opener, stdin=i, stdout=o, stderr=e,
                ca_file=server.ca_file, tuning=Tuning(**BRISK),
            )
        )  # fmt: skip
    breaking.join()
    assert note.read_text() == "x\n"


def test_one_that_was_never_sent_is_told_what_azure_said(endpoint, captured):
    server = endpoint()
    calls = []

    def opener():
        calls.append(1)
        if len(calls) == 1:
            return ExecEndpoint(server.opener().uri, Secret("a password that is not right"))
        raise RefusedError("the container does not run any more", remedy="Start it.")

    with pytest.raises(RefusedError, match="does not run any more"):
        captured(
            lambda i, o, e: run_command(
                CommandSpec("true"), opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file, tuning=Tuning()
            )
        )
    assert len(calls) == 2, "a refusal that stands is told at once"


@pytest.fixture(scope="module")
def crowded():
    """A container that takes one session at a time, and no helper in it yet."""
    with running_emulator("instant", exec={"cap": 1, "credential_lifetime": 3}) as emulator:
        azure = Azure(emulator)
        yield azure
        azure.close()


class Crowd:
    """Commands in a container of their own."""

    def __init__(self, azure, captured):
        self.azure = azure
        self.captured = captured
        self.group = azure.group()
        self.refused = 0
        self.events = []

    def opener(self):
        from azure.core.exceptions import HttpResponseError

        try:
            given = self.azure.ticket(self.group)
        except HttpResponseError as refusal:
            self.refused += 1
            raise AzureError("Azure did not open an exec session", http_status=refusal.status_code) from refusal
        return ExecEndpoint(given.web_socket_uri, Secret(given.password))

    def __call__(self, command, data=b"", *, stdin=None, **tuning):
        return self.captured(
            lambda i, o, e: run_command(
                CommandSpec(command), self.opener, stdin=i if stdin is None else stdin, stdout=o, stderr=e,
                ca_file=self.azure.emulator.ca_file, on_event=self.events.append,
                tuning=Tuning(**{**BRISK, **tuning}),
            ), data,
        )  # fmt: skip

    @contextlib.contextmanager
    def occupied(self):
        """While a command has the only session; what the block is given ends it."""
        stdin, feed = os.pipe()
        first = Running(lambda: self("read line; echo $line", stdin=stdin))
        until(lambda: self.azure.emulator.control.sessions()["open"])

        def leave():
            with contextlib.suppress(OSError):
                os.write(feed, b"first\n")

        try:
            yield leave
        finally:
            leave()
            assert first.join().outcome.out == b"first\n"
            os.close(feed)
            os.close(stdin)


@pytest.fixture
def crowd(crowded, captured):
    control = crowded.emulator.control
    before = control.call("GET", "settings")["exec"]
    yield Crowd(crowded, captured)
    control.change("exec", **before)


def test_a_first_dial_that_breaks_again_and_again_is_dialled_again(crowd):
    control = crowd.azure.emulator.control
    control.exec_options(drop_after=50_000, drop_count=control.sessions()["drops"] + 5)
    assert crowd("echo hi; exit 3").out == b"hi\n"


def test_a_running_command_waits_for_its_broken_session_too(crowd):
    control = crowd.azure.emulator.control
    assert crowd("true").status == 0
    drops = control.sessions()["drops"]
    control.exec_options(drop_after=150_000, drop_count=drops + 1, drop_mode="silent", drop_silent=3)
    data = os.urandom(600_000)
    assert crowd("cat", data, dead=0.8, ping=0.2).out == data
    assert crowd.refused


def test_who_is_one_too_many_waits_until_there_is_room(crowd):
    with crowd.occupied() as leave:
        second = Running(lambda: crowd("echo second"))
        until(lambda: crowd.refused)
        leave()
        assert second.join().outcome.out == b"second\n"


def test_who_is_one_too_many_is_told_so_in_the_end(crowd):
    with crowd.occupied(), pytest.raises(AzureError, match="409"):
        crowd("echo never", resume=0.7)
    assert crowd.refused > 1
