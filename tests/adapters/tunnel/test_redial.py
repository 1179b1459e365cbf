"""Dialling again: how often, how long, and which refusals pass while commands run."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, Tuning, run_command, session
from adapters.tunnel.starting import explain
from statemachine.errors import TunnelLostError, TunnelUnreachableError
from tests.waiting import PATIENCE, until

SESSIONS_MOST = 60
AWAY_FOR = 1100


@pytest.fixture
def run(endpoint, captured):
    """Run a command over an endpoint that has the helper already."""
    server = endpoint()

    def run(command, data=b"", *, opener=server.opener, **tuning):
        times = Tuning(**{"dead": 300, "resume": 60, "backoff_first": 0.05, **tuning})
        return captured(
            lambda i, o, e: run_command(
                CommandSpec(command), opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file, tuning=times
            ), data,
        )  # fmt: skip

    run.server = server
    run("true")
    server.sessions = 0
    return run


@contextlib.contextmanager
def breaking(server, began):
    """Break the line once as soon as the command has begun."""

    def drop():
        until(began.exists)
        server.drop_all()

    thread = threading.Thread(target=drop)
    thread.start()
    yield
    thread.join(PATIENCE)


def test_a_line_that_breaks_at_the_same_packet_each_time_is_dialled_less_and_less_often_and_given_up(run):
    server = run.server

    def cut(piece):
        if len(piece) < 5000 or b"p" * 64 in piece or server.sessions > SESSIONS_MOST:
            return piece
        server.drop_all()
        return b""

    server.behaviour.input = cut
    with pytest.raises(TunnelLostError, match="was not resumed within"):
        run("cat; exit 3", os.urandom(20_000), resume=1.5)
    assert server.sessions < 15


def test_a_network_that_is_away_for_a_thousand_dials_is_waited_for(run, tmp_path):
    began, back, calls = tmp_path / "began", tmp_path / "back", []

    def opener():
        calls.append(1)
        if 1 < len(calls) < AWAY_FOR:
            raise TunnelUnreachableError("the network is away")
        if len(calls) > 1:
            back.touch()
        return run.server.opener()

    with breaking(run.server, began):
        outcome = run(
            f"touch {began}; until [ -e {back} ]; do sleep 0.05; done; exit 4", opener=opener, backoff_first=1e-4,
            backoff_most=1e-3,
        )  # fmt: skip
    assert (outcome.status, len(calls)) == (4, AWAY_FOR)


def test_a_command_is_found_again_after_a_cleaner_has_removed_the_helpers_folder(run, tmp_path):
    server, began, cleaned = run.server, tmp_path / "began", tmp_path / "cleaned"

    def clean(piece):
        if server.sessions == 2 and not cleaned.exists():
            (folder,) = Path(server.behaviour.env["TMPDIR"]).glob(".devpod-aci-*")
            folder.rename(tmp_path / "cleaned")  # it keeps its inode: what is made anew gets another one
        return piece

    server.behaviour.input = clean
    with breaking(server, began):
        assert run(f"touch {began}; until [ -e {cleaned} ]; do sleep 0.05; done; exit 4").status == 4


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
def test_commands_that_run_outlive_a_dial_that_is_closed_before_the_helper_speaks(run, tmp_path, code):
    server, began, closed = run.server, tmp_path / "began", tmp_path / "closed"

    def close(piece):
        if server.sessions != 2:
            return piece
        have = re.search(rb"\[devpod-aci:have:\d+\]", piece)
        if have and not closed.exists():
            closed.touch()
            server.close_all(code)
            return piece[: have.end()]
        return b"" if closed.exists() else piece

    server.behaviour.output = close
    with breaking(server, began):
        assert run(f"touch {began}; until [ -e {closed} ]; do sleep 0.05; done; exit 4").status == 4
    assert server.sessions == 3


@pytest.mark.parametrize("first", [b"", b"$ ", b"root@host:/# "])
@pytest.mark.parametrize("upto", [b"set", b"stty -e", b"e=$(("])
def test_a_line_that_breaks_in_the_middle_of_the_echo_does_not_say_that_there_is_no_shell(run, first, upto):
    server, heard = run.server, bytearray()

    def cut(piece):
        if server.sessions > 1:
            return piece
        before = len(heard)
        heard.extend(piece)
        at = heard.find(upto)
        if at < 0:
            return piece
        server.drop_all()
        return bytes(heard[before : at + len(upto)])

    server.behaviour.say_first, server.behaviour.output = first, cut
    assert run("exit 4").status == 4
    assert server.sessions == 2


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (b"", ""),
        (b"one two three four", ""),
        (b"one t \r\x1b[Kwo thr", ""),
        (b"$ one two$ th", "$ $"),
        (b"sh: found", "sh: found"),
        (b"one two not there", "not there"),
    ],
)
def test_the_echo_is_told_from_what_a_shell_says(heard, said):
    assert explain.quoted(explain.without_echo(heard, [b"one two", b" three", b" four\n", b"done\n"])) == said


def test_an_endpoint_with_first_trouble_leaves_the_time_to_find_out_what_its_line_takes(run, monkeypatch):
    """A container that has just started refuses for some seconds; after that its line breaks at each long message."""
    monkeypatch.setattr(session, "TROUBLE_SECONDS", 2.0)
    server, refusing = run.server, threading.Event()
    refusing.set()
    timer = threading.Timer(1.0, refusing.clear)

    def opener():
        server.behaviour.close_with = 1011 if refusing.is_set() else None
        return server.opener()

    def break_at_a_long_message(piece):
        if len(piece) <= 512:
            return piece
        server.drop_all()
        return b""

    server.behaviour.input = break_at_a_long_message
    timer.start()
    outcome = run("cat; exit 3", data := os.urandom(20_000), opener=opener, backoff_first=0.2)
    assert (outcome.status, outcome.out) == (3, data)


@pytest.mark.parametrize("code", [1000, 1001, 1009, 1011, 4000])
@pytest.mark.parametrize("prompt", ["# ", "root@host:/srv/app# ", "~ $ "])
def test_a_prompt_does_not_say_that_there_is_no_shell(run, code, prompt):
    server, calls = run.server, []

    def opener():
        calls.append(1)
        first = len(calls) == 1
        server.behaviour.say_first = prompt.encode() if first else b""
        server.behaviour.close_with = code if first else None
        return server.opener()

    assert run("exit 4", opener=opener).status == 4
    assert len(calls) == 2
