"""Channels that damage what they carry, endpoints that refuse, shells that are none: exact or one clear line."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, ExecEndpoint, Tuning, run_command
from adapters.tunnel.starting import helperfile
from statemachine.errors import (
    ExecRefusedError,
    HelperMismatchError,
    NoShellError,
    TunnelError,
    TunnelUnreachableError,
)
from statemachine.secret import Secret

PATIENT = Tuning(dead=300, resume=60, backoff_first=0.05)
BRISK = Tuning(shell=2, resume=4, backoff_first=0.05)
"""For a shell that never answers."""


def lossy(data):
    return data.decode("utf-8", "replace").encode()


def seven_bit(data):
    return bytes(value & 0x7F for value in data)


def without(*values):
    return lambda data: data.translate(None, bytes(values))


def trial(server, captured, command="tee /dev/stderr; exit 3", data=b"", tuning=PATIENT):
    events = []
    outcome = captured(
        lambda i, o, e: run_command(
            CommandSpec(command), server.opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file,
            tuning=tuning, on_event=events.append,
        ),
        data,
    )  # fmt: skip
    return outcome, events


CHANNELS = {
    "utf8 both ways": ({"input": lossy, "output": lossy}, "BASE64"),
    "utf8 in text frames": ({"text_frames": True, "output": lossy}, ""),
    "seven bits both ways": ({"input": seven_bit, "output": seven_bit}, "BASE64"),
    "seven bits in": ({"input": seven_bit}, "BASE64"),
    "xon and xoff eaten": ({"input": without(0x11, 0x13), "output": without(0x11, 0x13)}, "ESCAPE"),
    "nul eaten": ({"input": without(0), "output": without(0)}, "ESCAPE"),
    "input cut at 50": ({"cut_input": 50}, "messages of 50 bytes"),
    "input cut at 512": ({"cut_input": 512}, "messages of 512 bytes"),
    "input cut at 16384": ({"cut_input": 16384}, "messages of 16384 bytes"),
    "closed above 16384": ({"refuse_above": 16384}, ""),
    "closed above 600": ({"refuse_above": 600}, ""),
    "closed above 100": ({"refuse_above": 100}, ""),
    "small frames": ({"frame_most": 7}, ""),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_the_bytes_are_exact_over(endpoint, captured, name):
    options, expected = CHANNELS[name]
    server = endpoint(**options)
    data = bytes(range(256)) * 20 + os.urandom(60_000) + b"}^~" * 1000
    outcome, events = trial(server, captured, data=data)
    assert outcome.status == 3
    assert outcome.out == data
    assert outcome.err == data
    assert expected in " ".join(events)


@pytest.mark.parametrize(("limit", "agreed"), [(16384, 8192), (600, 512), (100, 48)])
def test_a_channel_that_breaks_without_a_word_on_long_messages_gets_shorter_ones(endpoint, captured, limit, agreed):
    server = endpoint()
    trial(server, captured)  # places the helper, whose upload is not what this is about
    longest = [0]

    def cut(piece):
        if len(piece) > limit:
            server.drop_all()
            return b""
        longest[0] = max(longest[0], len(piece))
        return piece

    server.behaviour.input = cut
    data = os.urandom(60_000)
    assert trial(server, captured, data=data, tuning=replace(BRISK, resume=60))[0].out == data
    assert longest[0] == agreed


def test_damage_that_begins_later_is_noticed_and_survived(endpoint, captured):
    server = endpoint()
    data = os.urandom(400_000)
    hits = []

    def damage(piece):
        if len(hits) < 2 and len(piece) > 2000:
            hits.append(1)
            return piece[:1000] + b"?" + piece[1001:]
        return piece

    server.behaviour.output = damage
    outcome, _ = trial(server, captured, data=data)
    assert outcome.out == data
    assert outcome.err == data
    assert len(hits) == 2


def test_bytes_that_end_the_session_are_sent_in_another_way(endpoint, captured):
    """As docker's detach keys do: in no probe, because a session that looks for them would end there and then."""
    server = endpoint()
    keys = b"\x10\x11"

    def detach(piece):
        if keys not in piece:
            return piece
        server.drop_all()
        return piece[: piece.index(keys)]

    server.behaviour.input = detach
    data = (os.urandom(50_000) + keys) * 4
    outcome, events = trial(server, captured, data=data)
    assert (outcome.status, outcome.out, outcome.err) == (3, data, data)
    assert "armour BASE64" in " ".join(events)
    assert server.sessions < 15


def test_a_banner_and_a_greeting_are_no_obstacle(endpoint, captured):
    server = endpoint(say_first=b"Welcome!\r\n\x1b[6n~ ? = ^ \xa5\x01 [devpod-aci:need:1]\r\n")
    assert trial(server, captured, data=b"x")[0].out == b"x"


@pytest.mark.parametrize("code", [1000, 1008, 1011, 4000])
def test_a_session_in_which_nothing_runs_is_tried_again_and_told_as_no_more_than_that(endpoint, captured, code):
    server = endpoint(close_with=code)
    with pytest.raises(ExecRefusedError, match=rf"password.*1008|closed before a process ran .code {code}") as caught:
        trial(server, captured, tuning=replace(PATIENT, resume=0.5))
    assert "has ended" not in str(caught.value)
    assert server.sessions > 1


def test_an_endpoint_that_had_trouble_of_its_own_is_forgiven(endpoint, captured):
    server = endpoint(close_with=1011)
    real = server.opener

    def opener():
        if server.sessions:
            server.behaviour.close_with = None
        return real()

    server.opener = opener
    assert trial(server, captured, data=b"x")[0].out == b"x"


def test_a_wrong_password(endpoint, captured):
    server = endpoint()
    real = server.opener
    server.opener = lambda: ExecEndpoint(real().uri, Secret("wrong[[EOM]]"))
    with pytest.raises(ExecRefusedError, match="password") as caught:
        trial(server, captured)
    assert "wrong" not in str(caught.value)


def test_a_closed_port_is_named(endpoint, captured):
    server = endpoint()
    server.opener = lambda: ExecEndpoint("wss://localhost:19390/exec", Secret("x"))
    with pytest.raises(TunnelUnreachableError, match=r"localhost:19390 cannot be reached.*port 19390"):
        trial(server, captured)


def test_an_unknown_authority_is_refused(endpoint, captured):
    server = endpoint()
    server.ca_file = None
    with pytest.raises(TunnelUnreachableError, match="not trusted"):
        trial(server, captured)


def test_no_shell_at_all(endpoint, captured):
    with pytest.raises(NoShellError, match='exec: "/nosuch"'):
        trial(endpoint(["/nosuch"]), captured)


def test_something_that_is_no_shell(endpoint, captured):
    with pytest.raises(NoShellError, match="did not answer"):
        trial(endpoint(["/bin/cat"]), captured, tuning=BRISK)


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash", "/bin/busybox", "/bin/mksh", "/bin/zsh"])
def test_a_shell_that_lost_a_beginning_with_a_quote_in_it_gets_a_fresh_line(endpoint, captured, shell):
    """As from a front end that throws away what comes while it starts: here the first four messages."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    server = endpoint([shell, "ash"] if shell.endswith("busybox") else [shell])
    came = []

    def lose(piece):
        came.append(1)
        return b"" if len(came) <= 4 else piece

    server.behaviour.input = lose
    outcome, _ = trial(server, captured, command="exit 4", tuning=replace(PATIENT, shell=10, resume=1))
    assert outcome.status == 4


def test_what_is_typed_again_is_not_told_as_what_the_shell_printed(endpoint, captured):
    with pytest.raises(NoShellError, match="it printed nothing"):
        trial(endpoint(["/bin/sleep", "60"]), captured, tuning=replace(BRISK, shell=2.3, resume=0.1))


def test_a_flood_instead_of_a_shell(endpoint, captured):
    with pytest.raises(NoShellError, match="did not answer"):
        trial(endpoint(["/usr/bin/yes", "boo"]), captured, tuning=BRISK)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_another_user_than_root(endpoint, captured):
    outcome, _ = trial(endpoint(user=65534), captured, command="id -u; cat", data=b"\0x")
    assert outcome.out == b"65534\n\0x"


@pytest.mark.skipif(os.geteuid() != 0, reason="hiding folders takes root")
def test_the_next_folder_is_tried(endpoint, captured):
    script = "mount -t tmpfs -o noexec none /tmp; mount -t tmpfs none /run; export TMPDIR=/tmp HOME=/proc; exec sh"
    server = endpoint(["/usr/bin/unshare", "-m", "sh", "-c", script])
    outcome, _ = trial(server, captured, command="ls -d /dev/shm/.devpod-aci-0 /run/.devpod-aci-0 2>/dev/null")
    assert outcome.out.split()
    shutil.rmtree("/dev/shm/.devpod-aci-0", ignore_errors=True)


def test_a_folder_of_somebody_else_is_not_used(endpoint, captured):
    server = endpoint()
    planted = Path(server.behaviour.env["TMPDIR"]) / f".devpod-aci-{os.geteuid()}"
    planted.symlink_to("/usr")
    server.behaviour.env["TMPDIR"] = str(planted.parent)
    outcome, _ = trial(server, captured, command="echo fine")
    assert outcome.out == b"fine\n"
    build = helperfile.load_helper().build
    assert not (Path("/usr") / build).exists()
    Path("/tmp", planted.name, build).unlink(missing_ok=True)


def test_a_link_of_somebody_else_to_a_folder_of_ours_is_not_followed(endpoint, captured, helper, tmp_path, monkeypatch):
    # A helper like no other: it comes into a folder that tests which run at the same time look into.
    data = helper.data + os.urandom(16)
    marked = helperfile.Helper(data, hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(helperfile, "load_helper", lambda: marked)
    server = endpoint()
    note = tmp_path / "ran"
    planted = tmp_path / marked.build
    planted.write_text(f'#!/bin/sh\necho whole\n[ "$1" = relay ] && touch {note}\n')
    planted.chmod(0o755)
    Path(server.behaviour.env["TMPDIR"], f".devpod-aci-{os.geteuid()}").symlink_to(tmp_path)
    assert trial(server, captured, command="echo fine")[0].out == b"fine\n"
    assert not note.exists()
    Path("/tmp", f".devpod-aci-{os.geteuid()}", marked.build).unlink(missing_ok=True)


def test_a_helper_that_was_replaced_is_healed_or_named(endpoint, captured):
    server = endpoint()
    trial(server, captured, command="true")
    (path,) = Path(server.behaviour.env["TMPDIR"]).rglob(helperfile.load_helper().build)
    path.unlink()
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o700)
    assert trial(server, captured, command="echo healed")[0].out == b"healed\n"
    path.unlink()
    path.write_text("#!/bin/sh\n[ $1 = check ] && echo whole || echo garbage\n")
    path.chmod(0o700)
    with pytest.raises(HelperMismatchError, match="garbage"):
        trial(server, captured)


def test_a_helper_that_became_an_empty_file_is_healed(endpoint, captured):
    server = endpoint()
    trial(server, captured, command="true")
    (path,) = Path(server.behaviour.env["TMPDIR"]).rglob(helperfile.load_helper().build)
    path.unlink()
    path.touch(0o700)
    assert trial(server, captured, command="echo healed")[0].out == b"healed\n"


def test_a_helper_that_is_not_what_was_built(tmp_path):
    (tmp_path / helperfile.NAME).write_bytes(b"ELF")
    with pytest.raises(HelperMismatchError, match=r"not built.*make helper"):
        helperfile.read(tmp_path)
    (tmp_path / f"{helperfile.NAME}.sha256").write_text("00" * 32)
    with pytest.raises(HelperMismatchError, match="was built as 0000"):
        helperfile.read(tmp_path)


def test_a_helper_that_no_descriptor_is_left_for_is_not_called_missing(tmp_path, monkeypatch):
    def refused(_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(OSError, match="Too many open files"):
        helperfile.read(tmp_path)


def test_a_far_side_that_talks_nonsense_ends_in_one_line(endpoint, captured):
    server = endpoint()
    ready = []

    def nonsense(piece):
        if b"[devpod-aci:relay:" in piece:
            ready.append(1)
        return os.urandom(len(piece)) if ready and b"[devpod-aci" not in piece else piece

    server.behaviour.output = nonsense
    with pytest.raises(TunnelError) as caught:
        trial(server, captured, tuning=Tuning(shell=3, greeting=0.5, resume=3, backoff_first=0.01))
    assert "\n" not in str(caught.value)
