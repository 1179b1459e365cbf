"""``devpod up`` to the first shell, with the real DevPod over a line of 50 Mbit/s and 80 ms, by how its agent comes.

``python -m tools.bench_up [--rounds N] [--mbit N] [--rtt-ms N]``. Pushed as it is, pushed compressed, fetched by the
container while it starts, and fetched from a server so slow that DevPod asks before the fetch is done; in turn, each
time a new workspace. The container reaches the server at once, as one in Azure reaches its releases.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from emulator.testing import running_emulator
from tests.adapters.devpod.agent.releases import Releases, serving
from tests.e2e.provider import Provider
from tests.e2e.registry import registry
from tests.e2e.test_devpod import Devpod, image
from tools.figures import report

SLOW = 20e6
"""Bytes a second of the slow server."""


@dataclass(frozen=True)
class Way:
    """One way for the agent to come."""

    meaning: str
    options: dict[str, str]
    rate: float = 0.0


WAYS = {
    "plain": Way("pushed by DevPod", {"ACI_AGENT_FETCH": "false", "ACI_TUNNEL_COMPRESSION": "false"}),
    "compressed": Way("pushed by DevPod, compressed", {"ACI_AGENT_FETCH": "false", "ACI_TUNNEL_COMPRESSION": "true"}),
    "placed": Way("fetched by the container", {"ACI_AGENT_FETCH": "true", "ACI_TUNNEL_COMPRESSION": "true"}),
    "awaited": Way(
        f"fetched at {SLOW / 1e6:.0f} MB/s, waited for",
        {"ACI_AGENT_FETCH": "true", "ACI_TUNNEL_COMPRESSION": "true"},
        SLOW,
    ),
}


@contextmanager
def somebody(program: Path, mbit: float, rtt_ms: float) -> Iterator[tuple[Devpod, Releases]]:
    """A user of the real DevPod, an ACI behind a line, and a server of releases beside the containers."""
    home = Path(tempfile.mkdtemp(prefix="dpaci-"))  # short, because a socket's path may have 107 bytes
    (home / "run").mkdir(mode=0o700)
    try:
        with (
            registry() as host,
            serving(program.read_bytes()) as releases,
            running_emulator(
                "fast",
                images=[image(host)],
                link={"enabled": True, "mbit": mbit, "rtt_ms": rtt_ms},
            ) as azure,
        ):
            devpod = Devpod(Provider(home, azure.env), host)
            devpod.add("provider.yaml")
            devpod.workspace()
            yield devpod, releases
    finally:
        shutil.rmtree(home, ignore_errors=True)


class Taken(NamedTuple):
    """Seconds of one ``devpod up``."""

    agent: float
    """From DevPod's first question for its agent to its first use, which is what this is about."""
    up: float
    shell: float
    """The first shell, from the start of ``up``."""


def agent_time(events: list[dict[str, Any]]) -> float:
    """Seconds between the first command that looks for the agent and the first that uses it, from the event log."""
    opened = [event for event in events if event["type"] == "CommandOpened"]
    first = [
        next(datetime.fromisoformat(event["time"]) for event in opened if event["data"].get("purpose") == purpose)
        for purpose in ("inject", "ssh-server")
    ]
    return (first[1] - first[0]).total_seconds()


def once(devpod: Devpod, releases: Releases, way: Way, tries: int = 3) -> Taken:
    """A new workspace, from ``devpod up`` to its first shell."""
    options = way.options | {"ACI_AGENT_URL": releases.url}
    devpod.ok(
        "provider",
        "set-options",
        "aci",
        *(part for name, value in options.items() for part in ("-o", f"{name}={value}")),
    )
    releases.rate, releases.asked[:] = way.rate, []
    known = len(devpod.user.events())
    before = time.perf_counter()
    answer = devpod("up", str(devpod.user.home / "project"), "--ide", "none")
    up = time.perf_counter() - before
    if answer.returncode != 0:
        # DevPod's own race ends one `up` in some with EOF (see tests/e2e/test_devpod.py): that one does not count.
        told = (answer.stdout + answer.stderr).decode(errors="replace")
        if tries == 1 or "EOF" not in told:
            raise RuntimeError(f"{way.meaning}: {told}")
        devpod.ok("delete", "project")
        return once(devpod, releases, way, tries - 1)
    said = devpod.ok("ssh", "project", "--command", "cat hello.txt")
    taken = time.perf_counter() - before
    if said.strip() != "hello from the project" or bool(releases.asked) != (options["ACI_AGENT_FETCH"] == "true"):
        raise RuntimeError(f"{way.meaning}: this was something else: {said!r}, {releases.asked}")
    agent = agent_time(devpod.user.events()[known:])
    devpod.ok("delete", "project")
    return Taken(agent, up, taken)


def main() -> None:
    """Measure and report; says so where there is no DevPod."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mbit", type=float, default=50.0)
    parser.add_argument("--rtt-ms", type=float, default=80.0)
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    chosen = parser.parse_args()
    program = shutil.which("devpod")
    if program is None:
        sys.exit("bench-up: needs the devpod binary on PATH (https://devpod.sh)")
    found: dict[str, list[Taken]] = {name: [] for name in chosen.ways}
    with somebody(Path(program).resolve(), chosen.mbit, chosen.rtt_ms) as (devpod, releases):
        for _ in range(chosen.rounds):
            for name in chosen.ways:
                found[name].append(once(devpod, releases, WAYS[name]))
                print(f"{name}: {' '.join(f'{each:.1f}' for each in found[name][-1])} s", flush=True)
    medians = {
        name: Taken(*(statistics.median(each) for each in zip(*times, strict=True))) for name, times in found.items()
    }
    rows = []
    for name, taken in medians.items():
        rows.append((f"up_{name}_agent_s", f"{WAYS[name].meaning}: for the agent", taken.agent, "s"))
        rows.append((f"up_{name}_up_s", f"{WAYS[name].meaning}: up", taken.up, "s"))
        rows.append((f"up_{name}_shell_s", f"{WAYS[name].meaning}: up to first shell", taken.shell, "s"))
    if "plain" in medians:
        for name, taken in medians.items():
            if name != "plain":
                ratio = taken.shell / medians["plain"].shell
                rows.append((f"up_{name}_ratio", f"{WAYS[name].meaning} / pushed plain, first shell", ratio, "x"))
    report("bench-up", rows)


if __name__ == "__main__":
    main()
