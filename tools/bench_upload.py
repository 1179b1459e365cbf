"""Uploading the agent: DevPod's binary as a command's input, plain and compressed in turn in one run.

``python -m tools.bench_upload [--rounds N]``. Over a line of 50 Mbit/s and 80 ms, where compression is to help, and
over one without a limit, where neither the binary nor random bytes may become slower.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from emulator.testing import Running, running_emulator
from tools.figures import ROOT, report
from tools.provider import PROGRAM, environment

MBIT = 50.0
RTT_MS = 80.0
CHUNK = 1 << 20
GO = b"@go\n"
DONE = b"@done"
SWITCH = {"plain": "false", "squeezed": "true"}


def binary() -> Path:
    """What DevPod uploads, or the largest program at hand that is like it."""
    for name in ("/opt/devpod/devpod", shutil.which("devpod")):
        if name and Path(name).is_file():
            return Path(name)
    compiler = importlib.util.find_spec("ziglang")
    if compiler is None or compiler.origin is None:
        return Path(sys.executable).resolve()
    return Path(compiler.origin).parent / "zig"


def way_environment(azure: Running, folder: Path, way: str) -> dict[str, str]:
    """What the provider is started with; each way has a holder of its own."""
    runtime = folder / way
    runtime.mkdir(mode=0o700, exist_ok=True)
    return environment(azure, folder, runtime=runtime, ACI_TUNNEL_COMPRESSION=SWITCH[way])


def upload(env: dict[str, str], data: bytes, sink: str) -> tuple[float, bytes]:
    """Seconds from the command's first word until it has all of ``data``, and what it made of that."""
    command = f"printf '@go\\n'; head -c {len(data)} | {sink}; printf '%s%s' @do ne"
    process = subprocess.Popen(
        [*PROGRAM, "command"],
        env=env | {"COMMAND": command},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    heard = process.stdout.readline()
    before = time.perf_counter()
    for at in range(0, len(data), CHUNK):
        process.stdin.write(data[at : at + CHUNK])
    while not heard.endswith(DONE) and (more := process.stdout.read(4096)):
        heard += more
    taken = time.perf_counter() - before
    process.stdin.close()
    if process.wait(60) != 0 or not heard.startswith(GO):
        raise RuntimeError(f"the command ended with status {process.returncode} after {heard!r}")
    return taken, heard[len(GO) : -len(DONE)]


def compare(envs: dict[str, dict[str, str]], data: bytes, rounds: int) -> dict[str, float]:
    """MiB/s of each way: the median of as many rounds, each way once in each."""
    times: dict[str, list[float]] = {way: [] for way in envs}
    for way, env in envs.items():  # the first command opens the session; and here the bytes are looked at
        _, said = upload(env, data, "sha256sum")
        if said.split()[0].decode() != hashlib.sha256(data).hexdigest():
            raise RuntimeError(f"{way}: other bytes arrived than were sent")
    for _ in range(rounds):
        for way, env in envs.items():
            times[way].append(upload(env, data, "cat >/dev/null")[0])
    return {way: len(data) / 2**20 / statistics.median(values) for way, values in times.items()}


def measure(link: dict[str, object], contents: dict[str, bytes], rounds: int) -> dict[tuple[str, str], float]:
    """MiB/s by what is uploaded and how, over one kind of line."""
    found: dict[tuple[str, str], float] = {}
    with (
        tempfile.TemporaryDirectory(prefix="dpaci-") as name,
        running_emulator("fast", exec={"cap": 20}, link=link) as azure,
    ):
        folder = Path(name)
        envs = {way: way_environment(azure, folder, way) for way in SWITCH}
        subprocess.run([*PROGRAM, "create"], env=envs["plain"], check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
        for what, data in contents.items():
            found |= {(what, way): rate for way, rate in compare(envs, data, rounds).items()}
        subprocess.run([*PROGRAM, "delete"], env=envs["plain"], check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
    return found


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds over the line without a limit")
    rounds = parser.parse_args().rounds
    program = binary().read_bytes()
    print(f"{binary()}: {len(program) / 2**20:.1f} MiB")
    slow = measure({"enabled": True, "mbit": MBIT, "rtt_ms": RTT_MS}, {"binary": program}, 1)
    fast = measure({}, {"binary": program, "random": os.urandom(len(program))}, rounds)
    rows = []
    for line, found in (("slow", slow), ("fast", fast)):
        shown = f"{MBIT:g} Mbit/s, {RTT_MS:g} ms" if line == "slow" else "no limit"
        for (what, way), rate in found.items():
            rows.append((f"{line}_{what}_{way}_mib_s", f"{shown}: {what}, {way}", rate, "MiB/s"))
        for what in dict.fromkeys(what for what, _ in found):
            ratio = found[what, "squeezed"] / found[what, "plain"]
            rows.append((f"{line}_{what}_ratio", f"{shown}: {what}, squeezed / plain", ratio, "x"))
    report("bench-upload", rows)


if __name__ == "__main__":
    main()
