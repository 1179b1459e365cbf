"""A process killed by the kernel at every system call that touches the log, one call after the other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from eventlog import verify
from eventlog.files.segments import sealed
from statemachine.events import Exited
from statemachine.fold import fold
from tests.eventlog.lives import live, quick
from tests.eventlog.processes import ROOT
from tests.waiting import PATIENCE

CHANGES = {
    *("openat", "flock", "write", "fdatasync", "fsync", "ftruncate", "fchmod", "chmod", "close"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat"),
}

APPEND = """
import os, sys
from pathlib import Path
from eventlog import Actor, EventLog
from statemachine.events import Exited
log = EventLog(Path(sys.argv[1]), actor=lambda: Actor("a", "b"), correlation="c", segment=int(sys.argv[2]))
recorded = log.append("ws-1", Exited(detail="x"))
os.write(1, b"%d" % recorded.seq)
"""


def strace(*options: str, log: Path, segment: int) -> subprocess.CompletedProcess[str]:
    folders = [log, log.parent, log.with_name(log.name + ".d"), log.with_name(log.name + ".d") / "segments"]
    paths = [part for folder in folders for part in ("-P", str(folder))]
    command = ["strace", "-f", "-qq", *paths, *options, sys.executable, "-c", APPEND, str(log), str(segment)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE)


def can_trace() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = ["strace", "-qq", "-e", "inject=getpid:signal=KILL:when=1", "true"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"strace does not work here: {done.stderr.strip()}"


@pytest.mark.parametrize(("kind", "segment"), [("plain", 1 << 30), ("torn", 1 << 30), ("rolling", 1_000)])
def test_killed_at_every_system_call(path: Path, tmp_path: Path, kind: str, segment: int) -> None:
    if why := can_trace():
        pytest.skip(why)
    origin = tmp_path / "origin" / "events.jsonl"
    live(quick(origin), 12)
    if kind == "torn":
        with origin.open("ab") as file:
            file.write(b'{"specversion":"1.0","id":"half')

    def begin() -> None:
        shutil.rmtree(path.parent, ignore_errors=True)
        shutil.copytree(origin.parent, path.parent)

    begin()
    trace = tmp_path / "trace"
    done = strace("-o", str(trace), log=path, segment=segment)
    assert done.returncode == 0, done.stderr
    calls = trace.read_text(encoding="utf-8").splitlines()
    assert len(calls) > 8
    assert bool(sealed(path)) == (kind == "rolling")
    seen: Counter[str] = Counter()
    killed = 0
    for call in calls:
        name = call.split("(")[0].split()[-1]
        seen[name] += 1
        if name not in CHANGES:
            # Nothing is different after it, so dying there is dying at the next one.
            continue
        begin()
        inject = f"inject={name}:signal=KILL:when={seen[name]}"
        done = strace("-o", "/dev/null", "-e", inject, log=path, segment=segment)
        assert done.returncode != 0, call
        killed += 1
        said, found = done.stdout, verify(path)
        assert found.ok or found.torn, (call, found)
        seqs = {recorded.seq for recorded in quick(path).history("ws-1")}
        assert {int(said)} <= seqs if said else True, call
        for subject in ("ws-0", "ws-3"):
            assert quick(path).recall(subject) == fold(subject, quick(origin).history(subject)), call
        last = quick(path).append("ws-1", Exited()).seq
        assert verify(path).ok, (call, verify(path))
        assert last > max(seqs)
    assert killed > 5
