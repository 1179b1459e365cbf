"""The exec socket: handshake, the terminal's own manners, argv, ends and caps."""

from __future__ import annotations

import hashlib
import os
import ssl
import time
from contextlib import suppress

import pytest
from azure.core.exceptions import HttpResponseError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.emulator.clients import Azure, container, eventually


@pytest.fixture(scope="module")
def group(shared: Azure) -> str:
    return shared.group()


def test_first_comes_an_empty_message_and_then_a_cooked_terminal(azure: Azure, group: str):
    shell = azure.shell(group)
    shell.send(b"echo a; stty size; tty\n")
    shell.until(b" ")  # the prompt
    assert shell.frames[0] == b""
    shell.send(b"echo MARK-$((40+2))\n")
    seen = shell.until(b"MARK-42\r\n")
    assert b"24 80\r\n" in seen
    assert b"/dev/pts/" in seen
    # The input itself has come back: the terminal echoes.
    assert b"echo MARK-$((40+2))\r\n" in seen


def test_interrupt_and_line_length(azure: Azure, group: str):
    shell = azure.shell(group)
    shell.send(b"PS1=; sh -c 'echo RU\"\"NS; exec cat' >&2; echo EN''DED\n")
    shell.until(b"RUNS\r\n")
    shell.send(b"\x03")
    shell.until(b"^C")
    # The shell throws away what was typed before its next prompt, which is empty and so not to be waited for.
    while b"INTERRUPTED\r\n" not in shell.seen:
        shell.send(b"echo INTER''RUPTED\n")
        with suppress(TimeoutError):
            shell.until(b"INTERRUPTED\r\n", 0.5)
            break
    assert b"ENDED" not in shell.seen
    shell.send(b"stty -echo; echo COU''NT; cat | wc -c\n")
    shell.until(b"COUNT\r\n")
    shell.send(b"x" * 6000 + b"\n")
    shell.send(b"\x04")
    shell.until(b"4096")  # 4095 bytes and the newline: the rest of the line is lost


def test_raw_mode_is_exact_for_every_byte(azure: Azure, group: str):
    shell = azure.shell(group)
    shell.raw()
    size = 1 << 20
    data = os.urandom(size)
    shell.read_by(f"head -c {size} | sha256sum")
    for start in range(0, size, 32768):
        shell.send(data[start : start + 32768])
    assert shell.until(b"  -").strip().endswith(hashlib.sha256(data).hexdigest().encode())
    shell.send(f"head -c {size} /dev/zero | tr '\\0' '\\377'; exit\n".encode())
    assert shell.rest().count(b"\xff") == size
    assert shell.close_code == 1000


def test_the_address_and_the_password(azure: Azure, group: str):
    ticket = azure.ticket(group)
    assert ticket.web_socket_uri.startswith("wss://")
    assert "/execstream/sessionId/" in ticket.web_socket_uri
    assert ticket.web_socket_uri.endswith("?api-version=1.0&rows=24&cols=80")
    assert str(azure.emulator.url.rpartition(":")[2]) not in ticket.web_socket_uri
    assert ticket.password.endswith("[[EOM]]")
    azure.emulator.control.exec_options(front_end="bridge")
    bridge = azure.ticket(group)
    assert "/exec/caas-" in bridge.web_socket_uri
    assert bridge.web_socket_uri.endswith("?rows=24&cols=80&api-version=2018-02-01-preview")
    azure.open(bridge.web_socket_uri, bridge.password).until(b" ")


@pytest.mark.parametrize(
    "spoil", [lambda p: p.removesuffix("[[EOM]]"), lambda _: "wrong", lambda p: p.encode(), lambda p: p + "\n"]
)
def test_anything_but_the_password_as_first_text_message_closes_with_1008(azure: Azure, group: str, spoil):
    ticket = azure.ticket(group)
    shell = azure.open(ticket.web_socket_uri, spoil(ticket.password))
    assert shell.rest() == b""
    assert shell.close_code == 1008
    again = azure.open(ticket.web_socket_uri, ticket.password)
    assert again.rest() == b""
    assert again.close_code == 1008


def test_a_password_works_once_and_for_a_while(azure: Azure, group: str):
    ticket = azure.ticket(group)
    azure.open(ticket.web_socket_uri, ticket.password).until(b" ")
    second = azure.open(ticket.web_socket_uri, ticket.password)
    second.rest()
    assert second.close_code == 1008
    azure.emulator.control.exec_options(credential_lifetime=0.2)
    late = azure.ticket(group)
    time.sleep(0.3)
    shell = azure.open(late.web_socket_uri, late.password)
    shell.rest()
    assert shell.close_code == 1008


def test_a_missing_program_is_text_in_the_stream(azure: Azure, group: str):
    shell = azure.shell(group, "/bin/sh -c true")
    text = shell.rest()
    assert b"OCI runtime exec failed" in text
    assert b"stat /bin/sh -c true: no such file or directory" in text
    assert shell.close_code == 1000


@pytest.mark.parametrize(
    ("mode", "command", "seen"),
    [
        ("split", "/bin/echo 'a  b' c", b"'a b' c\r\n"),
        ("shell", "/bin/echo 'a  b' c", b"a  b c\r\n"),
    ],
)
def test_other_ways_of_reading_a_command(azure: Azure, group: str, mode: str, command: str, seen: bytes):
    azure.emulator.control.exec_options(argv=mode)
    assert azure.shell(group, command).rest() == seen


def test_the_command_has_a_length(azure: Azure, group: str):
    azure.ticket(group, "/" + "x" * 255)
    with pytest.raises(HttpResponseError) as caught:
        azure.ticket(group, "/" + "x" * 256)
    assert caught.value.error.code == "InvalidCommandLength"


def test_the_environment_and_the_working_directory_are_the_containers(azure: Azure):
    name = azure.group(container(environmentVariables=[{"name": "A", "value": "b c"}]))
    shell = azure.shell(name)
    shell.raw()
    shell.send(b"echo [$A] [$TERM]; kill -0 $PPID && echo same-container; exit\n")
    assert b"[b c] [xterm]" in shell.rest()


def test_a_closed_socket_hangs_up_the_terminal(azure: Azure, group: str):
    shell = azure.shell(group)
    shell.raw()
    # Not by the interactive shell itself: its job control fails on a terminal that is gone.
    script = b"trap 'touch $HOME/hung-up; exit' HUP; echo OK; while :; do sleep 0.05; done"
    shell.send(b'exec sh -c "' + script + b'"\n')
    shell.until(b"OK")
    shell.ws.close()
    look = azure.shell(group)
    look.raw()
    look.send(b"until [ -e $HOME/hung-up ]; do sleep 0.05; done; echo FOUND\n")
    look.until(b"FOUND")


def test_an_orphan_lives_on_where_the_back_end_is_like_that(azure: Azure, group: str):
    azure.emulator.control.exec_options(orphan=True)
    shell = azure.shell(group)
    shell.raw()
    shell.send(b"echo OK; sleep 0.5; echo unheard; touch $HOME/outlived\n")
    shell.until(b"OK")
    shell.ws.close()
    look = azure.shell(group)
    look.raw()
    look.send(b"until [ -e $HOME/outlived ]; do sleep 0.05; done; echo FOUND\n")
    look.until(b"FOUND")


def test_no_more_sessions_than_the_cap(start):
    azure = start(exec={"cap": 2})
    name = azure.group()
    shells = [azure.shell(name) for _ in range(2)]
    for shell in shells:
        shell.until(b" ")
    answer = azure.call("POST", azure.cg(name, "/containers/main/exec"), json={"command": "/bin/sh"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "TooManyExecSessions")
    shells[0].ws.close()
    eventually(lambda: len(azure.emulator.control.sessions()["open"]) == 1)
    azure.shell(name).until(b" ")
    azure.emulator.control.exec_options(cap_status=429)
    limited = azure.call("POST", azure.cg(name, "/containers/main/exec"), json={"command": "/bin/sh"})
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "10")


def test_exec_into_what_does_not_run(azure: Azure):
    ended = azure.group(container(command=["/bin/sh", "-c", "exit 0"]), restartPolicy="Never")
    eventually(lambda: azure.aci.container_groups.get("rg", ended).instance_view.state == "Succeeded")
    shell = azure.shell(ended)
    assert shell.rest() == b""
    assert shell.close_code == 1011
    stopped = azure.group()
    azure.aci.container_groups.stop("rg", stopped)
    answer = azure.call("POST", azure.cg(stopped, "/containers/main/exec"), json={"command": "/bin/sh"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ContainerGroupStopped")


def test_stop_ends_the_sessions(azure: Azure):
    name = azure.group()
    shell = azure.shell(name)
    shell.raw()
    azure.aci.container_groups.stop("rg", name)
    shell.rest()
    with pytest.raises(ConnectionClosed):
        shell.ws.recv(timeout=1)


def test_attach_streams_the_log_and_takes_the_password_in_a_header(azure: Azure):
    name = azure.group(container(command=["/bin/sh", "-c", "echo one; sleep 0.4; echo two; exec sleep 1000"]))
    answer = azure.call("POST", azure.cg(name, "/containers/main/attach")).json()
    assert "/logstream/sessionId/" in answer["webSocketUri"]
    context = ssl.create_default_context(cafile=azure.emulator.ca_file)
    with pytest.raises(InvalidStatus), connect(answer["webSocketUri"], ssl=context, proxy=None):
        pass
    answer = azure.call("POST", azure.cg(name, "/containers/main/attach")).json()
    headers = {"Authorization": answer["password"]}
    shell = azure.open(answer["webSocketUri"], None, additional_headers=headers)
    assert shell.until(b"two\n") == b"one\n"
