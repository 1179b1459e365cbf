"""Ending the container when idle: the wrapper around DevPod's main process, in every shell at hand."""

import base64
import json
import shutil
import signal
import subprocess
import threading

import pytest

from adapters.devpod import parse, parse_run_options, plan
from adapters.devpod.idle import VARIABLE, WRAPPER, ending_when_idle
from statemachine.secret import Secret
from tests.waiting import PATIENCE

SHELLS = [
    pytest.param(words, id=words[0], marks=pytest.mark.skipif(not shutil.which(words[0]), reason="not installed"))
    for words in (["sh"], ["dash"], ["bash"], ["busybox", "sh"])
]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("status", [0, 1, 7])
def test_the_container_always_ends_well(shell: list[str], status: int) -> None:
    found = subprocess.run(
        [*shell, "-c", WRAPPER, "sh", "/bin/sh", "-c", f"exit {status}"], timeout=PATIENCE, check=False
    )
    assert found.returncode == 0


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_reaches_the_main_process(shell: list[str], number: signal.Signals) -> None:
    main = "trap 'echo told; exit 0' TERM; echo up; while :; do sleep 1 & wait $!; done"
    with subprocess.Popen(
        [*shell, "-c", WRAPPER, "sh", "/bin/sh", "-c", main], stdout=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.stdout.readline() == "told\n"
        assert process.wait() == 0
        watchdog.cancel()


def test_arguments_pass_unharmed() -> None:
    found = ending_when_idle(("/bin/sh", "-c", 'printf "%s|" "$@"', "-", "a b", "'\"$x", ""), {}, 60)
    done = subprocess.run(found.command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == "a b|'\"$x||"


def test_what_the_main_process_is_told() -> None:
    found = ending_when_idle(("/bin/sh",), {"A": Secret("b")}, 5400)
    assert json.loads(base64.b64decode(found.environment[VARIABLE].reveal())) == {"timeout": "5400s"}
    assert found.environment["A"] == Secret("b")
    assert found.command == ("/bin/sh", "-c", WRAPPER, "sh", "/bin/sh")
    assert found.warnings == ()


def test_never() -> None:
    assert ending_when_idle(("/bin/sh",), {}, 0).command == ("/bin/sh",)


@pytest.mark.parametrize(
    ("command", "environment"), [((), {}), (("/.dockerless/dockerless",), {}), (("/bin/sh",), {VARIABLE: Secret("x")})]
)
def test_where_it_cannot_be_had(command: tuple[str, ...], environment: dict[str, Secret]) -> None:
    found = ending_when_idle(command, environment, 60)
    assert (found.command, found.environment) == (command, environment)
    assert "INACTIVITY_TIMEOUT: has no effect" in found.warnings[0]


def test_the_option_gets_there() -> None:
    settings = parse(
        {"AZURE_SUBSCRIPTION_ID": "01234567-89ab-cdef-0123-456789abcdef", "INACTIVITY_TIMEOUT": "1h"}, "devcontainer"
    )
    found = plan(parse_run_options('{"image": "x", "entrypoint": "/bin/sh", "cmd": ["-c", "y"]}'), settings)
    assert VARIABLE in found.environment
    assert found.command[-3:] == ("/bin/sh", "-c", "y")
