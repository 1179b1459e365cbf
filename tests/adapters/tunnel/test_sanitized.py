"""The whole helper under AddressSanitizer and UBSan, at real work; and a moment of fuzzing its parser."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, TtySize, Tuning, run_command
from adapters.tunnel.starting import helperfile
from statemachine.errors import UserUnknownError

HERE = Path(__file__).parent
HELPER = HERE.parents[2] / "adapters" / "tunnel" / "helper"
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror"]
CHECKS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def compile_sanitized(folder):
    """The helper with checks in it; skips where no compiler has them."""
    binary = folder / "helper"
    for compiler in filter(shutil.which, ("gcc", "clang")):
        trial = folder / "trial.c"
        trial.write_text("int main(void) { return 0; }\n")
        if subprocess.run([compiler, *CHECKS, "-o", binary, trial], capture_output=True, check=False).returncode:
            continue
        if subprocess.run([binary], capture_output=True, check=False).returncode:
            continue
        # clang links its runtime into the program, which is then larger than a helper may be, unless told otherwise.
        shared = ["-shared-libasan"] if compiler == "clang" else []
        sources = sorted(HELPER.glob("*.c"))
        subprocess.run([compiler, *FLAGS, *CHECKS, *shared, "-o", binary, *sources], check=True)
        return binary.read_bytes()
    return pytest.skip("neither gcc nor clang here can make a program with AddressSanitizer and UBSan")


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    data = compile_sanitized(tmp_path_factory.mktemp("checked"))
    return helperfile.Helper(data, hashlib.sha256(data).hexdigest())


@pytest.fixture
def run(endpoint, captured, checked, short_folder, monkeypatch):
    """Run commands with the checked helper, which is placed beforehand; nothing may be found wrong."""
    monkeypatch.setattr(helperfile, "load_helper", lambda: checked)
    found = short_folder / "found"
    server = endpoint(env={"ASAN_OPTIONS": f"log_path={found}:detect_leaks=0"})
    place = Path(server.behaviour.env["TMPDIR"], f".devpod-aci-{os.geteuid()}")
    place.mkdir(mode=0o700)
    (place / checked.build).write_bytes(checked.data)
    (place / checked.build).chmod(0o755)
    tuning = Tuning(ping=0.3, dead=60, resume=120, backoff_first=0.05)

    def run(command, data=b"", **options):
        spec = CommandSpec(command, **options)
        return captured(
            lambda i, o, e: run_command(
                spec, server.opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file, tuning=tuning
            ), data,
        )  # fmt: skip

    run.server = server
    yield run
    reports = [path.read_text() for path in short_folder.glob("found*")]
    assert not reports, reports[0][:3000]


def test_ordinary_commands(run):
    data = os.urandom(3_000_000)
    outcome = run("tee /dev/stderr; exit 7", data)
    assert (outcome.status, outcome.out, outcome.err) == (7, data, data)
    text = b"".join(b"line %d\n" % n for n in range(400_000))  # compressed on its way
    assert run("sha256sum", text).out.split()[0].decode() == hashlib.sha256(text).hexdigest()
    assert run("stty size; tty >/dev/null", tty=TtySize(33, 99)).out.split() == [b"33", b"99"]
    assert run("exec <&-; sleep 0.3; echo x", data).out == b"x\n"
    assert run("sleep 60 & kill -9 $$").status == 137
    with pytest.raises(UserUnknownError):
        run("true", user="nosuch")
    assert len(run(f": {'x' * 400_000}; env", env={"LONG": "y" * 100_000}).out) > 100_000


def test_breaks_and_damage(run, tmp_path):
    data = os.urandom(2_000_000)
    stop = threading.Event()

    def saw():
        while not (tmp_path / "runs").exists() and not stop.wait(0.02):
            continue
        for _ in range(6):  # not for ever: on a busy machine that is hardly enough to come back
            if stop.wait(0.3):
                return
            run.server.drop_all()

    thread = threading.Thread(target=saw)
    thread.start()
    try:
        outcome = run(f"touch {tmp_path}/runs; sleep 1; cat", data)
    finally:
        stop.set()
        thread.join()
    assert outcome.out == data
    run.server.behaviour.input = lambda piece: bytes(value & 0x7F for value in piece)
    run.server.behaviour.output = lambda piece: piece.replace(b"\x11", b"")
    assert run("cat", data[:200_000]).out == data[:200_000]


def test_a_client_that_vanishes(run):
    run.server.behaviour.drop_after = 300_000
    assert run("yes | head -c 1000000").out == b"y\n" * 500_000
    assert run.server.sessions == 2


def test_a_moment_of_fuzzing(tmp_path):
    fuzz = HERE / "fuzz.py"
    reason = subprocess.run(
        [sys.executable, "-c", f"import runpy; print(runpy.run_path({str(fuzz)!r})['why_not']())"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    if reason:
        pytest.skip(reason)
    call = f"['run'](3, pathlib.Path({str(tmp_path)!r}))"
    program = f"import runpy, sys, pathlib; sys.exit(runpy.run_path({str(fuzz)!r}){call})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
