"""DevPod's agent is in the container before DevPod asks: fetched there, checked, and placed anew by every start."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.testing import Running, running_emulator
from tests.adapters.devpod.agent.elf import elf
from tests.adapters.devpod.agent.releases import Releases, serving
from tests.e2e.provider import Provider, eventually

VERSION = "v0.6.15"
SIZE = 12_000_000
PATH = "/usr/local/bin/devpod"
OPTIONS = {
    "image": "debian:12",
    "user": "root",
    "entrypoint": "/bin/sh",
    "cmd": ["-c", 'echo Container started\ntrap "exit 0" 15\nexec "$@"\nwhile sleep 1 & wait $!; do :; done', "-"],
    "labels": ["devpod.user=root"],
}
# What matters of DevPod's script (pkg/inject/inject.sh, 0.6.15), in its own lines.
SCRIPT = """\
#!/bin/sh
set -e
INSTALL_DIR="/usr/local/bin"
INSTALL_FILENAME="devpod"
INSTALL_PATH="$INSTALL_DIR/$INSTALL_FILENAME"
echo "ping"
IFS='$\\n' read -r DEVPOD_PING
[ "$DEVPOD_PING" = "pong" ] || exit 1
download() {{
  DOWNLOAD_URL="{url}/devpod-linux-amd64"
}}
if [ "$(/usr/local/bin/devpod version 2>/dev/null || echo 'false')" != "{version}" ]; then
  rm -f $INSTALL_PATH
  echo "ARM-false"
  cat > $INSTALL_PATH.$$
  mv $INSTALL_PATH.$$ $INSTALL_PATH
  chmod +x $INSTALL_PATH
  echo "done"
  exit 0
fi
echo "done"
"""

slow = pytest.mark.skipif("ACI_SLOW_TESTS" not in os.environ, reason="set ACI_SLOW_TESTS=1")


@pytest.fixture(scope="module")
def azure() -> Iterator[Running]:
    """ACI on this computer; containers without a file system of their own would change this computer's."""
    quirky = {"rootfs": "/", "cmd": ["/bin/sh"]}
    # Whoever tests here may have DevPod installed where it wants its agent.
    other = {"name": "*", "writable": ["/usr/local/bin"], **quirky}
    images = [{"name": "users", "user": "1234", **quirky}, {"name": "sealed", "read_only": True, **quirky}, other]
    with running_emulator(images=images) as running:
        if running.control.health()["isolation"] != "namespaces":
            pytest.skip("needs namespaces")
        yield running


@pytest.fixture
def releases() -> Iterator[Releases]:
    with serving(elf(VERSION, SIZE)) as server:
        yield server


@pytest.fixture
def user(user: Provider, releases: Releases) -> Provider:
    """Somebody whose DevPod is a release."""
    program = user.home / "devpod"
    program.write_bytes(releases.data)
    program.chmod(0o755)
    return user.with_env(DEVPOD=str(program), ACI_AGENT_URL=releases.url)


def run(workspace: Provider, **changes: object) -> None:
    workspace.ok("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(OPTIONS | changes))


def inject(workspace: Provider, releases: Releases, version: str = VERSION, url: str = "") -> list[str]:
    """What DevPod reads when it looks for its agent; it pushes the release's data where it is asked to."""
    script = SCRIPT.format(version=version, url=url or releases.url)
    answer = workspace.shell(script, b"pong\n" + releases.data, DEVCONTAINER_USER="root")
    assert answer.stderr == b""
    return answer.stdout.decode().split()


def there(workspace: Provider, version: str = VERSION) -> bool:
    return workspace.shell(f"{PATH} version").stdout == version.encode()


def log(workspace: Provider) -> str:
    return workspace.shell("cat /usr/local/bin/.devpod-aci/log").stdout.decode()


def test_the_agent_is_there_before_it_is_asked_for_and_after_every_start(machine: Provider, releases: Releases) -> None:
    machine.ok("create")
    assert eventually(lambda: there(machine), every=0.3)
    found = machine.shell(f"sha256sum <{PATH}; stat -c '%a %u' {PATH}; ls -A /usr/local/bin/.devpod-aci")
    digest = hashlib.sha256(releases.data).hexdigest()
    assert found.stdout.decode().split() == [digest, "-", "755", "0", "log", "placed"]
    assert inject(machine, releases) == ["ping", "done"]
    assert releases.asked == ["/download/v0.6.15/devpod-linux-amd64"]
    machine.ok("stop")
    machine.ok("start")
    assert eventually(lambda: there(machine), every=0.3)
    assert len(releases.asked) == 2


def test_an_address_with_a_signature_is_told_to_the_container_only(devcontainer: Provider, releases: Releases) -> None:
    signed = devcontainer.with_env(ACI_AGENT_URL="", DEVPOD_AGENT_URL=f"{releases.url}/?sig=VERYSECRET")
    run(signed)
    assert eventually(lambda: there(signed), every=0.3)
    assert releases.asked == ["/download/v0.6.15/devpod-linux-amd64?sig=VERYSECRET"]
    assert "VERYSECRET" not in log(signed)
    assert b"VERYSECRET" not in signed.log.read_bytes()


def test_devpod_waits_for_an_agent_on_its_way(devcontainer: Provider, releases: Releases) -> None:
    releases.rate = 4_000_000
    run(devcontainer)
    assert inject(devcontainer, releases) == ["ping", "done"]
    assert len(releases.asked) == 1


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("cut", SIZE // 2),
        pytest.param("rate", 500_000.0, marks=slow),
        pytest.param("status", 404, marks=slow),
        pytest.param("hold", 6.0, marks=slow),
        pytest.param("data", elf(VERSION, SIZE + 1), marks=slow, id="data"),
    ],
)
def test_devpod_pushes_where_the_fetch_fails(
    devcontainer: Provider, releases: Releases, how: str, value: object
) -> None:
    setattr(releases, how, value)
    run(devcontainer)
    assert inject(devcontainer, releases) == ["ping", "ARM-false", "done"]
    assert there(devcontainer)
    assert inject(devcontainer, releases) == ["ping", "done"]
    assert len(releases.asked) == 1


def test_a_container_whose_first_process_is_no_shell_fetches_when_asked(
    devcontainer: Provider, releases: Releases
) -> None:
    run(devcontainer, entrypoint="/bin/sleep", cmd=["1000"])
    assert releases.asked == []
    assert inject(devcontainer, releases) == ["ping", "done"]
    # So does one that is asked by a DevPod that was upgraded since.
    releases.data = elf("v0.7.0", SIZE)
    Path(devcontainer.env["DEVPOD"]).write_bytes(releases.data)
    assert inject(devcontainer, releases, version="v0.7.0") == ["ping", "done"]
    assert there(devcontainer, "v0.7.0")
    assert len(releases.asked) == 2


def test_nothing_changes_when_it_is_off(devcontainer: Provider, releases: Releases) -> None:
    off = devcontainer.with_env(ACI_AGENT_FETCH="false")
    run(off)
    assert "DEVPOD_ACI_AGENT" not in off.shell("env").stdout.decode()
    assert inject(off, releases) == ["ping", "ARM-false", "done"]
    assert releases.asked == []


@pytest.mark.parametrize("image", [pytest.param("users", marks=slow), "sealed"])
def test_an_image_where_nothing_can_be_placed_runs_as_ever(
    devcontainer: Provider, releases: Releases, image: str
) -> None:
    run(devcontainer, image=image)
    assert b"Container started" in devcontainer.ok("logs")
    assert devcontainer.shell("ls -A /usr/local/bin/.devpod-aci; echo here").stdout == b"here\n"
    assert releases.asked == []
