"""What a person far from Azure waits for: commands and polls over a line with a round-trip time, in round trips.

``python -m tools.bench_link [--rtt-ms 80] [--runs 5]``. Each call is a process of its own, as DevPod starts it, and is
timed to the first byte of its answer, in turn without a way and with one: the difference is the way, in round trips. A
command's own round trip is in it; it was ready one round trip earlier.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.cli.opener import PLACE
from adapters.tunnel import stop_holder
from emulator.testing import Running, running_emulator
from tools.figures import ROOT, Rows, report
from tools.provider import PROGRAM, environment

RTT_MS = 80.0
RUNS = 5
FLOOR = 4
"""Round trips of a compiled provider's poll: it keeps nothing from one call to the next, so it connects anew."""


@dataclass(frozen=True)
class Caller:
    """Somebody with a machine in the cloud."""

    azure: Running
    env: Mapping[str, str]

    def call(self, *verb: str, **env: str) -> float:
        """Seconds from the start of one call to the first byte of its answer."""
        before = time.perf_counter()
        with subprocess.Popen(
            [*PROGRAM, *verb],
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        ) as process:
            assert process.stdout is not None
            first = process.stdout.read(1)
            taken = time.perf_counter() - before
            _, said = process.communicate()
        if process.returncode or (verb[0] in ("command", "status") and not first):
            raise RuntimeError(f"{verb}: {process.returncode}: {said.decode(errors='replace')}")
        return taken

    def forget(self) -> None:
        """End the holder, and with it the session."""
        for socket in Path(self.env["XDG_RUNTIME_DIR"]).rglob("*.sock"):
            stop_holder(socket)

    def begin_anew(self) -> None:
        """As after a start: the container's files are gone, the helper is one of them, and nothing is remembered."""
        self.forget()
        for place in Path(self.env["XDG_RUNTIME_DIR"]).rglob(f"*{PLACE}"):
            place.unlink()
        first = Path(self.env["ACI_EVENT_LOG"]).read_bytes().splitlines()[0]
        self.azure.control.world.restart(json.loads(first)["data"]["group"]["name"])
        time.sleep(0.2)

    def bare(self) -> float:
        """Seconds for TCP, TLS and one request by a program that runs already."""
        before = time.perf_counter()
        self.azure.control.call("GET", "health")
        return time.perf_counter() - before


@contextmanager
def caller(azure: Running) -> Iterator[Caller]:
    """A machine, and who owns it, for a while."""
    with tempfile.TemporaryDirectory(prefix="dpaci-") as folder:
        who = Caller(azure, environment(azure, Path(folder), COMMAND="echo ready"))
        azure.control.link_options(rtt_ms=0)
        who.call("create")
        try:
            yield who
        finally:
            azure.control.link_options(rtt_ms=0)
            who.call("delete")


def measure(rtt_ms: float = RTT_MS, runs: int = RUNS) -> Rows:
    """The figures: milliseconds without a way and with one, and their difference in round trips."""
    with running_emulator("instant", link={"enabled": True}, exec={"cap": 20}) as azure, caller(azure) as who:
        near: dict[str, list[float]] = {}
        far: dict[str, list[float]] = {}
        for number in range(2 * runs):
            away = number % 2 == 1
            azure.control.link_options(rtt_ms=rtt_ms if away else 0)
            taken = far if away else near
            for name, seconds in _round(who):
                taken.setdefault(name, []).append(seconds * 1000)
    meanings = {
        "bare": "TCP, TLS and one request, nothing else",
        "first": "first command of all: holder, sign-in, helper placed",
        "cold": "first command, helper there: holder, sign-in",
        "direct": "a command without a holder, helper there",
        "warm": "a command over the holder",
        "status_cold": "status without a holder",
        "status_warm": "status over the holder",
    }
    rows: Rows = []
    for name, meaning in meanings.items():
        here, there = statistics.median(near[name]), statistics.median(far[name])
        rows += [
            (f"link_{name}_near_ms", f"{meaning}: no way", here, "ms"),
            (f"link_{name}_ms", f"{meaning}: {rtt_ms:g} ms away", there, "ms"),
            (f"link_{name}_rtt", f"{meaning}: the way", (there - here) / rtt_ms, "round trips"),
        ]
    floor = FLOOR * rtt_ms
    warm = statistics.median(far["status_warm"])
    rows += [
        ("link_floor_ms", "a compiled provider's status, start-up for nothing: 4 round trips", floor, "ms"),
        ("link_status_floor_ratio", "status over the holder, all of it / that floor", warm / floor, "x"),
    ]
    return rows


def _round(who: Caller) -> Iterator[tuple[str, float]]:
    yield "bare", who.bare()
    who.begin_anew()
    yield "first", who.call("command")
    who.forget()
    yield "cold", who.call("command")
    yield "warm", who.call("command")
    yield "status_warm", who.call("status")
    who.forget()
    yield "status_cold", who.call("status")
    yield "direct", who.call("command", ACI_TUNNEL_IDLE="0")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rtt-ms", type=float, default=RTT_MS)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    report("bench-link", measure(given.rtt_ms, given.runs))


if __name__ == "__main__":
    main()
