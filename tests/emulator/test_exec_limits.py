"""What cuts, mangles and slows an exec session."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.emulator.clients import Azure, Shell, eventually
from tests.waiting import PATIENCE, until


@pytest.fixture(scope="module")
def group(shared: Azure) -> str:
    return shared.group()


def raw_shell(azure: Azure, group: str, **options: Any) -> Shell:
    azure.emulator.control.exec_options(**options)
    shell = azure.shell(group)
    shell.raw()
    return shell


def test_idle_sessions_are_cut_and_pings_do_not_help_and_busy_ones_are_not(azure: Azure, group: str):
    busy = raw_shell(azure, group, idle_cut=2.0)
    idle = raw_shell(azure, group)

    def cut() -> bool:
        busy.send(b"echo x\n")
        with suppress(TimeoutError):
            try:
                idle.ws.ping()
                idle.ws.recv(timeout=0.1)
            except ConnectionClosed:
                return True
        return False

    until(cut)
    assert idle.close_code == 1006
    busy.send(b"echo STILL''HERE\n")
    busy.until(b"STILLHERE")


def test_an_absolute_limit_cuts_busy_sessions_too(azure: Azure, group: str):
    shell = raw_shell(azure, group, absolute_cut=2.0, cut_mode="close")
    shell.send(b"while :; do echo x; sleep 0.05; done\n")
    shell.rest()
    assert shell.close_code == 1001


def test_a_message_above_the_maximum_cuts_the_connection(azure: Azure, group: str):
    shell = raw_shell(azure, group)
    shell.read_by("head -c 65536 >/dev/null; echo GOT''IT")
    shell.send(bytes(65536))
    shell.until(b"GOTIT")
    with pytest.raises(ConnectionClosed):  # noqa: PT012 - the cut may be seen on either side
        shell.send(bytes(65537))
        shell.rest()
        shell.ws.recv(timeout=PATIENCE)
    assert shell.close_code == 1006, "without a word"


def test_input_may_be_truncated(azure: Azure, group: str):
    shell = azure.shell(group)
    azure.emulator.control.exec_options(truncate_input=50)
    shell = azure.shell(group)
    shell.send("stty raw -echo; printf 'REA%s' DY\n")
    shell.until(b"READY")
    shell.send(b"PS1='>> '\n")
    shell.until(b">> ")
    shell.send(b"echo " + b"y" * 60 + b"\n")
    shell.send(b"\n")
    assert shell.until(b"\n>> ") == b"y" * 45


@pytest.mark.parametrize(
    ("options", "sent", "seen"),
    [
        ({"utf8_lossy": "out"}, rb"\377\303\251", "�é".encode()),
        ({"seven_bit": "out"}, rb"\301\302", b"AB"),
        ({"eat": "xonxoff,nul", "eat_direction": "out"}, rb"a\021b\023c\0d", b"abcd"),
        ({"text_frames": True}, rb"\377x", "�x".encode()),
    ],
)
def test_channels_that_are_not_8_bit_clean(azure: Azure, group: str, options, sent: bytes, seen: bytes):
    shell = raw_shell(azure, group, rechunk=False, **options)
    shell.send(b"printf '<" + sent + b">'; exit\n")
    assert b"<" + seen + b">" in shell.rest()
    if options.get("text_frames"):
        assert all(isinstance(frame, str) for frame in shell.frames)


def test_input_can_be_mangled_too(azure: Azure, group: str):
    shell = raw_shell(azure, group, utf8_lossy="in", swallow_eom=True)
    shell.read_by("head -c 5 | od -An -tx1")
    shell.send(b"\xff[[EOM]]ab")
    assert b"ef bf bd 61 62" in shell.until(b"62\r\n" if b"62\r\n" in shell.seen else b"62") + b"62"


def test_frames_may_be_small_and_echo_doubled(azure: Azure, group: str):
    azure.emulator.control.exec_options(max_output_frame=100)
    shell = azure.shell(group)
    shell.raw()
    shell.send(b"head -c 5000 /dev/zero | tr '\\0' x; exit\n")
    shell.rest()
    assert max(len(frame) for frame in shell.frames) <= 100
    azure.emulator.control.exec_options(max_output_frame=0, echo="doubled")
    shell = azure.shell(group)
    shell.send(b"echo abc\n")
    time.sleep(0.3)
    shell.send(b"exit\n")
    assert shell.rest().count(b"echo abc") >= 2


@pytest.mark.parametrize(("mode", "silent"), [("reset", 600.0), ("close", 600.0), ("silent", 0.5)])
def test_drops_in_the_middle_of_a_frame(azure: Azure, group: str, mode: str, silent: float):
    shell = raw_shell(azure, group, drop_after=20000, drop_direction="out", drop_mode=mode, drop_silent=silent)
    shell.send(b"head -c 100000 /dev/zero\n")
    began = time.monotonic()
    got = shell.rest()
    assert len(got) <= 20000
    assert shell.close_code == 1006
    if mode == "silent":
        assert time.monotonic() - began > 0.4
    assert azure.emulator.control.sessions()["drops"] == 1


def test_a_stalled_line_loses_nothing(azure: Azure, group: str):
    shell = raw_shell(azure, group, drop_after=20000, drop_count=1, drop_direction="out", drop_mode="stall",
                      drop_silent=0.3)  # fmt: skip
    shell.send(b"head -c 100000 /dev/zero; exit\n")
    assert shell.rest().count(b"\0") == 100000


def test_a_stall_of_output_while_input_is_held_up_repeats_none_of_it(azure: Azure, group: str):
    shell = raw_shell(azure, group, drop_after=100_000, drop_count=1, drop_mode="stall", drop_silent=0.3)
    first, second = bytes(65_536), os.urandom(54_464)
    # Between the two it reads nothing, and writes enough for the line to stall.
    shell.read_by("head -c 65536 >/dev/null; sleep 1; head -c 200000 /dev/zero; head -c 54464 | md5sum; exit")
    shell.send(first)
    shell.send(second)
    assert hashlib.md5(second, usedforsecurity=False).hexdigest().encode() in shell.rest()


def test_the_number_of_drops_is_bounded(azure: Azure, group: str):
    azure.emulator.control.exec_options(drop_after=1000, drop_count=1, drop_direction="in")
    first = azure.shell(group)
    first.raw()
    first.send(b"x" * 2000)
    first.rest()
    assert first.close_code == 1006
    second = azure.shell(group)
    second.raw()
    second.send(b"#" + b"x" * 2000 + b"\n")
    second.send(b"echo ALI''VE\n")
    second.until(b"ALIVE")


def test_sessions_can_be_cut_on_order(azure: Azure, group: str):
    shell = raw_shell(azure, group)
    assert azure.emulator.control.cut_sessions(group) >= 1
    shell.rest()
    assert shell.close_code == 1006


def test_processes_end_abruptly_and_say_goodbye(azure: Azure, group: str):
    shell = raw_shell(azure, group, abrupt_close=1.0, bye=True)
    shell.send(b"echo last; exit\n")
    assert shell.rest().endswith(b"last\nBye.")
    assert shell.close_code == 1006


@pytest.mark.parametrize(
    ("blocked", "error", "patience"), [("refused", ConnectionRefusedError, PATIENCE), ("silent", TimeoutError, 0.5)]
)
def test_the_exec_port_behind_a_firewall(
    azure: Azure, group: str, blocked: str, error: type[Exception], patience: float
):
    azure.emulator.control.exec_options(blocked=blocked)
    ticket = azure.ticket(group)
    with pytest.raises(error):
        azure.open(ticket.web_socket_uri, ticket.password, open_timeout=patience)


def resident(azure: Azure) -> int:
    for line in Path(f"/proc/{azure.emulator.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def test_a_client_that_does_not_read_stops_the_process_and_costs_no_memory(azure: Azure, group: str):
    shell = raw_shell(azure, group)
    before = resident(azure)
    shell.send(b"i=0; while :; do head -c 100000 /dev/zero; i=$((i+1)); echo $i >$HOME/count; done\n")
    look = azure.shell(group)
    look.raw()

    def count() -> int:
        look.send(b"cat $HOME/count; echo END\n")
        text = look.until(b"END\n").split()
        return int(text[-1]) if text else 0

    # websockets stops reading from the wire when nobody takes its messages.
    counts = [-1]

    def stands_still() -> bool:
        time.sleep(0.5)
        counts.append(count())
        return counts[-1] == counts[-2] > 0

    until(stands_still)
    assert resident(azure) - before < 20_000


def test_a_process_that_does_not_read_stops_the_client(azure: Azure, group: str):
    shell = raw_shell(azure, group)
    shell.send(b"exec sleep 1000\n")
    before = resident(azure)
    shell.ws.socket.settimeout(1)
    with pytest.raises((ConnectionClosed, TimeoutError)):
        flood(shell, 60_000_000)
    assert resident(azure) - before < 20_000
    azure.emulator.control.cut_sessions()


def test_a_client_that_leaves_while_its_input_is_held_up_is_noticed(azure: Azure, group: str):
    shell = raw_shell(azure, group)
    shell.read_by("exec sleep 1000")
    flood(shell, 300_000)
    shell.ws.socket.shutdown(socket.SHUT_RDWR)
    eventually(lambda: not azure.emulator.control.sessions()["open"])


def flood(shell: Shell, size: int) -> None:
    for _ in range(size // 32768):
        shell.send(bytes(32768))


def test_a_closed_session_is_forgotten(azure: Azure, group: str):
    shell = raw_shell(azure, group)
    shell.ws.close()
    eventually(lambda: not azure.emulator.control.sessions()["open"])
