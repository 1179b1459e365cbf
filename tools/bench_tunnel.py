"""The tunnel beside a bare raw-mode terminal behind the same WebSocket, in turn in one run.

``python -m tools.bench_tunnel [--quick]``. The bare side is the least anybody could do: one exec session,
``stty raw -echo``, bytes in, bytes out, no end of file, no exit status, no stderr, nothing resumed. The tunnel's side
is the program as DevPod starts it: ``devpod-provider-aci command`` through its holder.
"""

from __future__ import annotations

import argparse
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from adapters.azure import AzureGroups, AzureSettings, connect
from adapters.devpod import target
from adapters.tunnel.websocket import Channel
from emulator.testing import Running, running_emulator
from statemachine.events import GroupRef
from statemachine.secret import Secret
from tools.figures import ROOT, report

MESSAGE = 16 * 1024
CHUNK = 1 << 20
GO = b"@go\n"
DONE = b"@done"


class Bare:
    """A raw terminal behind the exec WebSocket."""

    def __init__(self, groups: AzureGroups, ref: GroupRef, ca_file: str, command: str) -> None:
        uri, password = groups.open_exec(ref)
        self.channel = Channel.open(uri, ca_file, 30)
        self.channel.send_text(password.reveal())
        # The marker is made of two words, so the echo of this line is not taken for it.
        line = f"stty raw -echo; printf '@%s\\n' go; {command}\n"
        self.channel.send(line.encode(), 512)
        self.until(GO)

    def until(self, marker: bytes) -> None:
        """Read until the marker has passed."""
        seen = b""
        while marker not in seen:
            seen = (seen + b"".join(self.channel.wait(time.monotonic() + 120)))[-4096:]

    def close(self) -> None:
        """Hang up."""
        self.channel.shut()


class Tunnel:
    """One call of the provider's ``command``."""

    def __init__(self, env: dict[str, str], command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "adapters.cli", "command"],
            env=env | {"COMMAND": f"printf '@go\\n'; {command}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=ROOT,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.until(GO)

    def until(self, marker: bytes) -> None:
        """Read until the marker has passed."""
        seen = b""
        while marker not in seen:
            data = os.read(self.stdout, 65536)
            if not data:
                raise RuntimeError("the command ended early")
            seen = (seen + data)[-4096:]

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


def upload(size: int) -> str:
    """Takes ``size`` bytes, then says so."""
    return f"head -c {size} >/dev/null; printf '%s%s' @do ne"


def download(size: int) -> str:
    """Waits for one line, then gives ``size`` bytes."""
    return f"head -c 1 >/dev/null; head -c {size} /dev/zero"


def bare_up(bare: Bare, size: int) -> float:
    before, left, block = time.perf_counter(), size, bytes(CHUNK)
    while left:
        piece = block[: min(left, CHUNK)]
        bare.channel.send(piece, MESSAGE)
        left -= len(piece)
        while bare.channel.wants_write:
            select.select([], [bare.channel.fileno()], [])
            bare.channel.flush()
    bare.until(DONE)
    return time.perf_counter() - before


def bare_down(bare: Bare, size: int) -> float:
    before, got = time.perf_counter(), 0
    bare.channel.send(b"x", MESSAGE)
    while got < size:
        got += sum(map(len, bare.channel.wait(time.monotonic() + 120)))
    return time.perf_counter() - before


def tunnel_up(tunnel: Tunnel, size: int) -> float:
    before, left, block = time.perf_counter(), size, bytes(CHUNK)
    while left:
        left -= os.write(tunnel.stdin, block[: min(left, CHUNK)])
    tunnel.until(DONE)
    return time.perf_counter() - before


def tunnel_down(tunnel: Tunnel, size: int) -> float:
    before, got = time.perf_counter(), 0
    os.write(tunnel.stdin, b"x")
    while got < size:
        got += len(os.read(tunnel.stdout, CHUNK))
    return time.perf_counter() - before


def echoes(send: Callable[[], None], receive: Callable[[], int], count: int) -> list[float]:
    """Milliseconds from one byte sent to the same byte back."""
    taken = []
    for _ in range(count):
        before = time.perf_counter()
        send()
        while not receive():
            pass
        taken.append((time.perf_counter() - before) * 1000)
        time.sleep(0.002)
    return taken


def bare_echoes(bare: Bare, count: int) -> list[float]:
    def receive() -> int:
        return sum(map(len, bare.channel.wait(time.monotonic() + 30)))

    return echoes(lambda: bare.channel.send(b"k", MESSAGE), receive, count)


def tunnel_echoes(tunnel: Tunnel, count: int) -> list[float]:
    return echoes(lambda: os.write(tunnel.stdin, b"k") and None, lambda: len(os.read(tunnel.stdout, 64)), count)


def measure(azure: Running, folder: Path, *, size: int, rounds: int, keys: int) -> list[tuple[str, str, float, str]]:
    env = os.environ | azure.env
    env |= {
        "ACI_EVENT_LOG": str(folder / "events.jsonl"),
        "AZURE_RESOURCE_GROUP": "bench",
        "AZURE_REGION": "westeurope",
        "MACHINE_ID": "bench",
        "XDG_RUNTIME_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    run = [sys.executable, "-m", "adapters.cli"]
    subprocess.run([*run, "create"], env=env, check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
    about = target(env)
    ref = GroupRef(azure.subscription_id, "bench", about.group_name, about.container_name)
    groups = connect(
        AzureSettings(
            subscription=azure.subscription_id,
            tenant=azure.env["AZURE_TENANT_ID"],
            client_id=azure.env["AZURE_CLIENT_ID"],
            client_secret=Secret(azure.env["AZURE_CLIENT_SECRET"]),
            authority_host=azure.env["AZURE_AUTHORITY_HOST"],
            resource_manager_url=azure.url,
        )
    )

    def bare(command: str, use: Callable[[Bare], list[float]]) -> list[float]:
        session = Bare(groups, ref, azure.ca_file, command)
        try:
            return use(session)
        finally:
            session.close()

    def tunnel(command: str, use: Callable[[Tunnel], list[float]]) -> list[float]:
        session = Tunnel(env, command)
        try:
            return use(session)
        finally:
            session.close()

    times: dict[str, list[float]] = {name: [] for name in ("bare_up", "bare_down", "tunnel_up", "tunnel_down")}
    pings: dict[str, list[float]] = {"bare": [], "tunnel": []}
    for _ in range(rounds):
        times["bare_up"] += bare(upload(size), lambda session: [bare_up(session, size)])
        times["tunnel_up"] += tunnel(upload(size), lambda session: [tunnel_up(session, size)])
        times["bare_down"] += bare(download(size), lambda session: [bare_down(session, size)])
        times["tunnel_down"] += tunnel(download(size), lambda session: [tunnel_down(session, size)])
        pings["bare"] += bare("exec cat", lambda session: bare_echoes(session, keys))
        pings["tunnel"] += tunnel("exec cat", lambda session: tunnel_echoes(session, keys))
    subprocess.run([*run, "delete"], env=env, check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
    groups.close()

    rate = {name: size / 2**20 / statistics.median(values) for name, values in times.items()}
    half = {name: statistics.median(values) for name, values in pings.items()}
    late = {name: statistics.quantiles(values, n=100)[98] for name, values in pings.items()}
    rows = [(f"{name}_mib_s", name.replace("_", " "), value, "MiB/s") for name, value in rate.items()]
    rows += [
        ("up_ratio", "up: tunnel / bare", rate["tunnel_up"] / rate["bare_up"], "x"),
        ("down_ratio", "down: tunnel / bare", rate["tunnel_down"] / rate["bare_down"], "x"),
    ]
    rows += [(f"{name}_echo_p50_ms", f"{name} echo, median", value, "ms") for name, value in half.items()]
    rows += [(f"{name}_echo_p99_ms", f"{name} echo, 99th percentile", value, "ms") for name, value in late.items()]
    rows += [
        ("echo_p50_extra_ms", "echo, median: tunnel - bare", half["tunnel"] - half["bare"], "ms"),
        ("echo_p99_extra_ms", "echo, 99th percentile: tunnel - bare", late["tunnel"] - late["bare"], "ms"),
        ("echo_p50_ratio", "echo, median: tunnel / bare", half["tunnel"] / half["bare"], "x"),
    ]
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="64 MiB three times instead of 1 GiB")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="dpaci-") as folder, running_emulator("fast", exec={"cap": 20}) as azure:
        os.environ["REQUESTS_CA_BUNDLE"] = azure.ca_file
        rows = measure(
            azure,
            Path(folder),
            size=(64 if quick else 1024) * 2**20,
            rounds=3 if quick else 1,
            keys=200 if quick else 1000,
        )
    report("bench-tunnel", rows)


if __name__ == "__main__":
    main()
