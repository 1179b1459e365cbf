"""The command line, the link, and the settings behind both."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import requests

from emulator.settings import build, dotted
from tests.emulator.clients import Azure
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]


def emulator(*arguments: str, **more: object) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "emulator", *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def test_run_gives_the_command_its_environment_and_returns_its_status(tmp_path: Path):
    script = 'test -s "$SSL_CERT_FILE" && echo "$AZURE_RESOURCE_MANAGER_URL $AZURE_CLIENT_ID"; exit 7'
    done = emulator("run", "--preset", "instant", "--", "sh", "-c", script)
    out, errors = done.communicate(timeout=PATIENCE)
    assert done.returncode == 7, errors
    assert out.startswith("https://127.0.0.1:")


@pytest.mark.parametrize("wrong", [("--port", "99999"), ("--rtt-ms", "-5"), ("--mbit", "-1")])
def test_a_number_that_cannot_be_is_a_mistake_in_the_call(wrong: tuple[str, str]):
    done = emulator("run", *wrong, "--", "true")
    _, errors = done.communicate(timeout=PATIENCE)
    assert (done.returncode, "Traceback" in errors) == (2, False)
    assert f"Invalid value for '{wrong[0]}'" in errors


def test_a_missing_extra_is_one_line(tmp_path: Path):
    """A folder before the installed packages stands in for their absence."""
    (tmp_path / "aiohttp.py").write_text("raise ModuleNotFoundError(name='aiohttp')\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        done = emulator("run", "--", "true", cwd=tmp_path)
    out, errors = done.communicate(timeout=PATIENCE)
    assert (done.returncode, out, len(errors.splitlines())) == (1, "", 1)
    assert "needs the Python package aiohttp, which is not installed" in errors


def test_serve_writes_a_private_environment_file_and_ends_on_sigterm(tmp_path: Path):
    env_file, state = tmp_path / "env", tmp_path / "state"
    process = emulator("serve", "--state-dir", str(state), "--env-file", str(env_file))
    until(env_file.exists)
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in state.iterdir() if f.is_file()} == {0o600}
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert all(line.startswith("export ") for line in out.splitlines())
    names = {line.split("=")[0].removeprefix("export ") for line in out.splitlines()}
    assert names >= {"AZURE_AUTHORITY_HOST", "AZURE_RESOURCE_MANAGER_URL", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE",
                     "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_SUBSCRIPTION_ID",
                     "ACI_EMULATOR_CONTROL_URL", "ACI_EMULATOR_CONTROL_TOKEN"}  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "--set", "exec.cap=many"),
        ("serve", "--set", "exec.capp=1"),
        ("serve", "--set", "nonsense"),
        ("serve", "--image", "x=relative"),
        ("run",),
    ],
)
def test_bad_arguments_are_named(arguments: tuple[str, ...]):
    process = emulator(*arguments)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "Traceback" not in errors


def test_settings():
    settings = build("strict", dotted(["exec.cap=7", "region=eastus", "limits.groups=3"]))
    assert (settings.exec.cap, settings.region, settings.limits.groups) == (7, "eastus", 3)
    assert settings.timings.window == 10
    with pytest.raises(msgspec.ValidationError):
        build("fast", {"exec": {"argv": "guess"}})


def test_the_line_adds_round_trips_and_limits_bandwidth(start):
    azure: Azure = start(link={"enabled": True, "rtt_ms": 80})
    url = azure.emulator.url + "/common/discovery/instance"

    def seconds(session: requests.Session) -> float:
        session.trust_env = False
        started = time.monotonic()
        session.get(url, verify=azure.emulator.ca_file, timeout=PATIENCE)
        return time.monotonic() - started

    def best(action: Callable[[], float], least: float, most: float) -> None:
        """Never less, and as much now and then: a busy machine may add to it."""
        for _ in range(20):
            taken = action()
            assert taken > least
            if taken < most:
                return
        raise AssertionError(f"never below {most}")

    best(lambda: seconds(requests.Session()), 0.23, 0.32)  # TCP, TLS 1.3, request: three round trips
    session = requests.Session()
    seconds(session)
    best(lambda: seconds(session), 0.08, 0.16)  # the connection is there: one
    name = azure.group()
    azure.emulator.control.link_options(rtt_ms=0, mbit=8)
    shell = azure.shell(name)
    shell.raw()
    shell.send(b"head -c 500000 /dev/zero; exit\n")
    started = time.monotonic()
    assert len(shell.rest()) >= 500000
    assert time.monotonic() - started > 0.4
