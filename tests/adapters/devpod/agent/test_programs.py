"""The programs that bring the agent into a container, in every shell and with every tool at hand."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp

import pytest
import trustme

from adapters.devpod.agent.placing import program
from tests.adapters.devpod.agent.elf import elf
from tests.adapters.devpod.agent.releases import Releases, serving
from tests.e2e.provider import eventually
from tests.waiting import PATIENCE

VERSION = "v0.6.15"
AGENT = elf(VERSION, 6_000_000)
DIGEST = hashlib.sha256(AGENT).hexdigest()
PLACE = program("facts", "place")
AWAIT = program("facts", "await")
SHELLS = [
    pytest.param(words, id=words[0], marks=pytest.mark.skipif(not shutil.which(words[0]), reason="not installed"))
    for words in (["dash"], ["bash", "--posix"], ["busybox", "sh"], ["mksh"], ["zsh", "--emulate", "sh"])
]
BASIC = ("sh", "cat", "date", "id", "ls", "mkdir", "mv", "rm", "chmod", "uname", "sleep", "sudo")
FETCHERS = {
    "curl": ["curl", "sha256sum"],
    "wget": ["wget", "openssl"],
    "busybox": ["busybox"],
    "python3": ["python3"],
}


@pytest.fixture
def releases() -> Iterator[Releases]:
    with serving(AGENT) as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the agent is wanted, in a folder whose name has a blank."""
    return tmp_path / "usr local" / "bin" / "devpod"


def facts(releases: Releases, path: Path, version: str = VERSION, digest: str = DIGEST) -> str:
    return f"{version} {digest} {len(AGENT) // 1000} {releases.url}/devpod-linux-amd64 {path}"


def only(folder: Path, names: list[str]) -> dict[str, str]:
    """An environment in which only these programs are found."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        if found is None and name in BASIC:
            continue
        if found is None:
            pytest.skip(f"needs {name}")
        # Some of them are scripts that look for others.
        (folder / name).symlink_to(os.path.realpath(sys.executable if name == "python3" else found))
    return {"PATH": str(folder), "HOME": str(folder)}


def place(told: str, shell: Sequence[str] = ("sh",), env: dict[str, str] | None = None) -> int:
    return subprocess.run(
        [*shell, "-c", PLACE, "place", PLACE, told], env=env, timeout=PATIENCE, check=False
    ).returncode


def awaited(told: str, shell: Sequence[str] = ("sh",)) -> float:
    """Seconds that a command waits."""
    begun = time.monotonic()
    done = subprocess.run(
        [*shell, "-c", AWAIT, "await", PLACE, told], timeout=PATIENCE, check=False, capture_output=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    return time.monotonic() - begun


LONGEST = 8.0
"""Seconds that a command waits in the worst case; those ticks are longer on a busy machine, and never shorter."""


def soon(releases: Releases, path: Path, shell: Sequence[str] = ("sh",)) -> bool:
    """Whether a command waits for less than that; asked again elsewhere, for a busy machine may make more of less."""
    others = (path.parent.parent / f"bin{number}" / path.name for number in range(4))
    return any(awaited(facts(releases, each), shell) < LONGEST for each in (path, *others))


def at_once(told: str, shell: Sequence[str] = ("sh",)) -> bool:
    """Whether a command does not wait at all: where it does, it is a second at least."""
    return any(awaited(told, shell) < 0.5 for _ in range(10))


def kept(path: Path) -> dict[str, str]:
    """What is left beside the agent."""
    return {each.name: each.read_text().strip() for each in (path.parent / ".devpod-aci").iterdir()}


def assert_placed(path: Path) -> None:
    assert path.read_bytes() == AGENT
    assert path.stat().st_mode & 0o777 == 0o755
    assert set(kept(path)) == {"log", "placed"}
    assert kept(path)["placed"] == f"{VERSION} {DIGEST}"
    assert sorted(each.name for each in path.parent.iterdir()) == [".devpod-aci", "devpod"]


def assert_refused(path: Path, why: str) -> None:
    assert not path.exists()
    assert set(kept(path)) == {"log", "failed"}
    assert re.fullmatch(rf"\S+Z v[0-9.]+: .*{why}.*", kept(path)["log"])


@pytest.mark.parametrize("shell", SHELLS)
def test_an_agent_is_placed_whole(releases: Releases, path: Path, shell: list[str]) -> None:
    assert place(facts(releases, path), shell) == 0
    assert_placed(path)


@pytest.mark.parametrize("tools", FETCHERS.values(), ids=FETCHERS)
def test_any_tool_will_do(releases: Releases, path: Path, tmp_path: Path, tools: list[str]) -> None:
    assert place(facts(releases, path), env=only(tmp_path / "tools", [*BASIC, *tools])) == 0
    assert_placed(path)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_server_with_a_certificate_is_believed_as_the_image_believes_it(
    path: Path, tmp_path: Path, trusted: bool
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    env = only(tmp_path / "tools", [*BASIC, *FETCHERS["curl"]])
    if trusted:
        env["CURL_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    with serving(AGENT, tls) as releases:
        assert place(facts(releases, path), env=env) == (0 if trusted else 1)
    if trusted:
        assert_placed(path)
    else:
        assert_refused(path, "status 60")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_an_image_of_another_user_asks_sudo_as_devpod_does(releases: Releases, path: Path, tmp_path: Path) -> None:
    folder = Path(mkdtemp(prefix="dpaci-"))
    path = folder / "bin" / "devpod"
    path.parent.mkdir()
    asked = folder / "asked"
    asked.mkdir()
    env = only(folder / "tools", [*BASIC, *FETCHERS["curl"]])
    (folder / "tools" / "sudo").unlink(missing_ok=True)
    (folder / "tools" / "sudo").write_text(f'#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done >{asked}/words\n')
    try:
        for each in (folder, folder / "tools", folder / "tools" / "sudo"):
            each.chmod(0o755)
        asked.chmod(0o777)
        words = ["/bin/sh", "-c", PLACE, "place", PLACE, facts(releases, path)]
        assert subprocess.run(words, env=env, user=12345, group=12345, timeout=PATIENCE, check=False).returncode == 0
        assert (asked / "words").read_bytes().decode().split("\0")[:-1] == ["-n", "-E", *words]
        assert not path.exists()
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(("tools", "lacks"), [(["sha256sum"], "fetch it"), (["curl"], "check it")])
def test_an_image_without_the_tools_is_left_alone(
    releases: Releases, path: Path, tmp_path: Path, tools: list[str], lacks: str
) -> None:
    assert place(facts(releases, path), env=only(tmp_path / "tools", [*BASIC, *tools])) == 1
    assert_refused(path, lacks)
    assert releases.asked == []


def test_the_wrong_file_is_refused(releases: Releases, path: Path) -> None:
    assert place(facts(releases, path, digest="0" * 64)) == 1
    assert_refused(path, "SHA-256")
    releases.data = elf("v0.6.14", 6_000_000)
    assert place(facts(releases, path, digest=hashlib.sha256(releases.data).hexdigest())) == 1
    assert not path.exists()
    assert "does not run" in kept(path)["log"]


def test_an_agent_of_another_version_is_replaced_and_a_right_one_kept(releases: Releases, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(elf("v0.6.14"))
    path.chmod(0o755)
    assert place(facts(releases, path)) == 0
    assert_placed(path)
    assert place(facts(releases, path)) == 0
    assert len(releases.asked) == 1


@pytest.mark.parametrize("fetcher", ["curl", "python3"])
def test_half_a_download_leaves_nothing(releases: Releases, path: Path, tmp_path: Path, fetcher: str) -> None:
    releases.cut = 3_000_000
    assert place(facts(releases, path), env=only(tmp_path / "tools", [*BASIC, *FETCHERS[fetcher]])) == 1
    assert_refused(path, "")


def test_an_address_that_cannot_be_reached_is_given_up_at_once(releases: Releases, path: Path) -> None:
    told = facts(releases, path).replace(releases.host, "127.0.0.1:9")
    assert awaited(told) < LONGEST
    assert_refused(path, "status")
    assert at_once(told), "and not tried again"
    assert len(kept(path)["log"].splitlines()) == 1


def test_a_server_that_says_nothing_is_not_waited_for(releases: Releases, path: Path) -> None:
    releases.hold = 600
    assert soon(releases, path)


def test_a_slow_server_is_not_waited_for(releases: Releases, path: Path) -> None:
    releases.rate = 200_000
    assert soon(releases, path)
    assert not path.exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_waits_for_a_fetch_on_its_way(releases: Releases, path: Path, shell: list[str]) -> None:
    releases.hold = 0.5
    with subprocess.Popen(["sh", "-c", PLACE, "place", PLACE, facts(releases, path)]) as fetch:
        assert eventually(lambda: bool(releases.asked), every=0.01)
        awaited(facts(releases, path), shell)
        assert_placed(path)
        assert fetch.wait() == 0
    assert len(releases.asked) == 1
    assert at_once(facts(releases, path), shell)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_begins_what_was_not_begun(releases: Releases, path: Path, shell: list[str]) -> None:
    assert soon(releases, path, shell)
    assert_placed(path)


def test_an_agent_that_devpod_pushed_is_known_again(releases: Releases, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(AGENT)
    path.chmod(0o755)
    (path.parent / ".devpod-aci").mkdir()
    awaited(facts(releases, path))
    assert releases.asked == []
    assert kept(path) == {"placed": f"{VERSION} {DIGEST}"}
    time.sleep(0.02)
    path.write_bytes(elf("v0.6.14"))
    awaited(facts(releases, path))
    assert path.read_bytes() == AGENT, "a newer file than the mark is looked at"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_fetch_leaves_no_agent_and_is_taken_up(releases: Releases, path: Path, number: signal.Signals) -> None:
    releases.rate = 1_000_000
    told = facts(releases, path)
    with subprocess.Popen(["sh", "-c", PLACE, "place", PLACE, told], start_new_session=True) as fetch:
        assert eventually(lambda: bool(releases.asked))
        os.killpg(fetch.pid, number)
    assert not path.exists()
    releases.rate = 0
    awaited(told)
    assert path.read_bytes() == AGENT
    assert set(kept(path)) == {"log", "placed"}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_a_folder_of_another_user_is_not_trusted(releases: Releases, path: Path) -> None:
    folder = path.parent / ".devpod-aci"
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12345)
    assert place(facts(releases, path)) == 1
    assert releases.asked == []
    assert not path.exists()


def test_two_at_once_do_no_harm(releases: Releases, path: Path) -> None:
    releases.rate = 20_000_000
    threads = [threading.Thread(target=place, args=(facts(releases, path),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_placed(path)


def test_the_first_process_becomes_what_it_was_to_be(releases: Releases, path: Path) -> None:
    told = facts(releases, path)
    script = 'printf "%s|" "$$" "$0" "$@" "${DEVPOD_ACI_AGENT-gone}"; cat /proc/$$/comm'
    with subprocess.Popen(
        ["sh", "-c", program("start"), "sh", PLACE, "sh", "-c", script, "a b", "'\"$x", ""],
        stdout=subprocess.PIPE,
        env=os.environ | {"DEVPOD_ACI_AGENT": told},
        text=True,
    ) as process:
        assert process.communicate(timeout=PATIENCE)[0] == f"{process.pid}|a b|'\"$x||gone|sh\n"
    assert eventually(path.exists)
    assert eventually(lambda: "placed" in kept(path))
    assert_placed(path)


def test_no_program_holds_a_comment_or_is_long() -> None:
    for text in (program("start"), PLACE, AWAIT):
        assert not re.search(r"^\s*#", text, re.MULTILINE)
        assert len(text) < 4096
