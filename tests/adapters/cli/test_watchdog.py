"""What stands beside a machine's create, and what becomes of the create without it."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from adapters.cli.watchdog import watched


def test_a_watchdog_that_cannot_be_started_keeps_nobody_from_creating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", refused)
    with watched({"MACHINE_FOLDER": str(tmp_path)}):
        pass
    _, err = capsys.readouterr()
    assert err.startswith("warning: should this create be killed, nobody deletes what it began: ")
    assert len(err.splitlines()) == 1
