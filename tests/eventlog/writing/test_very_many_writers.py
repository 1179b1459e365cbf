"""Sixty-four processes, a hundred thousand events: run where ACI_SLOW_TESTS is set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eventlog import EventLog, verify
from tests.eventlog.processes import appender

WRITERS = 64
EACH = 1_563


@pytest.mark.skipif(not os.environ.get("ACI_SLOW_TESTS"), reason="takes minutes: set ACI_SLOW_TESTS")
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_events_of_sixty_four_processes(path: Path, log: EventLog) -> None:
    writers = [appender(path, "free", f"ws-{number % 5}", EACH) for number in range(WRITERS)]
    acknowledged: list[int] = []
    for writer in writers:
        out, err = writer.communicate(timeout=1500)
        assert writer.returncode == 0, err
        acknowledged += [int(line) for line in out.split()]
    assert sorted(acknowledged) == list(range(1, WRITERS * EACH + 1))
    verdict = verify(path)
    assert (verdict.ok, verdict.events) == (True, WRITERS * EACH), verdict
    assert len({record.id for record in log.records()}) == WRITERS * EACH
