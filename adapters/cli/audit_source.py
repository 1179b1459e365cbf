"""Where the records of the audit verbs come from: this user's log, another file, or somewhere it was shipped to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from statemachine.errors import LogError, UnsupportedError

if TYPE_CHECKING:
    from eventlog import EventLog, Record

AUDIT_SOURCES: Final[dict[str, str]] = {"https": "adapters.cli.ship", "http": "adapters.cli.ship"}
"""Modules that read records from elsewhere, by the scheme of the address, such as ``https``. Each has a function
``records(address: str, *, since_seq: int = 0) -> Iterator[Record]`` that raises LogError."""

F = TypeVar("F", bound=Callable[..., Any])

_KEY: Final = "adapters.cli.audit_source"
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def from_option(function: F) -> F:
    """``--from``, before or after the verb; a command is not passed it but calls ``records``."""
    return click.option(
        "--from",
        "source",
        metavar="FILE|URL",
        expose_value=False,
        callback=_remember,
        help="Read this log instead of your own.",
    )(function)


def chosen() -> str | None:
    """What ``--from`` names in this call; None means the user's own log."""
    found = click.get_current_context().meta.get(_KEY)
    return found if isinstance(found, str) else None


def name() -> str:
    """The source, for messages."""
    return chosen() or str(_own_path())


def path() -> Path | None:
    """The file the records are in; None when they are somewhere else."""
    source = chosen()
    if source is None:
        return _own_path()
    return None if _SCHEME.match(source) else Path(source).expanduser()


def records(*, since_seq: int = 0) -> Iterator[Record]:
    """The records of the chosen source, oldest first. Raises LogError, LogDamagedError, UnsupportedError."""
    source = chosen()
    match = _SCHEME.match(source) if source else None
    if source is None or match is None:
        return _log(path() or _own_path(), must_exist=source is not None).records(since_seq=since_seq)
    module = AUDIT_SOURCES.get(match[1].lower())
    if module is None:
        known = ", ".join(f"{scheme}://" for scheme in AUDIT_SOURCES)
        raise UnsupportedError(
            f"--from cannot read {match[1]}:// addresses",
            remedy=f"It takes a file{f', or {known}' if known else ''}.",
        )
    found: Iterator[Record] = import_module(module).records(source, since_seq=since_seq)
    return found


def of_workspace(workspace: str) -> list[Record]:
    """One workspace's records. Raises CallError when there are none, with the name that may have been meant."""
    from difflib import get_close_matches

    from adapters.cli.audit_filters import CallError

    found: list[Record] = []
    others: set[str] = set()
    for record in records():
        if record.subject == workspace:
            found.append(record)
        else:
            others.add(record.subject)
    if not found:
        meant = get_close_matches(workspace, sorted(others), 1)
        raise CallError(
            f"{name()} has no events of workspace {workspace}" + (f"; did you mean {meant[0]}?" if meant else "")
        )
    return found


def _remember(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[_KEY] = value


def _own_path() -> Path:
    from eventlog import default_path

    return default_path(os.environ)


def _log(file: Path, *, must_exist: bool) -> EventLog:
    from eventlog import Actor, EventLog

    if must_exist and not file.exists():
        raise LogError(f"there is no event log {file}", remedy="Name a file that `--from` can read.")
    # Nothing is written through it, so it does not matter who we are.
    return EventLog(file, actor=lambda: Actor(user="", host=""), correlation="")
