"""audit export, ship, sql, writers: the log for other programs, other places, and other questions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from adapters.cli import audit_source as source
from adapters.cli.audit_source import from_option
from adapters.cli.compose import BRISK, PATIENT, azure_settings, log_path
from adapters.cli.console import debugging, say, silent, trace
from statemachine.errors import LogDamagedError, LogError

if TYPE_CHECKING:
    from adapters.ship.blob import Container
    from adapters.ship.line import Line, Snapshot
    from adapters.ship.merge import Mark
    from adapters.ship.redact import Redactor
    from eventlog import Record

KEY_FILE: Final = click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The key of the pseudonyms, to have the same ones as others; else one is kept beside your log.",
)
REDACT: Final = click.option("--redact", is_flag=True, help="Pseudonyms instead of people and their computers.")


@click.command()
@from_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "cloudevents", "cloudevents-batch", "otlp-json"]),
    default="jsonl",
    show_default=True,
)
@REDACT
@KEY_FILE
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of standard output.")
def export(form: str, redact: bool, key_file: Path | None, output: Path | None) -> None:  # noqa: FBT001  # click passes flags so
    """Write every event for other programs: as it is, as CloudEvents, or as OpenTelemetry logs."""
    from adapters.ship import export as writing

    found = _snapshot()
    redactor = _redactor(found, key_file) if redact else None
    damage: list[LogDamagedError] = []
    target = None if output is None or str(output) == "-" else output
    with writing.output(target, *filter(None, [source.path()])) as file:
        for data in writing.FORMATS[form](_whole(found.lines(), damage), redactor, time.time_ns()):
            file.write(data)
    # What is whole is written first: one damaged writer must not keep the others from being read.
    for error in damage:
        raise error


@click.command()
@click.option("--blob", metavar="URL", help="A container of Azure Blob Storage; append blobs take the log as it is.")
@click.option("--otlp", metavar="URL", help="An OpenTelemetry collector (OTLP over HTTP).")
@REDACT
@KEY_FILE
def ship(blob: str | None, otlp: str | None, redact: bool, key_file: Path | None) -> None:  # noqa: FBT001  # click passes flags so
    """Send what is new in your log to a container, a collector, or both. Run it as often as you like."""
    if source.chosen() is not None:
        raise click.UsageError("ship sends your own log; --from belongs to the verbs that read")
    if not (blob or otlp):
        raise click.UsageError("--blob URL or --otlp URL says where to")
    if redact and blob:
        raise click.UsageError("--redact would break the chain that --blob keeps; it goes with --otlp alone")
    from adapters.ship.local import LocalLog

    log = LocalLog(log_path(os.environ), own=True)
    if blob:
        _ship_blob(log, blob)
    if otlp:
        _ship_otlp(log, otlp, _redactor(log, key_file) if redact else None)


@click.command()
@from_option
@click.option("--local", is_flag=True, help="With --from: what your own log has and did not ship yet, as well.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.argument("statement")
def sql(statement: str, local: bool, as_json: bool) -> None:  # noqa: FBT001  # click passes flags so
    """Ask the view EVENTS a question in SQL (DuckDB's): `SELECT type, count(*) FROM events GROUP BY ALL`.

    Columns: seq, time (UTC), type, workspace, actor.user, actor.host, actor.azure, correlation, failure_code,
    failure_message, request_id, region, cpu, memory_gb, data (JSON), id, source, schema_version, prev, hash.
    """
    from adapters.ship.sql import query

    damage: list[LogDamagedError] = []
    answer = query(_whole(_both(local=local), damage), statement)
    (_print_json if as_json else _print_table)(answer.columns, answer.rows())
    for error in damage:
        raise error


@click.command()
@from_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def writers(as_json: bool) -> None:  # noqa: FBT001  # click passes flags so
    """List who shipped to a container, with the state of each one's chain."""
    from adapters.ship.merge import Merged

    found = _snapshot()
    if not isinstance(found, Merged):
        raise click.UsageError("--from URL says of which container")
    damage: list[LogDamagedError] = []
    for _ in _whole(found.lines(), damage):
        pass
    rows = (
        (one.name, one.mark.seq, one.first, one.last, len(one.blobs), one.mark.offset, one.damage or "whole")
        for one in found.writers
    )
    columns = ["writer", "events", "first", "last", "blobs", "bytes", "chain"]
    (_print_json if as_json else _print_table)(columns, rows)
    for error in damage:
        raise error


_marks: Final[dict[str, dict[str, Mark]]] = {}


def records(address: str, *, since_seq: int = 0) -> Iterator[Record]:
    """The records of everybody who shipped to a container, in the order of time; for ``audit --from``.

    Many logs have no common seq, so any ``since_seq`` means: what was added since this process asked last.
    Each record's ``source`` ends with the name of its log, for two people may have workspaces of one name.
    Raises LogError, LogDamagedError after the last whole record, ProviderError.
    """
    import msgspec

    from adapters.ship.merge import Merged
    from eventlog import Record

    merged = Merged(_container(address, "--from", BRISK), marks=_marks.get(address) if since_seq else None)
    decode = msgspec.json.Decoder(Record).decode
    try:
        for line in merged.lines():
            record = decode(line.raw)
            yield msgspec.structs.replace(record, source=f"{record.source}/{line.log}")
    finally:
        _marks[address] = (_marks.get(address, {}) if since_seq else {}) | merged.marks()


def _ship_blob(log: Any, url: str) -> None:
    from adapters.ship.send import ship as send

    done = send(log, _container(url, "--blob", PATIENT))
    if not done.blob:
        click.echo("nothing recorded, nothing shipped")
    elif not done.events:
        click.echo(f"nothing new; {done.blob} ends with event {done.last}")
    else:
        click.echo(f"{done.events} events ({done.size} bytes) appended to {done.blob}, up to event {done.last}")


def _ship_otlp(log: Any, url: str, redactor: Redactor | None) -> None:
    from adapters.azure.trust import trusted
    from adapters.ship import collector
    from adapters.ship.tell import tell

    sender = collector.Collector(
        collector.endpoint(url),
        headers=collector.headers(os.environ),
        verify=trusted(),
        patience=PATIENT,
        trace=_tracer(),
    )
    done = tell(log, sender, redactor=redactor, now=time.time_ns)
    if done.rejected:
        say(f"warning: the collector did not take {done.rejected} of {done.events} events: {done.reason}")
    click.echo(f"{done.events} events sent to {sender.url}, up to event {done.last}" if done.events else "nothing new")


def _snapshot() -> Snapshot:
    from adapters.ship.local import LocalLog
    from adapters.ship.merge import Merged

    path = source.path()
    if path is None:
        return Merged(_container(source.name(), "--from", PATIENT))
    if path.is_dir() and source.chosen() is not None:
        from adapters.ship.store import Folder

        return Merged(Folder(path))
    if source.chosen() is not None and not path.exists():
        raise LogError(f"there is no event log {path}", remedy="Name a file, a folder or a container to read.")
    return LocalLog(path)


def _both(*, local: bool) -> Iterator[Line]:
    """The chosen source, and with ``local`` the lines of the own log that are not in it."""
    found = _snapshot()
    if not local or source.chosen() is None:
        yield from found.lines()
        return
    from adapters.ship.local import LocalLog
    from adapters.ship.merge import START, Merged
    from adapters.ship.writer import log_id, writer_of

    damage: list[LogDamagedError] = []
    yield from _whole(found.lines(), damage)
    own = LocalLog(log_path(os.environ))
    first = own.first()
    if first is not None:
        mark = (found.marks() if isinstance(found, Merged) else {}).get(writer_of(first), START)
        yield from own.after(mark.seq, mark.head, log_id(first))
    for error in damage:
        raise error


def _whole(lines: Iterator[Line], damage: list[LogDamagedError]) -> Iterator[Line]:
    """The lines up to where they are damaged; what was found goes to ``damage`` and not up."""
    try:
        yield from lines
    except LogDamagedError as error:
        damage.append(error)


def _redactor(found: Snapshot, key_file: Path | None) -> Redactor:
    from adapters.ship.key import key_path, redaction_key
    from adapters.ship.redact import Redactor, names_in

    key = redaction_key(key_file or key_path(log_path(os.environ)), make=key_file is None)
    return Redactor(key, names_in(_whole(found.lines(), [])))


def _container(url: str, option: str, patience: float) -> Container:
    from adapters.azure.transport import TracedTransport, silence_libraries
    from adapters.azure.trust import trusted
    from adapters.ship.blob import Container
    from adapters.ship.place import place

    found = place(url, os.environ, option=option)
    silence_libraries()
    transport = TracedTransport(verify=trusted(), trace=_tracer())
    return Container(found, token=_token, transport=transport, patience=patience)


def _token() -> Any:
    """Whoever the options sign in as. A subscription plays no part in storage, so none is asked for."""
    from adapters.azure.credentials import Credential
    from adapters.azure.trust import trusted
    from adapters.devpod import parse

    none = "00000000-0000-0000-0000-000000000000"
    given = os.environ.get("AZURE_SUBSCRIPTION_ID", "")
    options = parse({**os.environ, "AZURE_SUBSCRIPTION_ID": given or none}, None)
    settings = replace(azure_settings(options, _tracer() or silent, patience=BRISK), subscription=given)
    return Credential(settings, verify=trusted())


def _tracer() -> Callable[[str], None] | None:
    return trace if debugging(os.environ) else None


def _print_json(columns: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    import msgspec

    encode = msgspec.json.Encoder(enc_hook=str).encode
    for row in rows:
        click.echo(encode(dict(zip(columns, map(_zoned, row), strict=True))))


def _print_table(columns: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    from adapters.cli.audit_tables import display, table, words

    found = list(rows)
    numbers = [
        name
        for at, name in enumerate(columns)
        if found and all(isinstance(row[at], int | float | None) for row in found)
    ]
    made = table(columns, right=numbers)
    for row in found:
        made.add_row(*(words(_cell(value), "") for value in row))
    display(made)


def _cell(value: Any) -> str:
    from datetime import datetime

    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict | list):
        import msgspec

        return msgspec.json.encode(value, enc_hook=str).decode()
    return "" if value is None else str(value)


def _zoned(value: Any) -> Any:
    """Times in the log are UTC, which DuckDB's plain timestamps do not say."""
    from datetime import UTC, datetime

    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
