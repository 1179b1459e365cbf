"""What a group's three states mean together: one table, read from the top.

Azure tells of a group in three places: ``provisioningState`` (did the deployment work), the group's
``instanceView.state`` (is it running), and the container's ``currentState.state``. The vendor says to
depend on Succeeded and Failed only of the first (learn.microsoft.com, container states); any other word,
known or new, means that something is under way. Virtual Kubelet's Azure provider reads them the same way:
provisioningState unless it is Succeeded, then the group's state. Letter case carries no meaning in ARM, so
it carries none here.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from statemachine.ports import Presence

ANY: Final = None

SUCCEEDED: Final = frozenset({"succeeded"})
SILENT: Final = frozenset({"succeeded", ""})
"""Deployed; a missing word counts as that, and the other two states decide."""
SETTLED: Final = SILENT | {"stopped"}
BROKEN: Final = frozenset({"failed", "canceled", "cancelled"})
UNWELL: Final = frozenset({"unhealthy"})
AILING: Final = UNWELL | {"repairing"}
STOPPED: Final = frozenset({"stopped", "terminated"})
ENDED: Final = frozenset({"succeeded", "failed"})
RUNNING: Final = frozenset({"running"})
MISSING: Final = frozenset({""})
STILL: Final = frozenset({"terminated", ""})


class Row(NamedTuple):
    """When all three match, in lower case, the presence is this, for this reason; None matches every word."""

    provisioning: frozenset[str] | None
    group: frozenset[str] | None
    container: frozenset[str] | None
    presence: Presence
    reason: str


TABLE: Final = (
    Row(BROKEN, STOPPED, STILL, Presence.STOPPED, "failed to provision and was then stopped: it costs nothing more"),
    Row(AILING | SETTLED, STOPPED, RUNNING, Presence.PENDING, "the group stops, and its process lives yet"),
    Row(BROKEN, ANY, ANY, Presence.FAILED, "provisioning failed; the platform may go on trying, and billing"),
    Row(SILENT, RUNNING, RUNNING, Presence.RUNNING, "deployed, and the process lives"),
    Row(SUCCEEDED, MISSING, RUNNING, Presence.RUNNING, "some answers leave the group's state out"),
    Row(SUCCEEDED, RUNNING, MISSING, Presence.RUNNING, "or the container's: the group's own word is enough"),
    Row(SUCCEEDED, MISSING, MISSING, Presence.RUNNING, "or both: deployed, and nothing says that it ended"),
    Row(UNWELL, RUNNING, RUNNING | MISSING, Presence.RUNNING, "a word that may stay for hours while it runs"),
    Row(AILING, STOPPED, ANY, Presence.STOPPED, "whatever ails it: it was stopped, and nothing of it runs"),
    Row(SETTLED, STOPPED, ANY, Presence.STOPPED, "stopped; the container says Terminated (2024), nothing (2023), …"),
    Row(SILENT, ENDED, STILL, Presence.STOPPED, "the process ended by itself; stop leaves this state as it is"),
    Row(SUCCEEDED, MISSING, frozenset({"terminated"}), Presence.STOPPED, "ended; nothing says it will restart"),
    Row(SUCCEEDED, ANY, ANY, Presence.PENDING, "pulling, waiting, restarting, or a word we do not know: ask again"),
    Row(ANY, ANY, ANY, Presence.PENDING, "Pending, Creating, Updating, Repairing, …: not settled"),
)


def match(provisioning: str, group: str, container: str) -> Row:
    """The first row that fits; the last one always does."""
    words = tuple(word.strip().lower() for word in (provisioning, group, container))
    for row in TABLE:
        if all(want is ANY or word in want for want, word in zip(row[:3], words, strict=True)):
            return row
    return TABLE[-1]


def presence(provisioning: str, group: str, container: str) -> Presence:
    """What Azure's three words mean together; never ABSENT, which is a 404."""
    return match(provisioning, group, container).presence
