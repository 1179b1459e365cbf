"""Opens the containers and folders that logs were shipped to, for the verbs that read, export and ship."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from adapters.cli.audit.source import Source
from adapters.cli.compose import BRISK, PATIENT, azure_settings
from adapters.cli.console import say, tracer
from eventlog import default_path
from statemachine.errors import LogDamagedError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from adapters.ship.blob import Container
    from adapters.ship.line import Line, Snapshot
    from adapters.ship.merge import Mark, Merged
    from adapters.ship.store import Readable

T = TypeVar("T")


def store(source: Source) -> Readable:
    """The container or folder that ``--from`` names. Raises OptionError, LogError."""
    path = source.path
    if path is None:
        return container(source.name, "--from", PATIENT)
    from adapters.ship.store import Folder

    return Folder(path)


def merged(source: Source) -> Merged:
    """The logs of everybody chosen, as they are now. Raises LogError when there are none, ProviderError."""
    from adapters.ship.merge import Merged
    from adapters.ship.reader import chooser, none_there

    found = Merged(store(source), wants=chooser(source.writers))
    if not found.writers:
        raise none_there(found.store)
    return found


def snapshot(source: Source) -> Snapshot:
    """The chosen source as it is now: one log, or many. Raises ProviderError, CallError."""
    if source.is_shared():
        return merged(source)
    from adapters.ship.local import LocalLog

    return LocalLog(source.single())


def named_lines(source: Source, *, local: bool) -> Iterator[tuple[str, Line]]:
    """The lines of the chosen source, each with its writer's name; with ``local`` also those of the own log that
    are not in it. Raises LogError, LogDamagedError when all are read, ProviderError.
    """
    from adapters.ship.local import LocalLog
    from adapters.ship.merge import START

    damage: list[LogDamagedError] = []
    marks: dict[str, Mark] = {}
    if source.is_shared():
        everybody = merged(source)
        yield from whole(everybody.named(), damage)
        marks = everybody.marks()
    else:
        found = snapshot(source)
        begun = found.name() if isinstance(found, LocalLog) else None
        name = begun.writer if begun else ""
        yield from ((name, line) for line in whole(found.lines(), damage))
    if local and source.chosen is not None:
        own = LocalLog(default_path(os.environ))
        called = own.name()
        if called is not None:
            mark = marks.get(called.writer, START)
            yield from ((called.writer, line) for line in own.after(mark.seq, mark.head, called.log))
    for error in damage:
        raise error


def whole(found: Iterator[T], damage: list[LogDamagedError]) -> Iterator[T]:
    """What is given up to where it is damaged; what was found goes to ``damage`` and not up."""
    try:
        yield from found
    except LogDamagedError as error:
        damage.append(error)


def readable(found: Iterator[Line], damage: list[LogDamagedError]) -> Iterator[Line]:
    """The lines whose records can be told in other words; a log ends before one that cannot, as where it is damaged."""
    ended: set[str] = set()
    for line in whole(found, damage):
        if line.log in ended:
            continue
        try:
            line.record()
        except LogDamagedError as error:
            damage.append(error)
            ended.add(line.log)
        else:
            yield line


def container(url: str, option: str, patience: float) -> Container:
    """A container of Azure Blob Storage. Raises OptionError, UnsupportedError without the SDK."""
    from adapters.azure.transport import TracedTransport, silence_libraries
    from adapters.azure.trust import trusted
    from adapters.ship.blob import Container
    from adapters.ship.place import place

    found = place(url, os.environ, option=option)
    silence_libraries()
    transport = TracedTransport(verify=trusted(), trace=tracer(os.environ))
    return Container(found, token=_token, transport=transport, patience=patience, say=say)


def _token() -> TokenCredential:
    """Whoever the options sign in as. A subscription plays no part in storage, so none is asked for."""
    from adapters.azure.credentials import Credential
    from adapters.azure.trust import trusted
    from adapters.devpod import parse

    none = "00000000-0000-0000-0000-000000000000"
    given = os.environ.get("AZURE_SUBSCRIPTION_ID", "")
    options = parse({**os.environ, "AZURE_SUBSCRIPTION_ID": given or none}, None)
    settings = replace(azure_settings(options, tracer(os.environ), patience=BRISK, say=say), subscription=given)
    return Credential(settings, verify=trusted())
