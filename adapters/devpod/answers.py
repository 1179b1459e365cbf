"""The exact bytes each verb prints for DevPod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from statemachine.states import WORDS, State

ARCHITECTURE: Final = "amd64"
"""Container Instances runs no other."""


class _State(msgspec.Struct, rename="pascal"):
    status: str
    started_at: str


class _Config(msgspec.Struct, rename="pascal"):
    labels: Mapping[str, str]


class _Details(msgspec.Struct):
    """DevPod's ContainerDetails, as ``docker inspect`` writes it."""

    id: str = msgspec.field(name="ID")
    created: str = msgspec.field(name="Created")
    state: _State = msgspec.field(name="State")
    config: _Config = msgspec.field(name="Config")


def machine_status(state: State) -> str:
    """The answer to ``status``: Running, Busy, Stopped or NotFound."""
    return f"{WORDS[state].machine}\n"


def container_details(
    state: State, *, identifier: str, labels: Mapping[str, str], created: str = "", started: str = ""
) -> str:
    """The answer to ``find``: one JSON object, or nothing at all, not even a line end, when there is none.

    ``created`` and ``started`` are RFC 3339. DevPod starts the container unless the status is ``running``.
    """
    word = WORDS[state].container
    if not word:
        return ""
    details = _Details(
        id=identifier, created=created, state=_State(status=word, started_at=started), config=_Config(labels=labels)
    )
    return msgspec.json.encode(details).decode() + "\n"


def target_architecture() -> str:
    """The answer to ``target-architecture``."""
    return f"{ARCHITECTURE}\n"
