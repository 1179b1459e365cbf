"""Which release a container may fetch, and where from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from adapters.devpod import parse
from adapters.devpod.agent.local import known
from adapters.devpod.agent.placing import asked, at_start
from adapters.devpod.agent.release import Release, address, wanted_release
from adapters.devpod.plan import KEEP_ALIVE, RunPlan, machine_plan
from statemachine.errors import OptionError
from tests.adapters.devpod.agent.elf import elf

DATA = elf("v0.6.15", 5000)
DIGEST = hashlib.sha256(DATA).hexdigest()
GITHUB = "https://github.com/loft-sh/devpod/releases/download"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DevPod's own cache of agents is empty."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))


def devpod(folder: Path, data: bytes) -> Path:
    path = folder / "devpod"
    path.write_bytes(data)
    path.chmod(0o755)
    return path


def wanted(tmp_path: Path, data: bytes | None = DATA, told: str = "", **env: str) -> Release | None:
    environ = {"AZURE_SUBSCRIPTION_ID": "01234567-89ab-cdef-0123-456789abcdef", **env}
    if data is not None:
        environ["DEVPOD"] = str(devpod(tmp_path, data))
    return wanted_release(environ, parse(environ, None), tmp_path / "state" / "agent.json", told)


def test_the_release_is_the_users_own(tmp_path: Path) -> None:
    url = f"{GITHUB}/v0.6.15/devpod-linux-amd64"
    assert wanted(tmp_path) == Release(version="v0.6.15", sha256=DIGEST, size=5000, url=url)


@pytest.mark.parametrize(
    ("env", "told", "url"),
    [
        ({"ACI_AGENT_URL": "https://m.example/${VERSION}"}, "", "https://m.example/v0.6.15/devpod-linux-amd64"),
        ({"ACI_AGENT_URL": "http://m.example/a/"}, "https://t.example/x", "http://m.example/a/devpod-linux-amd64"),
        ({"DEVPOD_AGENT_URL": "https://d.example/a"}, "https://t.example/x", "https://t.example/x"),
        ({"DEVPOD_AGENT_URL": "https://d.example/a?sig=1"}, "", "https://d.example/a/devpod-linux-amd64?sig=1"),
        ({"DEVPOD_AGENT_URL": "https://d.example/${BIN_NAME}.bin/"}, "", "https://d.example/devpod-linux-amd64.bin"),
    ],
)
def test_where_it_is(tmp_path: Path, env: dict[str, str], told: str, url: str) -> None:
    found = wanted(tmp_path, told=told, **env)
    assert found is not None
    assert found.url == url


@pytest.mark.parametrize(
    ("data", "env"),
    [
        pytest.param(DATA, {"ACI_AGENT_FETCH": "false"}, id="off"),
        pytest.param(DATA, {"DEVPOD_AGENT_URL": "ftp://d.example"}, id="no address"),
        pytest.param(DATA, {"DEVPOD_AGENT_URL": "https://d.example/a b"}, id="a blank in the address"),
        pytest.param(elf("v0.0.0"), {}, id="no release"),
        pytest.param(elf("unknown"), {}, id="no version"),
        pytest.param(b"#!/bin/sh\nprintf v0.6.15\n", {}, id="not the release's file"),
        pytest.param(elf("v0.6.15").replace(b"\x3e\0", b"\xb7\0", 1), {}, id="for another processor"),
        pytest.param(b"#!/bin/sh\nexit 3\n", {"ACI_AGENT_SHA256": "0" * 64}, id="fails"),
        pytest.param(None, {"DEVPOD": "/nowhere/devpod"}, id="not there"),
        pytest.param(None, {}, id="not called by DevPod"),
    ],
)
def test_what_is_not_fetched(tmp_path: Path, data: bytes | None, env: dict[str, str]) -> None:
    assert wanted(tmp_path, data, **env) is None


def test_where_the_users_devpod_is_another_file_its_hash_can_be_given_or_is_that_of_what_devpod_would_push(
    tmp_path: Path,
) -> None:
    script = b"#!/bin/sh\nprintf v0.6.15\n"
    given = wanted(tmp_path, script, ACI_AGENT_SHA256="a" * 64)
    assert given is not None
    assert given.sha256 == "a" * 64
    folder = tmp_path / "temporary" / "devpod-cache"
    folder.mkdir(parents=True)
    (folder / "devpod-linux-amd64").write_bytes(DATA)
    pushed = wanted(tmp_path, script)
    assert pushed is not None
    assert pushed.sha256 == DIGEST


WRAPPER = b"#!/bin/sh\nprintf v0.6.15\n"
"""A DevPod that is no binary of Linux: the agent that DevPod would push is looked at."""


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    """The agent that DevPod keeps to push."""
    folder = tmp_path / "temporary" / "devpod-cache"
    folder.mkdir(parents=True)
    (folder / "devpod-linux-amd64").write_bytes(DATA)
    return folder / "devpod-linux-amd64"


def test_what_devpod_would_push_is_not_run(tmp_path: Path, pushed: Path) -> None:
    """Its folder is in a temporary folder, where everybody may be the first."""
    pushed.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nprintf v0.6.15\n")
    pushed.chmod(0o755)
    assert wanted(tmp_path, WRAPPER) is None
    assert wanted(tmp_path, WRAPPER, ACI_AGENT_SHA256="a" * 64) is not None
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="giving a file to somebody else takes root")
@pytest.mark.parametrize("which", ["the file", "the folder"])
def test_what_somebody_else_would_have_pushed_vouches_for_nothing(tmp_path: Path, pushed: Path, which: str) -> None:
    os.chown(pushed if which == "the file" else pushed.parent, 65534, 65534)
    assert wanted(tmp_path, WRAPPER) is None


@pytest.mark.parametrize("which", ["the file", "the folder"])
def test_what_others_can_write_vouches_for_nothing(tmp_path: Path, pushed: Path, which: str) -> None:
    (pushed if which == "the file" else pushed.parent).chmod(0o777)
    assert wanted(tmp_path, WRAPPER) is None


def test_a_pipe_in_its_place_keeps_nobody_waiting(tmp_path: Path, pushed: Path) -> None:
    pushed.unlink()
    os.mkfifo(pushed)
    assert wanted(tmp_path, WRAPPER) is None


def test_a_link_in_its_place_vouches_for_nothing(tmp_path: Path, pushed: Path) -> None:
    pushed.rename(tmp_path / "elsewhere")
    pushed.symlink_to(tmp_path / "elsewhere")
    assert wanted(tmp_path, WRAPPER) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACI_AGENT_FETCH", "yes"),
        ("ACI_AGENT_URL", "https://user:secret@m.example"),
        ("ACI_AGENT_URL", "https://m.example/?sig=secret"),
        ("ACI_AGENT_URL", "m.example"),
        ("ACI_AGENT_SHA256", "ABC"),
    ],
)
def test_a_bad_option_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(OptionError, match=name):
        wanted(tmp_path, **{name: value})


def test_a_binary_is_read_once_until_it_changes(tmp_path: Path) -> None:
    cache = tmp_path / "state" / "agent.json"
    path = devpod(tmp_path, DATA)
    first = known(path, cache)
    assert (first.version, first.sha256) == ("v0.6.15", DIGEST)
    assert cache.stat().st_mode & 0o777 == 0o600
    same = path.stat()
    path.write_bytes(b"x" * len(DATA))
    os.utime(path, ns=(same.st_atime_ns, same.st_mtime_ns))
    assert known(path, cache) == first
    other = elf("v0.7.0", 5001)
    path.write_bytes(other)
    assert known(path, cache).version == "v0.7.0"


@pytest.mark.parametrize("text", [b"", b"[]", b'{"x": 1}', b"\xff\0"])
def test_a_damaged_cache_costs_one_reading(tmp_path: Path, text: bytes) -> None:
    cache = tmp_path / "agent.json"
    cache.write_bytes(text)
    assert known(devpod(tmp_path, DATA), cache).sha256 == DIGEST


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert known(devpod(tmp_path, DATA), tmp_path / "file" / "agent.json").sha256 == DIGEST


RELEASE = Release(version="v1.2.3", sha256="a" * 64, size=7000, url="https://m.example/?sig=secret")


def test_a_plan_is_changed_where_a_shell_begins() -> None:
    settings = parse({"AZURE_SUBSCRIPTION_ID": "01234567-89ab-cdef-0123-456789abcdef"}, "machine")
    plan = machine_plan(settings)
    placed = at_start(plan, RELEASE, "/opt/a b/devpod")
    assert placed.command[-len(KEEP_ALIVE) :] == KEEP_ALIVE
    assert not any("secret" in word for word in placed.command)
    (name,) = placed.environment
    assert placed.environment[name].reveal() == f"v1.2.3 {'a' * 64} 7 https://m.example/?sig=secret /opt/a b/devpod"
    assert at_start(plan, None, "/x") == plan


@pytest.mark.parametrize("command", [(), ("/usr/bin/mongod", "--quiet"), ("/.dockerless/dockerless", "start")])
def test_a_plan_without_a_shell_stays_as_it_is(command: tuple[str, ...]) -> None:
    plan = RunPlan(image="a", command=command, environment={}, labels=b"", emptydirs=(), warnings=())
    assert at_start(plan, RELEASE, "/x") is plan


def test_devpods_script_is_understood_or_left_alone() -> None:
    script = (
        '#!/bin/sh\nset -e\nINSTALL_DIR="/usr/local/bin"\nINSTALL_FILENAME="devpod"\n\necho "ping"\n'
        'download() {\n  DOWNLOAD_URL="https://m.example/devpod-linux-amd64"\n  if is_arm; then\n'
        '    DOWNLOAD_URL="https://m.example/devpod-linux-arm64"\n  fi\n}\n'
        'if [ "$(/usr/local/bin/devpod version 2>/dev/null || echo \'false\')" != "v0.6.15" ]; then\n'
    )
    found = asked(script)
    assert found is not None
    assert (found.path, found.version, found.url) == (
        "/usr/local/bin/devpod",
        "v0.6.15",
        "https://m.example/devpod-linux-amd64",
    )
    for line in script.splitlines():
        if "INSTALL" in line or "version" in line:
            assert asked(script.replace(line, "")) is None
    for bad in ("$(id)", "`id`", 'a"b', "a\\b"):
        assert asked(script.replace("usr/local/bin", bad, 1)) is None


def test_addresses_follow_devpods_rules() -> None:
    assert address("https://a.example/b//", "v1.0.0") == "https://a.example/b/devpod-linux-amd64"
    assert (
        address("https://a.example/${BIN_NAME}?x=${VERSION}", "v1.0.0")
        == "https://a.example/devpod-linux-amd64?x=v1.0.0"
    )
