"""The program, called within the test's own process."""

from __future__ import annotations

import pytest

from adapters.cli.main import run
from tests.adapters.cli.calling import Call


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.delenv("DEVPOD_DEBUG", raising=False)

    def calling(*arguments: str) -> tuple[int, str, str]:
        status = run(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return calling
