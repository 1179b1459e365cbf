"""A far side that wants the holder's memory: by asking and not listening, and by output in the smallest pieces."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Thread

import pytest

from adapters.tunnel import CommandSpec, run_through_holder
from statemachine.errors import ProviderError
from tests.adapters.tunnel import far_side
from tests.waiting import PATIENCE, until

ROOT = Path(far_side.__file__).parents[3]
MORE_MOST = 24 << 20
"""Bytes by which the holder may grow: its windows, and what the interpreter does with them."""


def resident(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells by /proc how much memory it takes")
@pytest.mark.parametrize(("mode", "enough"), [("pings", 40 << 20), ("crumbs", 14 << 20)])
def test_the_holder_does_not_grow(held, helper, mode, enough):
    sent = [0]

    def count(data):
        sent[0] += len(data)
        return data

    holder = held(
        behaviour={
            "argv": [sys.executable, far_side.__file__, helper.digest, mode],
            "env": {"PYTHONPATH": str(ROOT)},
            "output": count,
        },
    )
    ours, theirs = zip(*[os.pipe() for _ in range(2)], strict=True)
    spec, ended = CommandSpec("whatever"), []

    def run():
        try:
            with Path(os.devnull).open("rb") as nothing:
                run_through_holder(
                    spec, holder.path, spawn=holder.spawn, stdin=nothing.fileno(),
                    stdout=theirs[0], stderr=theirs[1], start_seconds=PATIENCE,
                )  # fmt: skip
        except ProviderError as problem:
            ended.append(problem)

    thread = Thread(target=run)
    thread.start()
    try:
        until(lambda: holder.started)
        pid = holder.started[0].pid
        until(lambda: sent[0] > 200_000 or ended)
        before = resident(pid)
        until(lambda: sent[0] > enough or ended)
        assert not ended
        assert resident(pid) - before < MORE_MOST
    finally:
        for process in holder.started:
            process.kill()
        for fd in (*ours, *theirs):
            os.close(fd)
        thread.join(PATIENCE)
