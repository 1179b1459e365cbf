"""The two sides of the tunnel's bench: a bare raw terminal behind the WebSocket, and a program's pipes."""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from adapters.azure import AzureGroups
from adapters.tunnel.channel.websocket import Channel
from statemachine.events import GroupRef
from tools.figures import ROOT

MESSAGE = 32 * 1024
CHUNK = 1 << 20
PATIENCE = 120.0
GO = b"@go\n"
DONE = b"@done"
BLOCK = os.urandom(CHUNK)
"""What goes up. Random, or else the tunnel would compress it and the bare side could not."""


class Bare:
    """A raw terminal behind the exec WebSocket: the same Channel as the tunnel's, and nothing on top of it."""

    def __init__(self, groups: AzureGroups, ref: GroupRef, ca_file: str, command: str) -> None:
        uri, password = groups.open_exec(ref)
        self.channel = Channel.open(uri, ca_file, 30)
        self.channel.send_text(password.reveal())
        # The marker is made of two words, so the echo of this line is not taken for it.
        line = f"stty raw -echo; printf '@%s\\n' go; {command}\n"
        self.channel.send(line.encode(), 512)
        self.until(GO)

    def until(self, marker: bytes) -> bytes:
        """Read until the marker has passed; returns what came before it, its end at least."""
        seen = b""
        while marker not in seen:
            seen = seen[-4096:] + b"".join(self.channel.wait(time.monotonic() + PATIENCE))
        return seen

    def up(self, size: int, digest: str = "") -> float:
        """Seconds until the far end has had ``size`` bytes, and told their digest if there is one to compare with."""
        before = time.perf_counter()
        for at in range(0, size, CHUNK):
            self.channel.send(BLOCK[: min(CHUNK, size - at)], MESSAGE)
            self.channel.flush()
            while self.channel.wants_write and self.channel.closed is None:
                select.select([], [self.channel.fileno()], [])
                self.channel.flush()
        _compare(self.until(DONE), digest)
        return time.perf_counter() - before

    def down(self, size: int) -> float:
        """Seconds from asking for ``size`` bytes until they are here."""
        before, got = time.perf_counter(), 0
        self.channel.send(b"x", MESSAGE)
        while got < size:
            got += sum(map(len, self.channel.wait(time.monotonic() + PATIENCE)))
        return time.perf_counter() - before

    def echoes(self, count: int) -> list[float]:
        """Milliseconds of each echo."""

        def receive() -> int:
            return sum(map(len, self.channel.wait(time.monotonic() + PATIENCE)))

        return _echoes(lambda: self.channel.send(b"k", MESSAGE), receive, count)

    def close(self) -> None:
        """Hang up."""
        self.channel.shut()


class Piped:
    """A program whose stdin and stdout lead into a container: the provider's ``command``, or ``podman exec -i``."""

    def __init__(self, program: Sequence[str], env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            program, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=ROOT
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.until(GO)

    def until(self, marker: bytes) -> bytes:
        """Read until the marker has passed; returns what came before it, its end at least."""
        seen = b""
        while marker not in seen:
            data = os.read(self.stdout, 65536)
            if not data:
                raise RuntimeError("the command ended early")
            seen = seen[-4096:] + data
        return seen

    def up(self, size: int, digest: str = "") -> float:
        """Seconds until the far end has had ``size`` bytes, and told their digest if there is one to compare with."""
        before, left = time.perf_counter(), size
        while left:
            left -= os.write(self.stdin, BLOCK[: min(left, CHUNK)])
        _compare(self.until(DONE), digest)
        return time.perf_counter() - before

    def down(self, size: int) -> float:
        """Seconds from asking for ``size`` bytes until they are here."""
        before, got = time.perf_counter(), 0
        os.write(self.stdin, b"x")
        while got < size:
            data = os.read(self.stdout, CHUNK)
            if not data:
                raise RuntimeError("the command ended early")
            got += len(data)
        return time.perf_counter() - before

    def echoes(self, count: int) -> list[float]:
        """Milliseconds of each echo."""

        def send() -> None:
            os.write(self.stdin, b"k")

        return _echoes(send, lambda: len(os.read(self.stdout, 64)), count)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


def _compare(said: bytes, digest: str) -> None:
    if digest.encode() not in said:
        raise RuntimeError("what arrived is not what was sent")


def _echoes(send: Callable[[], None], receive: Callable[[], int], count: int) -> list[float]:
    taken = []
    for _ in range(count):
        before = time.perf_counter()
        send()
        while not receive():
            pass
        taken.append((time.perf_counter() - before) * 1000)
        time.sleep(0.002)
    return taken


def upload(size: int) -> str:
    """A command that takes ``size`` bytes, then says so."""
    return f"head -c {size} >/dev/null; printf '%s%s' @do ne"


def checked(size: int) -> str:
    """The same, and it says the SHA-256 of what it took as well."""
    return f"head -c {size} | sha256sum; printf '%s%s' @do ne"


def digest(size: int) -> str:
    """The SHA-256 of the ``size`` bytes that go up."""
    made = hashlib.sha256()
    for at in range(0, size, CHUNK):
        made.update(BLOCK[: min(CHUNK, size - at)])
    return made.hexdigest()


def download(size: int) -> str:
    """A command that waits for one byte, then gives ``size``."""
    return f"head -c 1 >/dev/null; head -c {size} /dev/zero"


def announced(command: str) -> str:
    """The command, which says first that it runs."""
    return f"printf '@go\\n'; {command}"
