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
    """One workspace's records; ``WRITER/WORKSPACE`` says whose. Of several with one name after another, the latest's.

    Raises CallError when there are none, with the name that may have been meant, and when there are those of
    several workspaces of that name, with whose they are.
    """
    from difflib import get_close_matches

    from eventlog.audit.names import Names
    from eventlog.audit.stream import writer_of

    # A workspace of a DevPod context has a slash in its name as well: CONTEXT/WORKSPACE.
    ways = {subject: _chooser(whose) for whose, subject in _ways(workspace)}
    by_way: dict[str, dict[str, list[Record]]] = {}
    by_name: dict[str, dict[str, dict[str, list[Record]]]] = {}
    others: set[str] = set()
    known = Names()
    for record in source.records():
        writer, name = writer_of(record), known.learn(record)
        if record.subject in ways and ways[record.subject](writer):
            by_way.setdefault(record.subject, {}).setdefault(writer, []).append(record)
        elif name in ways and ways[name](writer):
            by_name.setdefault(name, {}).setdefault(writer, {}).setdefault(record.subject, []).append(record)
        else:
            others |= {record.subject, name} - {""}
    latest = {
        name: {writer: max(lives.values(), key=lambda life: life[-1].seq) for writer, lives in found.items()}
        for name, found in by_name.items()
    }
    candidates = latest | by_way
    subject = next(filter(candidates.__contains__, ways), workspace)
    found = candidates.get(subject, {})
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
