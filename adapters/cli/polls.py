"""Polls of Azure through the tunnel's holder, which is signed in and connected: one round trip, and no SDK to import.

Whatever goes wrong here, the caller asks Azure itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from statemachine.errors import RefusedError
from statemachine.events import GroupRef
from statemachine.ports import Sighting

PATIENCE: Final = 10.0
"""Seconds a holder may take for a look."""


class Look(msgspec.Struct, frozen=True):
    """What the holder saw, and as whom."""

    sighting: Sighting
    identity: str


def ask(holder: Path, group: GroupRef) -> Look | None:
    """One look through the holder at that socket; None when there is none, or it cannot say."""
    if not holder.exists():
        return None
    from adapters.tunnel import ask_holder

    answer = ask_holder(holder, msgspec.to_builtins(group), PATIENCE)
    try:
        return None if answer is None else msgspec.convert(answer, Look)
    except msgspec.ValidationError:
        return None


def answering(group: GroupRef, look: Callable[[GroupRef], Look]) -> Callable[[object], object]:
    """What a holder answers polls with: about its own group, and one after the other over its one connection."""
    lock = threading.Lock()

    def answer(question: object) -> object:
        if msgspec.convert(question, GroupRef) != group:
            raise RefusedError(f"this is the holder of {group.name}")
        with lock:
            return msgspec.to_builtins(look(group))

    return answer
