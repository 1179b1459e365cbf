"""The tunnel beside a bare raw-mode terminal behind the same WebSocket, in turn in one run.

``python -m tools.bench_tunnel [--quick]``. The bare side is the least anybody could do: one exec session,
``stty raw -echo``, bytes in, bytes out, no end of file, no exit status, no stderr, nothing resumed. The tunnel's side
is the program as DevPod starts it: ``devpod-provider-aci command`` through its holder.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.azure import AzureGroups, AzureSettings
from adapters.devpod import target
from adapters.tunnel import stop_holder
from emulator.testing import Running, running_emulator
from statemachine.events import GroupRef
from statemachine.secret import Secret
from tools import bench_armour, bench_link, bench_podman
from tools.figures import ROOT, Rows, report
from tools.provider import PROGRAM, environment
from tools.tunnel_sides import Bare, Piped, announced, checked, digest, download, upload

MIB = 2**20
SMALL = 64 * MIB
LARGE = 1024 * MIB
STOPPED_SECONDS = 2.0
PROCESSES = {
    "command": "the process DevPod starts",
    "holder": "the holder",
    "direct": "who serves one command alone",
}


@dataclass(frozen=True)
class Place:
    """A machine in the cloud, and the ways into it."""

    azure: Running
    env: Mapping[str, str]
    groups: AzureGroups
    ref: GroupRef

    def bare(self, command: str) -> Bare:
        """A raw terminal."""
        return Bare(self.groups, self.ref, self.azure.ca_file, command)

    def tunnel(self, command: str, **env: str) -> Piped:
        """The provider's ``command``."""
        return Piped([*PROGRAM, "command"], {**self.env, **env, "COMMAND": announced(command)})

    def direct(self, command: str) -> Piped:
        """The same over a session of its own; a holder that is there would be used, so it ends."""
        for socket in Path(self.env["XDG_RUNTIME_DIR"]).rglob("*.sock"):
            stop_holder(socket)
        return self.tunnel(command, ACI_TUNNEL_IDLE="0")


@contextmanager
def place(azure: Running) -> Iterator[Place]:
    """A machine for a while."""
    with tempfile.TemporaryDirectory(prefix="dpaci-") as folder:
        env = environment(azure, Path(folder))
        subprocess.run([*PROGRAM, "create"], env=env, check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
        about = target(env)
        os.environ["REQUESTS_CA_BUNDLE"] = azure.ca_file
        groups = AzureGroups(
            AzureSettings(
                subscription=azure.subscription_id,
                tenant=azure.env["AZURE_TENANT_ID"],
                client_id=azure.env["AZURE_CLIENT_ID"],
                client_secret=Secret(azure.env["AZURE_CLIENT_SECRET"]),
                authority_host=azure.env["AZURE_AUTHORITY_HOST"],
                resource_manager_url=azure.url,
            )
        )
        ref = GroupRef(azure.subscription_id, "bench", about.group_name, about.container_name)
        try:
            yield Place(azure, env, groups, ref)
        finally:
            groups.close()
            subprocess.run([*PROGRAM, "delete"], env=env, check=True, cwd=ROOT, stderr=subprocess.DEVNULL)


# Opening


def openings(there: Place) -> Rows:
    """Exec calls, other requests and milliseconds of the first command, a second one, and one without a holder."""
    made: Rows = []
    for name, meaning, way in (
        ("cold", "the first command", there.tunnel),
        ("warm", "a second one, over the holder", there.tunnel),
        ("direct", "one over a session of its own, helper there", there.direct),
    ):
        mark, before = there.azure.control.mark(), time.perf_counter()
        way("exit 0").close()
        taken = (time.perf_counter() - before) * 1000
        asked = [request["operation"] for request in there.azure.control.requests(since=mark)]
        made += [
            (f"open_{name}_exec_calls", f"{meaning}: exec calls", asked.count("Containers_ExecuteCommand"), ""),
            (f"open_{name}_sockets", f"{meaning}: WebSockets", asked.count("Exec_WebSocket"), ""),
            (f"open_{name}_requests", f"{meaning}: all requests, sign-in too", len(asked), ""),
            (f"open_{name}_ms", f"{meaning}: until it runs", taken, "ms"),
        ]
    return made


# Throughput


WAYS = {
    "up": ("up, SHA-256 compared", checked),
    "up_counted": ("up, counted and thrown away", upload),
    "down": ("down", download),
}


def _seconds(side: Bare | Piped, way: str, size: int) -> float:
    try:
        if way == "down":
            return side.down(size)
        return side.up(size, digest(size) if way == "up" else "")
    finally:
        side.close()


def pair(there: Place, way: str, size: int, *, bare_first: bool) -> tuple[float, float]:
    """MiB/s of the bare terminal and of the tunnel, one right after the other."""
    command = WAYS[way][1](size)
    rates: dict[str, float] = {}
    for name in ("bare", "tunnel") if bare_first else ("tunnel", "bare"):
        side = there.bare(command) if name == "bare" else there.tunnel(command)
        rates[name] = size / MIB / _seconds(side, way, size)
    return rates["bare"], rates["tunnel"]


def throughput(there: Place, size: int, rounds: int, prefix: str = "") -> Rows:
    """Rates each way, and the tunnel's share of the bare terminal's, pair by pair."""
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way, pairs in found.items():
            pairs.append(pair(there, way, size, bare_first=number % 2 == 0))
    amount = f"{rounds} times {size // MIB} MiB" if rounds > 1 else f"{size // MIB} MiB"
    made: Rows = []
    for way, pairs in found.items():
        bare, tunnel = statistics.median(b for b, _ in pairs), statistics.median(t for _, t in pairs)
        shares = [t / b for b, t in pairs]
        meaning = WAYS[way][0]
        made += [
            (f"{prefix}bare_{way}_mib_s", f"bare {meaning}, {amount}", bare, "MiB/s"),
            (f"{prefix}tunnel_{way}_mib_s", f"tunnel {meaning}, {amount}", tunnel, "MiB/s"),
            (f"{prefix}{way}_ratio", f"{meaning}: tunnel / bare", statistics.median(shares), "x"),
        ]
        if rounds > 1:
            made += [
                (f"{prefix}{way}_ratio_min", f"{meaning}: the least of the pairs", min(shares), "x"),
                (f"{prefix}{way}_ratio_max", f"{meaning}: the most of the pairs", max(shares), "x"),
            ]
    return made


# Echo


def echoes(there: Place, keys: int, rounds: int) -> Rows:
    """A key's echo over both, in turn."""
    taken: dict[str, list[float]] = {"bare": [], "tunnel": []}
    for _ in range(rounds):
        for name, milliseconds in taken.items():
            side = there.bare("exec cat") if name == "bare" else there.tunnel("exec cat")
            milliseconds.extend(side.echoes(keys))
            side.close()
    half = {name: statistics.median(values) for name, values in taken.items()}
    late = {name: statistics.quantiles(values, n=100)[98] for name, values in taken.items()}
    made: Rows = [(f"{name}_echo_p50_ms", f"{name} echo, median", value, "ms") for name, value in half.items()]
    made += [(f"{name}_echo_p99_ms", f"{name} echo, 99th percentile", value, "ms") for name, value in late.items()]
    made += [
        ("echo_p50_extra_ms", "echo, median: tunnel - bare", half["tunnel"] - half["bare"], "ms"),
        ("echo_p99_extra_ms", "echo, 99th percentile: tunnel - bare", late["tunnel"] - late["bare"], "ms"),
        ("echo_p50_ratio", "echo, median: tunnel / bare", half["tunnel"] / half["bare"], "x"),
    ]
    return made


# Memory


def _peak(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    return int(found[1]) / 1024 if found else 0.0


def _holder(there: Place) -> int:
    """The holder's process: the newest whose command line names a socket in our folder."""
    folder = there.env["XDG_RUNTIME_DIR"].encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if folder in line and b".sock" in line:
            found.append(int(entry.name))
    return max(found)


def memory(there: Place, size: int) -> Rows:
    """The peak resident memory of each process of the provider's that carries ``size`` bytes each way."""
    peaks = {"command": 0.0}
    for name, open_one in (("command", there.tunnel), ("direct", there.direct)):
        for way, command in (("up", upload(size)), ("down", download(size))):
            side = open_one(command)
            (side.up if way == "up" else side.down)(size)
            holder = "holder" if name == "command" else "direct"
            peaks["command"] = max(peaks["command"], _peak(side.process.pid))
            peaks[holder] = max(peaks.get(holder, 0.0), _peak(_holder(there)))
            side.close()
    amount = size // MIB
    return [
        (f"{name}_peak_{amount}_mib", f"memory of {PROCESSES[name]}, {amount} MiB each way", value, "MiB")
        for name, value in peaks.items()
    ]


def stopped_reader(there: Place, size: int) -> Rows:
    """The same while nobody reads what a command writes, and while a command reads nothing of what it is given."""
    peaks: dict[str, float] = {}
    for name, open_one in (("holder", there.tunnel), ("direct", there.direct)):
        for command in (f"head -c {size} /dev/zero", "exec sleep 60"):
            side = open_one(command)
            os.set_blocking(side.stdin, False)
            until = time.monotonic() + STOPPED_SECONDS
            while time.monotonic() < until:
                try:
                    os.write(side.stdin, bytes(65536))
                except BlockingIOError:
                    time.sleep(0.01)
            peaks[name] = max(peaks.get(name, 0.0), _peak(_holder(there)))
            side.close()
    return [
        (f"{name}_peak_stopped_mib", f"memory of {PROCESSES[name]}, nobody reads {size // MIB} MiB", value, "MiB")
        for name, value in peaks.items()
    ]


def measure(there: Place, *, quick: bool) -> Rows:
    """All that one machine in the cloud shows."""
    rows = openings(there)
    rows += throughput(there, SMALL, 3 if quick else 24)
    rows += echoes(there, 200 if quick else 500, 3 if quick else 4)
    rows += memory(there, SMALL)
    if not quick:
        rows += throughput(there, LARGE, 5, "gib_")
        rows += memory(there, LARGE)
        rows += stopped_reader(there, LARGE)
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="64 MiB three times, no line, no armour")
    quick = parser.parse_args().quick
    with running_emulator("fast", exec={"cap": 20}) as azure, place(azure) as there:
        rows = measure(there, quick=quick)
    if not quick:
        rows += bench_link.measure(runs=3)
        rows += bench_armour.rows(rounds=1)
        try:
            rows += bench_podman.rows(SMALL, 500)
        except bench_podman.NoPodmanError as problem:
            print(f"podman exec -i is left out: {problem}")
    report("bench-tunnel", rows)


if __name__ == "__main__":
    main()
