"""One emulator for the fast tests, others of their own for those that need special settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from emulator.testing import running_emulator
from tests.emulator.clients import Azure


@pytest.fixture(scope="session")
def shared() -> Iterator[Azure]:
    """The emulator most tests share, with preset ``instant``."""
    with running_emulator(exec={"cap": 50}) as emulator:
        azure = Azure(emulator)
        yield azure
        azure.close()


@pytest.fixture
def azure(shared: Azure) -> Iterator[Azure]:
    """The shared emulator; faults and changed options do not outlive a test."""
    before = shared.emulator.control.call("GET", "settings")
    yield shared
    for ws in shared.shells:
        ws.close()
    shared.shells.clear()
    shared.emulator.control.clear()
    for section in ("exec", "timings", "control", "limits"):
        shared.emulator.control.change(section, **before[section])


@pytest.fixture
def start() -> Iterator[Callable[..., Azure]]:
    """Emulators of a test's own, with options."""

    def begin(preset: str = "instant", **options: Any) -> Azure:
        running = emulators.enter_context(running_emulator(preset, **options))
        azure = Azure(running)
        emulators.callback(azure.close)
        return azure

    with ExitStack() as emulators:
        yield begin
