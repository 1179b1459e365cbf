"""The shell programs that make a machine its own dev container, in every shell at hand."""

import getpass
import json
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.devpod.machine_driver import DRIVER, program
from adapters.devpod.options import TABLE
from adapters.devpod.plan import KEEP_ALIVE, MACHINE_MARK
from tests.waiting import PATIENCE, until

SHELLS = [
    pytest.param(words, id=words[0], marks=pytest.mark.skipif(not shutil.which(words[0]), reason="not installed"))
    for words in (["sh"], ["dash"], ["bash", "--posix"], ["busybox", "sh"])
]
pytestmark = pytest.mark.parametrize("shell", SHELLS)

IMAGE = "mcr.microsoft.com/devcontainers/base:ubuntu"
OPTIONS: dict[str, Any] = {"uid": "u", "image": IMAGE, "env": {"DEVPOD": "true"}, "labels": ["devpod.user="]}


def go_json(value: Any) -> str:
    """As Go's encoder writes it: compact, unescaped except for < > & and two line separators."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def call(
    shell: list[str], name: str, home: Path, environ: Mapping[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    # The programs prefer /var/lib; a test has no business there.
    text = program(name).replace("/var/lib/devpod-provider-aci", str(home / "kept"))
    return subprocess.run(
        [*shell, "-c", text],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "DEVCONTAINER_ID": "default-he-f00ee",
            "WORKSPACE_IMAGE": IMAGE,
            **(environ or {}),
        },
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )


def run(shell: list[str], home: Path, options: Mapping[str, Any]) -> subprocess.CompletedProcess[bytes]:
    return call(shell, "run", home, {"DEVCONTAINER_RUN_OPTIONS": go_json(options)})


def found(shell: list[str], home: Path) -> Any:
    done = call(shell, "find", home)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def test_a_dev_containers_life(shell: list[str], tmp_path: Path) -> None:
    done = call(shell, "find", tmp_path)
    assert (done.returncode, done.stdout) == (0, b"")
    done = run(shell, tmp_path, OPTIONS)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    first = found(shell, tmp_path)
    assert first["ID"] == "default-he-f00ee"
    assert first["State"]["Status"] == "running"
    assert first["Config"]["Labels"] == {"devpod.user": ""}
    assert first["Created"].endswith("Z")
    for verb, status in (("stop", "exited"), ("start", "running")):
        assert call(shell, verb, tmp_path).returncode == 0
        assert found(shell, tmp_path)["State"]["Status"] == status
    run(shell, tmp_path, {**OPTIONS, "labels": ["a=b"]})
    assert found(shell, tmp_path)["Config"]["Labels"] == {"a": "b"}
    assert call(shell, "delete", tmp_path).returncode == 0
    assert found(shell, tmp_path) is None
    assert call(shell, "delete", tmp_path).returncode == 0
    assert call(shell, "stop", tmp_path).returncode == 0
    assert found(shell, tmp_path) is None


NASTY = [
    'devcontainer.metadata=[{"id":"x","a":"b=c","d":"\\\\"}]',
    'quote="',
    "backslash=\\",
    "backslashes=\\\\",
    'mixed=\\"\\\\"\\',
    "=empty name",
    "no equals sign",
    "newline=a\nb\tc\r",
    "control=\x01\x1f",
    "dollar=$HOME `id` $(id) ${x}",
    "percent=%s %d %% %b",
    'brackets=],"labels":["x=y"]}',
    "glob=* ? [a-z] !",
    "unicode=ü😀\u2028<>&",
    "quotes='it''s'",
    "spaces=  a   b  ",
]


def expected(labels: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (label.partition("=") for label in labels)}


def test_nasty_labels(shell: list[str], tmp_path: Path) -> None:
    nasty_env = {f"E{number}": text for number, text in enumerate(NASTY)} | {"labels": '"labels":["no=no"]'}
    run(shell, tmp_path, {**OPTIONS, "env": nasty_env, "labels": NASTY})
    assert found(shell, tmp_path)["Config"]["Labels"] == expected(NASTY)


def test_no_labels(shell: list[str], tmp_path: Path) -> None:
    run(shell, tmp_path, {"image": IMAGE})
    assert found(shell, tmp_path)["Config"]["Labels"] == {}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), max_size=4))
def test_any_labels(shell: list[str], tmp_path: Path, labels: list[str]) -> None:
    done = run(shell, tmp_path, {**OPTIONS, "labels": labels})
    assert done.returncode == 0, done.stderr
    assert found(shell, tmp_path)["Config"]["Labels"] == expected(labels)


def test_large_labels_in_bearable_time(shell: list[str], tmp_path: Path) -> None:
    metadata = json.dumps([{"id": f"feature-{number}", "name": 'a "quoted" name'} for number in range(700)])
    begun = time.monotonic()
    run(shell, tmp_path, {**OPTIONS, "labels": [f"devcontainer.metadata={metadata}"]})
    assert found(shell, tmp_path)["Config"]["Labels"] == {"devcontainer.metadata": metadata}
    assert time.monotonic() - begun < 100


def test_what_a_machine_cannot_become_is_said(shell: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    done = run(
        shell,
        tmp_path,
        {
            **OPTIONS,
            "image": "ubuntu:24.04",
            "env": {"DEVPOD": "true", "EDITOR": 'vi "x"', "PAGER": "less"},
            "capAdd": ["SYS_PTRACE"],
            "securityOpt": ["seccomp=unconfined"],
            "privileged": False,
            "workspaceMount": {"type": "bind", "source": "/a", "target": str(tmp_path / "workspace")},
            "mounts": [{"type": "volume", "source": "c", "target": str(folder)}],
        },
    )
    assert done.returncode == 0
    told = done.stdout.decode()
    for words in ("image ubuntu:24.04 is not used", "capAdd", "securityOpt", "EDITOR PAGER", f"mount {folder}"):
        assert words in told
    assert "DEVPOD " not in told
    assert folder.is_dir()
    assert not (tmp_path / "workspace").exists()


def test_privileged_is_refused(shell: list[str], tmp_path: Path) -> None:
    done = run(shell, tmp_path, {**OPTIONS, "privileged": True})
    assert (done.returncode, done.stdout) == (66, b"")
    assert b"no privileged containers" in done.stderr
    assert found(shell, tmp_path) is None


@pytest.mark.parametrize("text", ["", "null", "[]"])
def test_bad_run_options(shell: list[str], tmp_path: Path, text: str) -> None:
    done = call(shell, "run", tmp_path, {"DEVCONTAINER_RUN_OPTIONS": text})
    assert done.returncode == 65
    assert found(shell, tmp_path) is None


@pytest.mark.parametrize("identifier", ["", "../x"])
@pytest.mark.parametrize("name", ["find", "run", "start", "stop", "delete"])
def test_a_bad_identifier(shell: list[str], tmp_path: Path, name: str, identifier: str) -> None:
    done = call(shell, name, tmp_path, {"DEVCONTAINER_ID": identifier})
    assert (done.returncode, done.stdout) == (64, b"")


def test_the_kept_files_are_private(shell: list[str], tmp_path: Path) -> None:
    run(shell, tmp_path, OPTIONS)
    kept = tmp_path / "kept" / "default-he-f00ee"
    assert kept.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept.iterdir())


ME = getpass.getuser()


@pytest.mark.parametrize("user", [ME, str(os.getuid()), f"{os.getuid()}:0", f"{ME}:{ME}"])
def test_a_command_is_a_pipe(shell: list[str], tmp_path: Path, user: str) -> None:
    data = bytes(range(256)) * 300
    done = call(
        shell,
        "command",
        tmp_path,
        {"DEVCONTAINER_USER": user, "DEVCONTAINER_COMMAND": "cat; printf 'it'\\''s $1' >&2; exit 7"},
        stdin=data,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, data, b"it's $1")


def test_a_command_sees_no_option(shell: list[str], tmp_path: Path) -> None:
    secrets = {option.name: "hush" for option in TABLE if not option.environment_only}
    assert "AZURE_CLIENT_SECRET" in secrets
    done = call(
        shell, "command", tmp_path, {**secrets, "KEEP": "me", "DEVCONTAINER_USER": ME, "DEVCONTAINER_COMMAND": "env"}
    )
    assert b"hush" not in done.stdout
    assert b"DEVCONTAINER_COMMAND" not in done.stdout
    assert b"KEEP=me" in done.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("user", ["nobody", str(pwd.getpwnam("nobody").pw_uid)])
def test_a_command_as_somebody_else(shell: list[str], tmp_path: Path, user: str) -> None:
    tmp_path.chmod(0o755)
    done = call(shell, "command", tmp_path, {"DEVCONTAINER_USER": user, "DEVCONTAINER_COMMAND": "id -un; exit 3"})
    assert (done.returncode, done.stdout) == (3, b"nobody\n")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("user", ["nobody-there", "64123"])
def test_a_command_as_nobody_is_refused(shell: list[str], tmp_path: Path, user: str) -> None:
    done = call(shell, "command", tmp_path, {"DEVCONTAINER_USER": user, "DEVCONTAINER_COMMAND": "id -un"})
    assert done.returncode != 0
    assert done.stdout == b""
    assert user.encode() in done.stderr


def test_the_architecture(shell: list[str], tmp_path: Path) -> None:
    machine = os.uname().machine
    done = call(shell, "architecture", tmp_path)
    assert done.stdout.decode().strip() == {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def test_the_shutdown_leaves_strangers_alone(shell: list[str], tmp_path: Path) -> None:
    done = call(shell, "shutdown", tmp_path)
    assert done.returncode == 1
    assert b"left alone" in done.stderr


def caught_by(pid: int) -> set[int]:
    """The signals for which a process has a trap."""
    mask = int(Path(f"/proc/{pid}/status").read_text().partition("SigCgt:")[2].split()[0], 16)
    return {number for number in range(1, 65) if mask >> number - 1 & 1}


def test_the_shutdown_knows_our_main_process(shell: list[str], tmp_path: Path) -> None:
    with subprocess.Popen([*shell, *KEEP_ALIVE[1:]], start_new_session=True) as process:
        until(lambda: MACHINE_MARK.encode() in Path(f"/proc/{process.pid}/cmdline").read_bytes())
        until(lambda: signal.SIGTERM in caught_by(process.pid))
        text = program("shutdown").replace("/proc/1/", f"/proc/{process.pid}/").replace("TERM 1", f"TERM {process.pid}")
        assert subprocess.run([*shell, "-c", text], check=False, timeout=PATIENCE).returncode == 0
        assert process.wait(PATIENCE) == 0
        os.killpg(process.pid, signal.SIGKILL)  # its sleep


def test_every_program_is_there(shell: list[str]) -> None:
    for name in (*DRIVER.values(), "shutdown"):
        text = program(name)
        assert "@" not in text.replace("$@", "")
        assert subprocess.run([*shell, "-n", "-c", text], check=False, timeout=PATIENCE).returncode == 0
