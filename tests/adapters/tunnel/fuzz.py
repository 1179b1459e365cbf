"""Fuzz the helper's parser of packets and of orders: ``make fuzz``, or this file with a number of seconds.

libFuzzer starts from the shared vectors, under AddressSanitizer and UBSan. What breaks it is kept in
``build/fuzz``, and the corpus too, so that a later run goes on from there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
HELPER = ROOT / "adapters" / "tunnel" / "helper"
SOURCES = [HELPER / f"{name}.c" for name in ("parser", "armour", "packet", "crc", "order", "util")]
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{HELPER}"]
CHECKS = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
SECONDS = 60


def why_not() -> str:
    """Why this machine cannot fuzz; empty when it can."""
    if shutil.which("clang") is None:
        return "clang is not installed (Debian: `apt-get install clang`)"
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder, "trial.c")
        trial.write_text(
            "#include <stddef.h>\nint LLVMFuzzerTestOneInput(const unsigned char *, size_t);\n"
            "int LLVMFuzzerTestOneInput(const unsigned char *d, size_t s) { (void)d; return s > 9 && 0; }\n"
        )
        done = subprocess.run(
            ["clang", *CHECKS, "-o", trial.with_suffix(""), trial], capture_output=True, text=True, check=False
        )
    said = done.stderr.strip().splitlines()
    return f"this clang lacks libFuzzer or its sanitizers: {said[-1] if said else ''}" if done.returncode else ""


def build(program: Path) -> None:
    """Compile the fuzz target."""
    subprocess.run(["clang", *FLAGS, "-DFUZZ", *CHECKS, "-o", program, HERE / "harness.c", *SOURCES], check=True)


def seed(corpus: Path) -> None:
    """The vectors as inputs: two bytes that choose mode and piece, then what arrives."""
    corpus.mkdir(parents=True, exist_ok=True)
    for count, line in enumerate((HERE / "vectors.txt").read_text(encoding="ascii").splitlines()):
        kind, *words = line.split() or ["#"]
        data = {"events": 1, "packet": 5, "judge": 0}.get(kind)
        if data is not None and words[data] != "-":
            opening = bytes([2 if kind == "judge" else int(words[0]) & 1, 63])
            probe = b"?" if kind == "judge" else b""
            (corpus / f"vector-{count}").write_bytes(opening + probe + bytes.fromhex(words[data]))


def run(seconds: int, folder: Path) -> int:
    """Build and fuzz; libFuzzer's own exit status."""
    program, corpus = folder / "parser", folder / "corpus"
    seed(corpus)
    build(program)
    options = [f"-max_total_time={seconds}", "-max_len=70000", "-print_final_stats=1", f"-artifact_prefix={folder}/"]
    environ = os.environ | {"ASAN_OPTIONS": "detect_leaks=1"}
    return subprocess.run([program, *options, corpus], env=environ, check=False).returncode


def main() -> None:
    """Fuzz, or say why not."""
    reason = why_not()
    if reason:
        print(f"make fuzz: skipped, {reason}")
        return
    sys.exit(run(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS, ROOT / "build" / "fuzz"))


if __name__ == "__main__":
    main()
