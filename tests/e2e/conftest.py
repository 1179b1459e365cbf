"""One emulator for the session, one user with a home and a log of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from emulator.testing import Running, running_emulator
from tests.e2e.provider import Provider


@pytest.fixture(scope="session")
def azure() -> Iterator[Running]:
    """ACI on this computer."""
    with running_emulator("fast", timings={"window": 0.2, "provision": 0.3}) as running:
        yield running


@pytest.fixture
def home() -> Iterator[Path]:
    """A user's home; short, because a socket's path may have 107 bytes."""
    folder = Path(mkdtemp(prefix="dpaci-"))
    (folder / "run").mkdir(mode=0o700)
    yield folder
    rmtree(folder, ignore_errors=True)


@pytest.fixture
def user(azure: Running, home: Path) -> Iterator[Provider]:
    """Somebody who has set the options and not yet named a workspace."""
    azure.control.clear()
    yield Provider(home, azure.env)
    azure.control.clear()


@pytest.fixture
def machine(user: Provider, request: pytest.FixtureRequest) -> Iterator[Provider]:
    """A machine by the test's own name, deleted afterwards."""
    named = user.with_env(MACHINE_ID=f"m-{abs(hash(request.node.nodeid)) % 10**8}", MACHINE_CONTEXT="default")
    yield named
    named.call("delete")


@pytest.fixture
def devcontainer(user: Provider, request: pytest.FixtureRequest) -> Iterator[Provider]:
    """A dev container by the test's own name, deleted afterwards."""
    named = user.with_env(DEVCONTAINER_ID=f"default-ws-{abs(hash(request.node.nodeid)) % 10**5}")
    yield named
    named.call("delete")
