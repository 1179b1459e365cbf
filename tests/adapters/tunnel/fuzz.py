"""Fuzz what the helper reads: packets and orders, and compressed input. ``make fuzz``, or this file with seconds.

libFuzzer starts from the shared vectors, under AddressSanitizer and UBSan. Where zlib's header is there, zlib must
agree with whatever the helper's own inflate accepts. What breaks a target is kept in ``build/fuzz/<target>``, and its
corpus too, so that a later run goes on from there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
HELPER = ROOT / "adapters" / "tunnel" / "helper"
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{HELPER}"]
CHECKS = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
ZLIB = ["-DZLIB", "-lz"]
SECONDS = 60


class Target(NamedTuple):
    """One entry point, and the helper's files that it needs."""

    harness: str
    sources: tuple[str, ...]
    longest: int


TARGETS = {
    "parser": Target("harness.c", ("parser", "armour", "packet", "crc", "order", "inflate", "util"), 70000),
    "inflate": Target("inflate_harness.c", ("inflate", "util"), 40000),
}


def _compiles(text: str, options: list[str]) -> str:
    """Empty when clang makes a program of it, else what it said at the end."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder, "trial.c")
        trial.write_text(text)
        command = ["clang", *CHECKS, "-o", trial.with_suffix(""), trial, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no word"])[-1]


TRIAL = """
#include <stddef.h>
int LLVMFuzzerTestOneInput(const unsigned char *, size_t);
int LLVMFuzzerTestOneInput(const unsigned char *d, size_t s) { (void)d; return s > 9 && 0; }
"""


def why_not() -> str:
    """Why this machine cannot fuzz; empty when it can."""
    if shutil.which("clang") is None:
        return "clang is not installed (Debian: `apt-get install clang`)"
    said = _compiles(TRIAL, [])
    return f"this clang lacks libFuzzer or its sanitizers: {said}" if said else ""


def build(name: str, program: Path) -> None:
    """Compile a target."""
    target = TARGETS[name]
    sources = [HELPER / f"{source}.c" for source in target.sources]
    other = [] if _compiles(f"#include <zlib.h>\n{TRIAL}", ["-lz"]) else ZLIB
    subprocess.run(
        ["clang", *FLAGS, "-DFUZZ", *CHECKS, "-o", program, HERE / target.harness, *sources, *other], check=True
    )


def seeds(name: str) -> Iterator[bytes]:
    """The vectors as a target's inputs."""
    for line in (HERE / "vectors.txt").read_text(encoding="ascii").splitlines():
        kind, *words = line.split() or ["#"]
        if name == "inflate" and kind == "inflate":
            packets = [bytes.fromhex(word.partition(":")[0].strip("-")) for word in words]
            yield b"".join(len(packet).to_bytes(2, "little") + packet for packet in packets)
        # Two bytes choose mode and piece, then comes what arrives.
        data = {"events": 1, "packet": 5, "judge": 0}.get(kind)
        if name == "parser" and data is not None and words[data] != "-":
            opening = bytes([2 if kind == "judge" else int(words[0]) & 1, 63])
            yield opening + (b"?" if kind == "judge" else b"") + bytes.fromhex(words[data])


def start(name: str, seconds: int, folder: Path) -> subprocess.Popen[bytes]:
    """Build a target and let it run; what it says goes to ``log``."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for count, data in enumerate(seeds(name)):
        (corpus / f"vector-{count}").write_bytes(data)
    build(name, folder / "target")
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={TARGETS[name].longest}",
        "-print_final_stats=1",
        f"-artifact_prefix={folder}/",
    ]
    environ = os.environ | {"ASAN_OPTIONS": "detect_leaks=1"}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([folder / "target", *options, corpus], env=environ, stderr=log)


def run(seconds: int, folder: Path) -> int:
    """Build all targets and fuzz them at once; the first exit status of libFuzzer that is not 0."""
    running = {name: start(name, seconds, folder / name) for name in TARGETS}
    worst = 0
    for name, process in running.items():
        status = process.wait()
        said = (folder / name / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        shown = [line for line in said if line.startswith("stat::number_of") or "DONE" in line]
        print(f"{name}: exit status {status}", *(said[-60:] if status else shown), sep="\n  ")
        worst = worst or status
    return worst


def main() -> None:
    """Fuzz, or say why not."""
    reason = why_not()
    if reason:
        print(f"make fuzz: skipped, {reason}")
        return
    sys.exit(run(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS, ROOT / "build" / "fuzz"))


if __name__ == "__main__":
    main()
