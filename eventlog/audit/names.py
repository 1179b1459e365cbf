"""Names: what DevPod's users call workspaces whose subject in the log is DevPod's own id of them. Pure.

In devcontainer mode DevPod hands over an id such as ``default-sh-1a2b3``; who typed ``devpod up shop`` looks for
``shop``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from eventlog.audit.stream import Stream, labels, stream_of
from eventlog.lines.record import Record
from statemachine import events as e
from statemachine.fold import Workspace
from statemachine.states import State

if TYPE_CHECKING:
    from eventlog.audit.query import Query

NAMING: Final = frozenset({e.CreateRequested.__name__, e.Adopted.__name__})
"""Types of the events that tell a workspace's name."""


class _Facts(msgspec.Struct, frozen=True, gc=False):
    name: str = ""


class _Data(msgspec.Struct, frozen=True, gc=False):
    facts: _Facts = _Facts()


_decode: Final = msgspec.json.Decoder(_Data).decode


class Names:
    """The names of the workspaces in some logs, learned from their records as they are read."""

    def __init__(self) -> None:
        self._known: dict[Stream, str] = {}

    def learn(self, record: Record) -> str:
        """The name of a record's workspace as far as the log tells it by then; empty where its subject is its name."""
        stream = stream_of(record)
        if record.type in NAMING:
            try:
                self._known[stream] = _decode(record.data).facts.name
            except msgspec.DecodeError:
                # For who reads the event itself to say.
                return ""
        return self._known.get(stream, "")

    def of(self, stream: Stream) -> str:
        """The name that was learned, or nothing."""
        return self._known.get(stream, "")

    def chosen(self, records: Iterable[Record], query: Query) -> Iterator[Record]:
        """The records of the workspaces that a query asks for, by subject or by name."""
        for record in records:
            name = self.learn(record)
            if query.wants_workspace(record.subject) or (name and query.wants_workspace(name)):
                yield record

    def labels(self, streams: Iterable[Stream]) -> dict[Stream, str]:
        """What to call each: the name that people know, and behind it what tells two of that name apart."""
        return {
            stream: f"{self._known[stream]} ({label})" if self._known.get(stream) else label
            for stream, label in labels(streams).items()
        }


def called(name: str, states: Mapping[str, Workspace | None]) -> tuple[list[str], bool]:
    """The subjects of the workspaces of that name, the latest first, and whether they exist: of those that do, these
    alone, else of all that are gone.
    """
    found = [one for one in states.values() if one is not None and one.facts is not None and one.facts.name == name]
    alive = [one for one in found if one.state is not State.ABSENT]
    latest = sorted(alive or found, key=lambda one: one.version, reverse=True)
    return [one.subject for one in latest], bool(alive)
