"""A holder's place: files that cleaners remove, programs of another build, holders that do not answer, strangers."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, ask_holder, run_through_holder, stop_holder
from adapters.tunnel.holder import call, protocol
from adapters.tunnel.holder.listener import HolderSocket
from adapters.tunnel.loop import Loop
from statemachine.errors import AuthenticationError, OptionError, TunnelError, TunnelLostError
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[4]


class Running:
    """A command in a thread; ``result`` is its outcome or its error. ``note`` tells that it has begun."""

    def __init__(self, holder, note, command=""):
        self.result = None
        self.note = note
        self.go = note.with_name("go")
        command = command or f"touch {note}; until [ -e {self.go} ]; do sleep 0.1; done; echo mine; exit 4"
        self.thread = threading.Thread(target=self._run, args=(holder, command))
        self.thread.start()
        until(note.exists)

    def _run(self, holder, command):
        try:
            self.result = holder(command)
        except Exception as problem:
            self.result = problem

    def join(self):
        self.go.touch()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self.result


def test_a_holder_whose_socket_was_removed_listens_again(held):
    holder = held()
    holder("true")
    holder.path.unlink()
    assert holder("echo found").out == b"found\n"
    assert holder.server.sessions == 1


def test_a_socket_that_cannot_be_made_is_tried_again_and_ends_nothing(held, tmp_path):
    holder = held()
    running = Running(holder, tmp_path / "began")
    holder.path.unlink()
    holder.path.mkdir()
    until(
        lambda: "cannot be made" in holder.path.with_suffix(".log").read_text() or holder.started[0].poll() is not None
    )
    holder.path.rmdir()
    result = running.join()
    assert (result.status, result.out) == (4, b"mine\n")
    until(holder.path.exists)
    assert holder("echo found").out == b"found\n"
    assert holder.server.sessions == 1


def test_a_question_takes_no_descriptor_that_is_not_there(held, tmp_path, monkeypatch):
    monkeypatch.setenv("DPACI_TEST_FILES", "40")
    holder = held()
    running = Running(holder, tmp_path / "began")
    opened = Path(f"/proc/{holder.started[0].pid}/fd")
    with contextlib.ExitStack() as idle:
        while len(list(opened.iterdir())) < 39:
            sock, _ = protocol.meet(holder.path, PATIENCE)  # its greeting says that it was accepted
            idle.enter_context(sock)
        assert ask_holder(holder.path, {"n": 4}, PATIENCE) == {"twice": 8}
        result = running.join()
    assert (result.status, result.out) == (4, b"mine\n")


def test_a_holder_whose_files_were_removed_makes_room_when_its_commands_have_ended(held, tmp_path):
    holder = held()
    running = Running(holder, tmp_path / "began")
    for path in holder.path.parent.glob("holder.*"):
        path.unlink()
    assert holder("echo other").out == b"other\n"
    assert holder.server.sessions == 2
    result = running.join()
    assert (result.status, result.out) == (4, b"mine\n"), "the new holder is no heir of one that lives"
    assert holder.started[0].wait(PATIENCE) == 0
    assert holder("echo still").out == b"still\n"
    assert holder.server.sessions == 2


def test_a_holder_of_another_build_is_replaced_and_ends_what_it_has_begun(held, tmp_path, monkeypatch):
    holder = held()
    running = Running(holder, tmp_path / "began")
    # The program at this end is another one from now on; the holders it starts are as well.
    monkeypatch.setattr(protocol, "build", lambda: "0" * 32)
    monkeypatch.setenv("DPACI_TEST_BUILD", "0" * 32)
    assert holder("echo new").out == b"new\n"
    assert len(holder.started) == 2
    assert holder.server.sessions == 2
    result = running.join()
    assert (result.status, result.out) == (4, b"mine\n")
    assert holder.started[0].wait(PATIENCE) == 0
    assert holder("echo newer").out == b"newer\n"
    assert holder.server.sessions == 2


def test_an_idle_holder_of_another_build_goes_at_once(held, monkeypatch):
    holder = held()
    holder("true")
    monkeypatch.setattr(protocol, "build", lambda: "0" * 32)
    assert ask_holder(holder.path, {}, PATIENCE) is None, "another build is not talked to"
    assert holder.started[0].poll() is None
    monkeypatch.setenv("DPACI_TEST_BUILD", "0" * 32)
    assert holder("echo new").out == b"new\n"
    assert holder.started[0].wait(PATIENCE) == 0


def test_the_build_changes_with_the_program(tmp_path, monkeypatch):
    files = [tmp_path / "adapters/tunnel/holder/protocol.py", tmp_path / "adapters/cli/polls.py"]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text("x = 1\n")
    monkeypatch.setattr(protocol, "__file__", str(files[0]))
    builds = {protocol.build()}
    files[1].write_text("x = 12\n")
    builds.add(protocol.build())
    os.utime(files[0], (1, 1))
    builds.add(protocol.build())
    assert len(builds) == 3


def test_the_build_is_of_every_folder_of_the_tunnel():
    folders = {file.parent.relative_to(ROOT).as_posix() for file in (ROOT / "adapters" / "tunnel").rglob("*.py")}
    assert folders - set(protocol.PROGRAM) == {"adapters/tunnel/helper"}, "what compiles it is no part of it"
    assert all((ROOT / folder).is_dir() for folder in protocol.PROGRAM)


def test_one_that_listens_and_says_nothing_is_named(short_folder, monkeypatch):
    monkeypatch.setattr(protocol, "GREETING_SECONDS", 0.3)
    path = short_folder / "mute.sock"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        with pytest.raises(TunnelError, match=rf"mute\.sock does not answer\. End process {os.getpid()}\."):
            run_through_holder(CommandSpec("true"), path, spawn=lambda: None, stdin=0, stdout=1, stderr=2)
        assert ask_holder(path, {}, 0.3) is None


def test_one_that_takes_no_connection_any_more_is_named_too(short_folder, monkeypatch):
    monkeypatch.setattr(protocol, "GREETING_SECONDS", 0.3)
    path = short_folder / "stopped.sock"
    with socket.socket(socket.AF_UNIX) as stopped, contextlib.ExitStack() as earlier:
        stopped.bind(str(path))
        stopped.listen(1)
        with contextlib.suppress(BlockingIOError):
            while True:
                one = earlier.enter_context(socket.socket(socket.AF_UNIX))
                one.settimeout(0)
                one.connect(str(path))
        with pytest.raises(TunnelError, match=r"stopped\.sock does not answer"):
            run_through_holder(CommandSpec("true"), path, spawn=lambda: None, stdin=0, stdout=1, stderr=2)
        assert ask_holder(path, {}, 0.3) is None
        assert not stop_holder(path)


@pytest.mark.parametrize("said", [b"", b"\n", b"{}\n", b"[]\n", b'{"holder": 3}\n', b"\xff" * 5000, b"null\n"])
def test_what_is_no_holder_is_not_asked(short_folder, said):
    path = short_folder / "other.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        def serve():
            sock, _ = other.accept()
            with sock:
                sock.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        assert ask_holder(path, {}, PATIENCE) is None
        thread.join()


def test_a_command_whose_holder_dies_before_it_was_sent_is_given_to_the_next(held):
    holder = held(tuning={"resume": 60, "backoff_first": 0.05, "backoff_most": 0.2})
    holder("true")
    holder.server.behaviour.close_with = 1011  # nothing can be sent at the moment
    holder.server.drop_all()
    results = []
    thread = threading.Thread(target=lambda: results.append(holder("echo once; exit 6")))
    thread.start()
    time.sleep(0.5)
    os.kill(holder.started[0].pid, signal.SIGSTOP)  # that it does not send it at the last moment
    holder.server.behaviour.close_with = None
    os.kill(holder.started[0].pid, signal.SIGKILL)
    thread.join(PATIENCE)
    assert [(result.status, result.out) for result in results] == [(6, b"once\n")]
    assert len(holder.started) == 2


def test_a_command_that_streams_when_its_holder_dies_ends_at_once_and_did_not_run_twice(held, gone, tmp_path):
    holder = held()
    note = tmp_path / "runs"
    running = Running(holder, note, f"echo $$ >>{note}; cat /dev/zero")
    until(lambda: note.read_text().endswith("\n"))
    os.kill(holder.started[0].pid, signal.SIGKILL)
    assert isinstance(running.join(), TunnelLostError)
    assert holder("echo new").out == b"new\n"
    assert gone(int(note.read_text())), "one process, and the new holder has ended it"


def test_what_a_holder_said_before_it_closed_is_heard_by_who_was_still_asking():
    ours, theirs = socket.socketpair()
    theirs.sendall(protocol.line({"error": protocol.describe(TunnelError("no room"))}))
    theirs.close()
    with ours, Path(os.devnull).open("r+b") as null:
        result = call._Request(ours, print).run(b"order", (null.fileno(),) * 3, terminal=False)
    assert isinstance(result, TunnelError)
    assert result.message == "no room"


def test_nothing_leaves_before_the_client_was_told(monkeypatch):
    """What a holder relies on: a channel keeps what it is given until it is flushed."""
    from adapters.tunnel.channel.websocket import Channel
    from adapters.tunnel.channel.wire import Wire

    ours, theirs = socket.socketpair()
    channel = Channel(Wire(ours))
    theirs.settimeout(0.05)
    channel.send(b"order", 100)
    with pytest.raises(TimeoutError):
        theirs.recv(100)
    channel.flush()
    assert theirs.recv(100)
    ours.close()
    theirs.close()


def started(path, spawn):
    """Run a command over a holder that ``spawn`` starts, waiting for it five seconds."""
    return run_through_holder(CommandSpec("true"), path, spawn=spawn, stdin=0, stdout=1, stderr=2, start_seconds=5)


def test_a_holder_that_left_its_place_to_one_that_died_is_started_again(short_folder):
    path = short_folder / "a.sock"
    spawned = []

    def spawn():
        spawned.append(1)
        if len(spawned) == 3:
            raise KeyboardInterrupt
        return lambda: ""

    with pytest.raises(KeyboardInterrupt):
        started(path, spawn)


def test_a_computer_that_stood_still_has_not_waited_for_its_holder(short_folder, monkeypatch):
    moments = itertools.count(step=40)
    monkeypatch.setattr(call.time, "monotonic", lambda: float(next(moments)))
    looks = []
    monkeypatch.setattr(call.protocol, "meet", lambda *_: looks.append(1))
    with pytest.raises(TunnelError, match="did not start in 5 s"):
        started(short_folder / "a.sock", lambda: lambda: None)
    assert len(looks) == 5


@pytest.mark.parametrize(
    "problem",
    [
        AuthenticationError("no", code="AADSTS7000215", http_status=401, request_id="r", azure_message="bad secret"),
        OptionError("AZURE_REGION", "is missing"),
        TunnelError("lost", remedy=""),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_an_error_is_the_same_in_another_process(problem):
    told = protocol.revive(json.loads(json.dumps(protocol.describe(problem))))
    assert (type(told), vars(told), str(told)) == (type(problem), vars(problem), str(problem))


STRANGER = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
sock.settimeout(5)
sys.stdout.buffer.write(b"<" + sock.recv(100) + b">")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_gets_not_a_word(held):
    holder = held()
    holder("true")
    for path in (holder.path.parent.parent, holder.path.parent, holder.path):
        path.chmod(0o777)  # as if somebody had opened the way
    answer = subprocess.run(
        [sys.executable, "-c", STRANGER, str(holder.path)], capture_output=True, check=False, cwd="/"
    )
    assert answer.stdout == b"<>", answer.stderr
    assert holder("echo mine").out == b"mine\n"


def test_a_listener_that_begins_again_is_found_again(short_folder):
    loop = Loop()
    path = short_folder / "a.sock"
    listener = HolderSocket(path, loop, lambda sock: sock.close())
    assert listener.reachable()
    path.unlink()
    assert not listener.reachable()
    path.write_text("a stranger's")
    assert not listener.reachable()
    listener.listen()
    assert listener.reachable()
    assert path.is_socket()
    listener.close(remove=True)
    assert not path.exists()
    loop.close()


def test_questions_are_answered_and_keep_nobody(held, tmp_path):
    holder = held(idle_seconds=0.7)
    running = Running(holder, tmp_path / "began")
    assert ask_holder(holder.path, {"n": 4}, PATIENCE) == {"twice": 8}
    assert ask_holder(holder.path, {"n": "no number"}, PATIENCE) is None
    running.join()

    def left_though_asked():
        ask_holder(holder.path, {"n": 1}, PATIENCE)
        return holder.started[0].poll() is not None

    until(left_though_asked)
    assert ask_holder(holder.path, {"n": 4}, PATIENCE) is None
    assert Path(holder.path).exists() is False
