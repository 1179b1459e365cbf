"""A long-lived session: OpenSSH's client through the provider's ``command`` to ``sshd -i`` in the container."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.provider import Provider, eventually

SSHD = "/usr/sbin/sshd"
pytestmark = [
    pytest.mark.skipif(
        not (Path(SSHD).exists() and shutil.which("ssh")) and not os.environ.get("CI"),
        reason="needs OpenSSH's client and server",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="sshd becomes another user, which takes root"),
]
PREPARE = """
set -e
umask 077
mkdir -p /run/sshd
rm -rf /tmp/dpaci-sshd && mkdir -p /tmp/dpaci-sshd
tar -x -o -f - -C /tmp/dpaci-sshd
chmod 700 /tmp/dpaci-sshd
"""
SERVE = (
    f"exec {SSHD} -i -f /dev/null -h /tmp/dpaci-sshd/host -o AuthorizedKeysFile=/tmp/dpaci-sshd/user.pub "
    "-o StrictModes=no -o PermitRootLogin=yes -o UsePAM=no -o Subsystem='sftp internal-sftp' -o PidFile=none"
)


@dataclass(frozen=True)
class Session:
    """How to reach the container by ssh."""

    provider: Provider
    keys: Path

    def options(self) -> list[str]:
        proxy = f"{shlex.quote(sys.executable)} -m adapters.cli command"
        settings = {
            "ProxyCommand": proxy,
            "IdentityFile": self.keys / "user",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.keys / "known_hosts",
            "StrictHostKeyChecking": "accept-new",
            "LogLevel": "ERROR",
            "ConnectTimeout": "60",
        }
        return ["-F", "/dev/null", *(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))]

    def env(self) -> dict[str, str]:
        return self.provider.env | {"COMMAND": SERVE}

    def ssh(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["ssh", *self.options(), "root@container", *words],
            input=stdin,
            capture_output=True,
            env=self.env(),
            timeout=120,
            check=False,
        )


@pytest.fixture
def session(machine: Provider, tmp_path: Path) -> Session:
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    machine.ok("create")
    bundle = subprocess.run(
        ["tar", "-c", "-f", "-", "-C", tmp_path, "host", "user.pub"], capture_output=True, check=True
    ).stdout
    answer = machine.shell(PREPARE, bundle)
    assert answer.returncode == 0, answer.stderr
    return Session(machine, tmp_path)


def test_commands_and_their_exit_status(session: Session) -> None:
    answer = session.ssh("echo out; echo err >&2; exit 42")
    assert (answer.stdout, answer.stderr, answer.returncode) == (b"out\n", b"err\n", 42)


def test_64_mib_each_way_arrive_exactly(session: Session, tmp_path: Path) -> None:
    data = os.urandom(64 * 2**20)
    digest = hashlib.sha256(data).hexdigest()
    up = session.ssh("cat > /tmp/dpaci-big && sha256sum < /tmp/dpaci-big", stdin=data)
    assert up.stdout.split()[0].decode() == digest
    down = session.ssh("cat /tmp/dpaci-big")
    assert hashlib.sha256(down.stdout).hexdigest() == digest


def test_a_forwarded_port(session: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service, socket.create_server(("127.0.0.1", 0)) as probe:
        local, remote = probe.getsockname()[1], service.getsockname()[1]
        probe.close()
        call = subprocess.Popen(
            ["ssh", *session.options(), "-L", f"{local}:127.0.0.1:{remote}", "root@container", "echo up; cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=session.env(),
        )
        try:
            assert call.stdout is not None
            assert call.stdout.readline() == b"up\n"
            with socket.create_connection(("127.0.0.1", local), timeout=20) as near:
                service.settimeout(20)
                far, _ = service.accept()
                with far:
                    near.sendall(b"through the tunnel")
                    assert far.recv(100) == b"through the tunnel"
                    far.sendall(b"and back")
                    assert near.recv(100) == b"and back"
        finally:
            call.kill()
            call.communicate()


def test_ten_sessions_at_once(session: Session) -> None:
    def one(number: int) -> bytes:
        return session.ssh(f"cat; echo {number}", stdin=os.urandom(100_000)).stdout[100_000:]

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(one, range(10))) == [f"{number}\n".encode() for number in range(10)]


def test_killing_the_client_ends_the_far_side_and_the_log_says_so(session: Session) -> None:
    call = subprocess.Popen(
        [sys.executable, "-m", "adapters.cli", "command"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=session.provider.env | {"COMMAND": "echo $$; exec sleep 4242"},
    )
    assert call.stdout is not None
    pid = call.stdout.readline().decode().strip()
    call.kill()
    call.communicate()
    gone = f"kill -0 {pid} 2>/dev/null || echo gone"
    assert eventually(lambda: session.provider.shell(gone).stdout == b"gone\n")
    closed = [event for event in session.provider.events() if event["type"] == "CommandClosed"]
    assert "abandoned" in [event["data"].get("reason") for event in closed]
