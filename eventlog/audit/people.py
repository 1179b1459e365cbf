"""What each person did: one line for everybody, however many computers and invocations it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import msgspec

from eventlog.audit.cost import Bill, Line, together
from eventlog.audit.operations import Operation
from eventlog.audit.stream import Stream


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, summed up."""

    name: str
    """As Azure knows them, or else ``user@host``."""
    accounts: tuple[str, ...]
    """From where: each ``user@host``."""
    workspaces: tuple[str, ...]
    verbs: Mapping[str, int]
    """How often they asked for what."""
    failures: int
    """Not those of commands that ran and ended with a status of their own."""
    last: datetime
    cost: Line
    """Of what they started."""


class _Counted(msgspec.Struct):
    last: datetime
    verbs: Counter[str] = msgspec.field(default_factory=Counter)
    streams: set[Stream] = msgspec.field(default_factory=set)
    failures: int = 0


class People:
    """Collects operations by who asked for them."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, str], _Counted] = {}
        """By account and Azure identity."""

    def add(self, one: Operation) -> None:
        """Take one operation into account."""
        key = f"{one.user}@{one.host}", one.azure
        found = self._counted.get(key)
        if found is None:
            found = self._counted[key] = _Counted(one.time)
        found.last = max(found.last, one.time)
        found.verbs[one.verb] += 1
        found.streams.add(one.stream)
        found.failures += one.went_wrong

    def all(self, names: Mapping[Stream, str], costs: Bill | None = None) -> tuple[Person, ...]:
        """Everybody, by name; ``costs`` by actor add what each one's workspaces cost."""
        # A call that never asked Azure does not know its identity; the account's other calls do.
        known: dict[str, set[str]] = {}
        for account, azure in self._counted:
            known.setdefault(account, set()).update({azure} if azure else ())
        groups: dict[str, list[tuple[str, str, _Counted]]] = {}
        for (account, azure), counted in self._counted.items():
            others = known[account]
            name = azure or (next(iter(others)) if len(others) == 1 else account)
            groups.setdefault(name, []).append((account, azure, counted))
        sums = {line.actor: line for line in costs.lines} if costs else {}
        return tuple(_person(name, groups[name], names, sums) for name in sorted(groups))


def _person(
    name: str,
    parts: list[tuple[str, str, _Counted]],
    names: Mapping[Stream, str],
    sums: Mapping[str, Line],
) -> Person:
    verbs: Counter[str] = Counter()
    for _, _, counted in parts:
        verbs.update(counted.verbs)
    streams = {stream for _, _, counted in parts for stream in counted.streams}
    # What was started before Azure said who it is was summed under the account.
    lines = [sums[one] for one in {name, *(account for account, azure, _ in parts if not azure)} if one in sums]
    return Person(
        name=name,
        accounts=tuple(sorted({account for account, _, _ in parts})),
        workspaces=tuple(sorted(names.get(stream, stream.workspace) for stream in streams)),
        verbs=verbs,
        failures=sum(counted.failures for _, _, counted in parts),
        last=max(counted.last for _, _, counted in parts),
        cost=together(lines),
    )
