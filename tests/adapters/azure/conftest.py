"""An emulator for the whole folder, and a maker of connections to it that keeps what was traced."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.azure import AzureGroups, AzureSettings, GroupOrder
from emulator.testing import Control, ControlError, Running, running_emulator
from statemachine.events import GroupFacts, GroupRef
from statemachine.secret import Secret

SLEEPER = ("/bin/sh", "-c", "echo ready; while :; do sleep 60; done")
RESOURCE_GROUP = "dev"

_numbers = itertools.count(1)


@dataclass
class Line:
    """A connection, and everything it said."""

    groups: AzureGroups
    settings: AzureSettings
    control: Control
    traced: list[str] = field(default_factory=list)

    def calls(self, operation: str, since: int) -> int:
        """How often the emulator was asked to do something, from a mark on."""
        return len(self.control.requests(operation, since))


Make = Callable[..., Line]


@pytest.fixture(scope="session")
def emulator() -> Iterator[Running]:
    with running_emulator("instant", resource_groups={RESOURCE_GROUP: "westeurope"}) as running:
        yield running


@pytest.fixture
def clean(emulator: Running) -> Iterator[Running]:
    yield emulator
    emulator.control.clear()
    emulator.control.permissions(denied=[], allowed=["*"])
    emulator.control.registration("Registered")


@pytest.fixture
def trust(clean: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", clean.ca_file)
    monkeypatch.setenv("SSL_CERT_FILE", clean.ca_file)


@pytest.fixture
def line(clean: Running, trust: None) -> Iterator[Make]:
    """Connect with the emulator's service principal; keywords replace settings."""
    made: list[Line] = []

    def make(**changes: Any) -> Line:
        environment = clean.env
        traced: list[str] = []
        settings = AzureSettings(
            subscription=environment["AZURE_SUBSCRIPTION_ID"],
            tenant=environment["AZURE_TENANT_ID"],
            client_id=environment["AZURE_CLIENT_ID"],
            client_secret=Secret(environment["AZURE_CLIENT_SECRET"]),
            authority_host=environment["AZURE_AUTHORITY_HOST"],
            resource_manager_url=environment["AZURE_RESOURCE_MANAGER_URL"],
            deadline=20,
            retry_deadline=8,
            poll_interval=0.02,
            poll_ceiling=0.1,
            settle=1.0,
            trace=traced.append,
        )
        settings = dataclasses.replace(settings, **changes)
        made.append(Line(AzureGroups(settings), settings, clean.control, traced))
        return made[-1]

    yield make
    for one in made:
        one.groups.close()


@pytest.fixture
def ref(clean: Running) -> Iterator[GroupRef]:
    """A group nobody else has used, gone again afterwards."""
    name = f"ws-{next(_numbers)}"
    yield GroupRef(clean.subscription_id, RESOURCE_GROUP, name, "dev")
    clean.control.clear()
    with suppress(ControlError):  # the test deleted it itself, or never made it
        clean.control.world.delete(name)


def order(ref: GroupRef, **changes: Any) -> GroupOrder:
    facts = {"image": "alpine:3.19", "location": "westeurope", "cpu": 1.0, "memory_gb": 1.5, "restart_policy": "Never"}
    facts.update(changes.pop("facts", {}))
    return GroupOrder(**{"ref": ref, "facts": GroupFacts(**facts), "command": SLEEPER, **changes})


@pytest.fixture(name="order")
def order_maker() -> Callable[..., GroupOrder]:
    return order
