"""One workspace's records: which of a source's many a name means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from adapters.cli.audit.source import Source
from adapters.cli.call_error import CallError

if TYPE_CHECKING:
    from eventlog import Record

_MOST_NAMED: Final = 4
"""Logs that an error names before it only counts the others."""


def of_workspace(source: Source, workspace: str) -> list[Record]:
    """One workspace's records; ``WRITER/WORKSPACE`` says whose.

    Raises CallError when there are none, with the name that may have been meant, and when there are those of
    several workspaces of that name, with whose they are.
    """
    from difflib import get_close_matches

    from eventlog.audit.stream import writer_of

    # A workspace of a DevPod context has a slash in its name as well: CONTEXT/WORKSPACE.
    ways = {subject: _chooser(whose) for whose, subject in _ways(workspace)}
    by_way: dict[str, dict[str, list[Record]]] = {}
    others: set[str] = set()
    for record in source.records():
        writer = writer_of(record)
        if record.subject in ways and ways[record.subject](writer):
            by_way.setdefault(record.subject, {}).setdefault(writer, []).append(record)
        else:
            others.add(record.subject)
    subject = next(filter(by_way.__contains__, ways), workspace)
    found = by_way.get(subject, {})
    if not found:
        meant = get_close_matches(subject, sorted(others), 1)
        raise CallError(
            f"{source.name} has no events of workspace {workspace}" + (f"; did you mean {meant[0]}?" if meant else "")
        )
    if len(found) > 1:
        names = sorted(found)
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        raise CallError(
            f"{len(names)} logs in {source.name} have a workspace {subject}: {', '.join(names[:_MOST_NAMED])}{more};"
            f" say whose with --writer, or as WRITER/{subject}"
        )
    return next(iter(found.values()))


def _ways(workspace: str) -> Iterator[tuple[str, str]]:
    """Whose, and what, a name may mean: a workspace's all of it, then the beginning, at each slash, a writer's."""
    parts = workspace.split("/")
    for at in range(len(parts)):
        yield "/".join(parts[:at]), "/".join(parts[at:])


def _chooser(pattern: str) -> Callable[[str], bool]:
    if not pattern:
        return lambda _writer: True
    from adapters.ship.reader import chooser

    return chooser((pattern,))
