"""What a channel that damages bytes costs: the tunnel over each kind that the emulator knows, beside a clean one.

``python -m tools.bench_armour``, or ``rows`` for another bench's table. Random bytes, both ways, each command over an
exec session of its own, each kind beside the clean one; compression is off, so that armour alone is seen.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from emulator.testing import running_emulator
from tools.figures import ROOT, Rows, report
from tools.provider import PROGRAM, environment

SIZE: Final = 16 << 20
ROUNDS: Final = 5
MIB: Final = 2**20
AGREED: Final = re.compile(r"the channel is not clean: armour (\w+) up, (\w+) down, messages of (\d+) bytes")
CLEAN: Final = ("RAW", "RAW", 32768)


class Channel(NamedTuple):
    """A kind of channel: the emulator's options, and the cheapest that carries every byte over it."""

    meaning: str
    options: Mapping[str, object]
    agreed: tuple[str, str, int]
    """Armour up and down, and the size of our messages."""


CHANNELS: Final[Mapping[str, Channel]] = {
    "clean": Channel("clean", {}, CLEAN),
    "xonxoff": Channel("XON and XOFF eaten", {"eat": "xonxoff"}, ("ESCAPE", "ESCAPE", 32768)),
    "nul": Channel("NUL eaten", {"eat": "nul"}, ("ESCAPE", "ESCAPE", 32768)),
    "nul_up": Channel("NUL eaten, up only", {"eat": "nul", "eat_direction": "in"}, ("ESCAPE", "RAW", 32768)),
    "utf8": Channel(
        "UTF-8 text frames with replacement", {"utf8_lossy": "both", "text_frames": True}, ("BASE64", "BASE64", 32768)
    ),
    "utf8_down": Channel("the same, down only", {"utf8_lossy": "out", "text_frames": True}, ("RAW", "BASE64", 32768)),
    "seven_bit": Channel("seven bits", {"seven_bit": "both"}, ("BASE64", "BASE64", 32768)),
    "frames": Channel("frames of at most 512 bytes, down", {"max_output_frame": 512}, CLEAN),
    "cut": Channel("512 bytes of a message arrive, up", {"truncate_input": 512}, ("RAW", "RAW", 512)),
    "cut_short": Channel("50 bytes of a message arrive, up", {"truncate_input": 50}, ("RAW", "RAW", 50)),
    "doubled": Channel("echo doubled", {"echo": "doubled"}, CLEAN),
    "delayed": Channel("echo delayed by 0.2 s", {"echo": "delayed"}, CLEAN),
}


class Trial(NamedTuple):
    """Seconds for ``SIZE`` bytes each way, and what the ends agreed on."""

    up: float
    down: float
    agreed: tuple[str, str, int]


def trial(env: Mapping[str, str], data: bytes) -> Trial:
    """One command: takes ``data``, says so, waits for a line, gives as much."""
    command = (
        f"f=$(mktemp); head -c {len(data)} /dev/urandom >$f; printf '@go\\n'; head -c {len(data)} >/dev/null; "
        "echo taken; read -r line; cat $f; rm $f"
    )
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            [*PROGRAM, "command"], env={**env, "COMMAND": command}, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told, bufsize=0,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        began = time.perf_counter()
        process.stdin.write(data)
        process.stdout.readline()
        taken = time.perf_counter()
        process.stdin.write(b"\n")
        left = len(data)
        while left and (piece := process.stdout.read(MIB)):
            left -= len(piece)
        ended = time.perf_counter()
        process.stdin.close()
        if process.wait(60) != 0 or left:
            raise RuntimeError(f"the command ended with status {process.returncode}, {left} bytes are missing")
        told.seek(0)
        found = AGREED.findall(told.read().decode())
    agreed = (found[0][0], found[0][1], int(found[0][2])) if found else CLEAN
    return Trial(taken - began, ended - taken, agreed)


def pairs(size: int, rounds: int) -> Iterator[tuple[str, Trial, Trial]]:
    """A kind of channel, a trial over it, and one over the clean channel just before."""
    data = os.urandom(size)
    with tempfile.TemporaryDirectory(prefix="dpaci-") as name, running_emulator("fast", exec={"cap": 20}) as azure:
        env = environment(azure, Path(name), ACI_TUNNEL_COMPRESSION="false", ACI_TUNNEL_IDLE="0", DEVPOD_DEBUG="true")
        subprocess.run([*PROGRAM, "create"], env=env, check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
        before = azure.control.call("GET", "settings")["exec"]
        trial(env, data)  # places the helper
        for _ in range(rounds):
            for kind, channel in CHANNELS.items():
                clean = trial(env, data)
                azure.control.change("exec", **{**before, **channel.options})
                yield kind, trial(env, data), clean
                azure.control.change("exec", **before)
        subprocess.run([*PROGRAM, "delete"], env=env, check=True, cwd=ROOT, stderr=subprocess.DEVNULL)


def rows(size: int = SIZE, rounds: int = ROUNDS) -> Rows:
    """The clean channel's rates, then the others' as shares of it, medians all."""
    found = list(pairs(size, rounds))
    made: Rows = []
    for way in ("up", "down"):
        seconds = statistics.median(getattr(clean, way) for _, _, clean in found)
        made.append((f"clean_{way}_mib_s", f"clean, {way}", size / MIB / seconds, "MiB/s"))
    for kind, channel in CHANNELS.items():
        mine = [(over, clean) for name, over, clean in found if name == kind]
        up, down, length = mine[-1][0].agreed
        meaning = f"{channel.meaning} ({up.lower()} up, {down.lower()} down, {length})"
        for way in ("up", "down"):
            ratio = statistics.median(getattr(clean, way) / getattr(over, way) for over, clean in mine)
            made.append((f"{kind}_{way}_ratio", f"{meaning}: {way}", ratio, "x"))
    return made


def main() -> None:
    """Measure and report."""
    report("bench-armour", rows())


if __name__ == "__main__":
    main()
