"""audit --follow: what is recorded is told within a second, and watching ends when nobody watches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tests.eventlog.audit.story import ADA, Story
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[4]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "events.jsonl").call(ADA).creates("shop")


@contextmanager
def following(story: Story, *more: str) -> Iterator[subprocess.Popen[str]]:
    env = {"PATH": os.environ["PATH"], "HOME": str(story.path.parent), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "adapters.cli", "audit", "--follow", *more],
        env=env | {"ACI_EVENT_LOG": str(story.path), "PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        guard = Timer(PATIENCE, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            process.kill()


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    found: dict[str, Any] = json.loads(line)
    return found


def test_what_is_recorded_is_told_within_a_second(story: Story) -> None:
    with following(story, "--json") as process:
        assert told(process)["workspace"] == "shop"
        # Each comes right after a look, so each waits for a whole pause; a busy machine may add to some.
        waits = []
        for number in range(20):
            story.call(ADA)
            story.stops("shop") if number % 2 == 0 else story.starts("shop")
            since = time.monotonic()
            while told(process)["outcome"] == "open":
                pass
            waits.append(time.monotonic() - since)
            if number >= 4 and sorted(waits)[2] < 1:
                return
        raise AssertionError(waits)


def test_a_log_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "later" / "events.jsonl"
    later = Story.__new__(Story)
    later.path = path
    with following(later, "--json") as process:
        time.sleep(1)
        assert process.poll() is None
        Story(path).call(ADA).creates("shop")
        assert told(process)["workspace"] == "shop"


def test_damage_that_comes_is_told_at_once(story: Story, tmp_path: Path) -> None:
    with following(story, "--json") as process:
        told(process)
        # What another process would have appended, changed on its way to the file.
        copy = tmp_path / "copy.jsonl"
        copy.write_bytes(story.path.read_bytes())
        copy.chmod(0o600)
        Story(copy).call(ADA).stops("shop")
        added = copy.read_bytes()[story.path.stat().st_size :]
        with story.path.open("ab") as file:
            file.write(added.replace(b'"user":"ada"', b'"user":"eve"'))
        assert process.stderr is not None
        assert "warning: " in process.stderr.readline()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(story: Story, how: signal.Signals) -> None:
    with following(story, "--json") as process:
        told(process)
        process.send_signal(how)
        out, err = process.communicate(timeout=PATIENCE)
    assert (out, err.strip()) == ("", "")
    assert process.returncode == (130 if how is signal.SIGINT else -signal.SIGTERM)


def test_it_ends_when_nobody_reads(story: Story) -> None:
    with following(story, "--json") as process:
        told(process)
        assert process.stdout is not None
        process.stdout.close()
        # Without another event: who closed the pipe need not wait for one.
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
