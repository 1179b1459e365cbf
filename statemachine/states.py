"""The states of a workspace, and the word DevPod gets for each."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class State(StrEnum):
    """Where a workspace is in its life, as far as the log tells."""

    ABSENT = "absent"
    PROVISIONING = "provisioning"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    STARTING = "starting"
    DELETING = "deleting"
    FAILED = "failed"


class Word(NamedTuple):
    """What DevPod is told, and why that word and no other."""

    machine: str
    """The answer to ``status``; DevPod's machine mode knows these four words alone."""
    container: str
    """``State.Status`` in the answer to ``find``: DevPod reads ``running`` as Running, ``exited`` as Stopped,
    anything else as Busy, and calls ``start`` unless it is ``running`` (cmd/status.go, pkg/devcontainer/single.go)."""
    reason: str


WORDS: Final[dict[State, Word]] = {
    State.ABSENT: Word("NotFound", "", "nothing exists and nothing is billed: DevPod creates it"),
    State.PROVISIONING: Word("Busy", "created", "the group is being placed: DevPod waits and asks again"),
    State.RUNNING: Word("Running", "running", "the container runs and takes commands"),
    State.STOPPING: Word("Busy", "stopping", "DevPod waits; a start now would be refused by Azure"),
    State.STOPPED: Word("Stopped", "exited", "the definition is kept, the container does not run: DevPod starts it"),
    State.STARTING: Word("Busy", "restarting", "the group is being placed again: DevPod waits and asks again"),
    State.DELETING: Word("Busy", "removing", "DevPod waits until it is gone"),
    State.FAILED: Word(
        "Stopped",
        "exited",
        "something may exist and be billed, so not NotFound: DevPod would forget it without deleting; "
        "Stopped makes it call start, which repairs, and keeps delete possible",
    ),
}
