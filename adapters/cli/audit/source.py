"""What the audit verbs read: this user's log, another log's file, or a place that many logs were shipped to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

import click

from adapters.cli.call_error import CallError
from adapters.cli.expired import note
from adapters.cli.host import is_folder
from statemachine.errors import LogDamagedError, LogError, UnsupportedError

if TYPE_CHECKING:
    from eventlog import Record

F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E", bound=Exception)

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_CONTAINERS: Final = ("https", "http")
_VERIFY: Final = "`devpod-provider-aci verify"


class Reader(Protocol):
    """What records come from: all of them once, and then what came since."""

    damage: list[LogDamagedError]
    """What was found wrong on the way; the rest was read all the same."""

    @property
    def logs(self) -> list[tuple[str, int, str]]:
        """The logs that were read: the name of each, its whole events, and what is wrong behind them."""
        ...

    def records(self) -> Iterator[Record]:
        """The records behind those that were read. Raises LogError, ProviderError."""
        ...


@dataclass
class Source:
    """What one call reads, as ``--from`` and ``--writer`` say; ``from_option`` makes it and passes it to the verb."""

    chosen: str | None = None
    """What ``--from`` names; None means the user's own log."""
    writers: tuple[str, ...] = ()
    """The patterns that ``--writer`` gives."""
    damage: list[LogDamagedError] = field(default_factory=list)
    """What was found wrong with the records by now."""
    _noted: bool = field(default=False, init=False)
    """Whether it was said that older events expired: once is enough, however often a verb reads."""

    @property
    def name(self) -> str:
        """The source, for messages."""
        return self.chosen or str(self.path)

    @property
    def path(self) -> Path | None:
        """The file or folder the records are in; None when they are somewhere else."""
        if self.chosen is None:
            from eventlog import default_path

            return default_path(os.environ)
        if _SCHEME.match(self.chosen):
            return None
        try:
            return Path(self.chosen).expanduser()
        except RuntimeError:  # ~somebody who has no home: a name like any other, under which there is nothing
            return Path(self.chosen)

    def is_shared(self) -> bool:
        """Whether many logs are read together. Raises UnsupportedError for an address that none can be read from."""
        file = self.path
        if file is not None:
            return self.chosen is not None and is_folder(file)
        match = _SCHEME.match(self.chosen or "")
        if match is not None and match[1].lower() not in _CONTAINERS:
            known = ", ".join(f"{scheme}://" for scheme in _CONTAINERS)
            raise UnsupportedError(
                f"--from cannot read {match[1]}:// addresses", remedy=f"It takes a file, a folder, or {known}."
            )
        return True

    def reader(self) -> Reader:
        """What reads the source. Raises LogError, CallError, UnsupportedError."""
        if self.is_shared():
            from adapters.cli.audit.shipped import store
            from adapters.ship.reader import ShippedReader, chooser

            return ShippedReader(store(self), chooser(self.writers))
        from eventlog.audit.reader import LogReader

        return LogReader(self.single())

    def single(self) -> Path:
        """The file of the one log that is read, if it ``is_shared`` by none; says once that older events expired.

        Raises LogError, CallError.
        """
        if self.writers:
            raise CallError("--writer chooses among the logs of a container or folder, which --from does not name")
        file = self.path
        if file is None:
            raise ValueError(f"{self.chosen} holds the logs of many")
        if self.chosen is not None:
            from eventlog.failures import explained

            with explained(file, "read"):
                is_there = file.exists()
            if not is_there:
                raise LogError(f"there is no event log {file}", remedy="Name a file, a folder or a container to read.")
        if not self._noted:
            note(file, single=self.chosen is not None)
            self._noted = True
        return file

    def records(self, reader: Reader | None = None) -> Iterator[Record]:
        """The records, oldest first; damage is noted, to be named in the end.

        Raises LogError, LogDamagedError for what cannot be read at all, UnsupportedError.
        """
        reader = reader or self.reader()
        reader.damage = self.damage
        return reader.records()


def from_option(function: F) -> F:
    """``--from`` and ``--writer``, before or after the verb; the command is passed the ``Source`` as ``source``.

    A verb that read a damaged log answers from what it could read; then the damage is named, and is the status.
    """

    @wraps(function)
    def answering(*args: Any, **kwargs: Any) -> Any:
        source = click.get_current_context().ensure_object(Source)
        try:
            answer = function(*args, source=source, **kwargs)
        except (LogDamagedError, CallError) as error:
            # What could not be found may be behind the damage, and what makes no sense comes from it.
            raise _addressed(source.damage[0] if source.damage else error, source) from None
        except LogError as error:
            raise _addressed(error, source) from error
        if source.damage:
            raise _addressed(source.damage[0], source)
        return answer

    made = click.option(
        "--writer",
        "writers",
        metavar="PATTERN",
        multiple=True,
        expose_value=False,
        callback=_choose_writers,
        help="With --from of many logs: only of these writers, such as laptop.ada or '*.ada'. Repeatable.",
    )(cast("F", answering))
    return click.option(
        "--from",
        "source",
        metavar="FILE|FOLDER|URL",
        expose_value=False,
        callback=_choose,
        help="Read this log instead of your own; or everybody's, from a container or a folder of copies.",
    )(made)


def _choose(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value == "":
        # A variable of the shell that is not set must not make the answer that of another log.
        raise CallError("--from is empty; it takes a file, a folder, or an address")
    if value is not None:
        ctx.ensure_object(Source).chosen = value


def _choose_writers(ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        ctx.ensure_object(Source).writers = value


def _addressed(error: E, source: Source) -> E:
    """The error with advice for whoever named a log: what is advised for one's own would lead astray."""
    if isinstance(error, LogError) and source.chosen is not None and not source.is_shared():
        if "ACI_EVENT_LOG" in error.hint:
            error.hint = "--from takes the file of an event log, a folder of copies, or the address of a container."
        error.hint = error.hint.replace(f"{_VERIFY}`", f"{_VERIFY} --from {source.chosen}`")
    return error
