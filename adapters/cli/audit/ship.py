"""audit export, ship, sql, writers: the log for other programs, other places, and other questions."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from adapters.cli.audit import shipped
from adapters.cli.audit.output import output as written
from adapters.cli.audit.source import Source, from_option
from adapters.cli.call_error import CallError
from adapters.cli.compose import PATIENT, log_path
from adapters.cli.console import say
from statemachine.errors import LogDamagedError

if TYPE_CHECKING:
    from adapters.ship.line import Snapshot
    from adapters.ship.local import LocalLog
    from adapters.ship.redact import Redactor
    from adapters.ship.vouch import Voucher

KEY_FILE: Final = click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The key of the pseudonyms, to have the same ones as others; else one is kept beside your log.",
)
REDACT: Final = click.option("--redact", is_flag=True, help="Pseudonyms instead of people and their computers.")
ASK: Final = (
    "The events before those are whole. A log that no key vouches for may have been written anew: ask for the missing"
    " keys, choose with --writer, or compare with its owner's copy."
)
JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


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
def export(*, source: Source, form: str, redact: bool, key_file: Path | None, output: Path | None) -> None:
    """Write every event for other programs: as it is, as CloudEvents, or as OpenTelemetry logs."""
    from adapters.ship import export as writing

    _refuse_alone(key_file, redact=redact)
    found = shipped.snapshot(source)
    redactor = _redactor(found, key_file) if redact else None
    damage: list[LogDamagedError] = []
    with written(output, *filter(None, [source.path])) as file:
        for data in writing.FORMATS[form](shipped.whole(found.lines(), damage), redactor, time.time_ns()):
            file.write(data)
    # What is whole is written first: one damaged writer must not keep the others from being read.
    for error in damage:
        raise error


@click.command()
@click.option("--blob", metavar="URL", help="A container of Azure Blob Storage; append blobs take the log as it is.")
@click.option("--otlp", metavar="URL", help="An OpenTelemetry collector (OTLP over HTTP).")
@REDACT
@KEY_FILE
def ship(*, blob: str | None, otlp: str | None, redact: bool, key_file: Path | None) -> None:
    """Send what is new in your log to a container, a collector, or both. Run it as often as you like."""
    if blob is None and otlp is None:
        raise CallError("--blob URL or --otlp URL says where to")
    if redact and blob is not None:
        raise CallError("--redact would break the chain that --blob keeps; it goes with --otlp alone")
    _refuse_alone(key_file, redact=redact)
    from adapters.ship.local import LocalLog

    log = LocalLog(log_path(os.environ), own=True)
    if blob is not None:
        _ship_blob(log, blob)
    if otlp is not None:
        _ship_otlp(log, otlp, _redactor(log, key_file) if redact else None)


@click.command()
@from_option
@click.option("--local", is_flag=True, help="With --from: what your own log has and did not ship yet, as well.")
@JSON
@click.argument("statement")
def sql(*, source: Source, statement: str, local: bool, as_json: bool) -> None:
    """Ask the view EVENTS a question in SQL (DuckDB's): `SELECT type, count(*) FROM events GROUP BY ALL`.

    Columns: seq, time (UTC), type, workspace, writer (whose log), actor.user, actor.host, actor.azure, correlation,
    failure_code, failure_message, http_status, request_id, region, cpu, memory_gb, data (JSON), id, source,
    schema_version, prev, hash.
    """
    from adapters.ship.sql import QueryError, query

    damage: list[LogDamagedError] = []
    try:
        answer = query(shipped.whole(shipped.named_lines(source, local=local), damage), statement)
        (_print_json if as_json else _print_table)(answer.columns, answer.rows())
    except QueryError as error:
        raise CallError(str(error)) from error
    for damaged in damage:
        raise damaged


@click.command()
@from_option
@click.option(
    "--public-key",
    "keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Also check who signed: the file that somebody's `audit key` wrote. Give everybody's.",
)
@JSON
def writers(*, source: Source, keys: tuple[Path, ...], as_json: bool) -> None:
    """List who shipped to a container, whether each one's log is whole, and who vouches for it."""
    if not source.is_shared():
        raise CallError("--from URL says of which container, or --from FOLDER of which copies")
    found = shipped.merged(source)
    voucher = _voucher(keys)
    for writer, line in shipped.whole(found.named(), []):
        if voucher is not None:
            voucher.look(writer, line)
    columns = ["writer", "events", "first", "last", "blobs", "bytes", "chain"]
    rows: list[tuple[Any, ...]] = [
        (one.name, one.mark.seq, one.first, one.last, len(one.blobs), one.mark.offset, one.damage or "whole")
        for one in found.writers
    ]
    wrong = [f"event {one.mark.seq + 1} of {one.name} {one.damage}" for one in found.writers if one.damage]
    if voucher is not None:
        columns += ["sealed", "keys"]
        said = {one.name: voucher.verdict(one.name) for one in found.writers}
        rows = [(*row, said[row[0]].sealed, ", ".join(said[row[0]].keys)) for row in rows]
        wrong += [f"{name}: {one.wrong}" for name, one in said.items() if one.wrong]
        wrong += [f"the key in {name} signed none of these logs" for name in voucher.unused()]
    (_print_json if as_json else _print_table)(columns, iter(rows))
    if wrong:
        raise LogDamagedError(f"{found.store.name}: {'; '.join(wrong)}", remedy=ASK)


def _voucher(files: tuple[Path, ...]) -> Voucher | None:
    if not files:
        return None
    from adapters.ship.vouch import Voucher
    from eventlog.sealing import read_trust

    return Voucher({str(file): read_trust(file) for file in files})


def _ship_blob(log: LocalLog, url: str) -> None:
    from adapters.ship.send import ship as send

    done = send(log, shipped.container(url, "--blob", PATIENT))
    if not done.blob:
        click.echo("nothing recorded, nothing shipped")
    elif not done.events:
        click.echo(f"nothing new; {done.blob} ends with event {done.last}")
    else:
        click.echo(f"{done.events} events ({done.size} bytes) appended to {done.blob}, up to event {done.last}")


def _ship_otlp(log: LocalLog, url: str, redactor: Redactor | None) -> None:
    from adapters.azure.trust import trusted
    from adapters.ship import collector
    from adapters.ship.tell import tell

    sender = collector.Collector(
        collector.endpoint(url),
        headers=collector.headers(os.environ),
        verify=trusted(),
        patience=PATIENT,
        trace=shipped.tracer(),
    )
    done = tell(log, sender, redactor=redactor, now=time.time_ns)
    if done.rejected:
        say(f"warning: the collector did not take {done.rejected} of {done.events} events: {done.reason}")
    click.echo(f"{done.events} events sent to {sender.url}, up to event {done.last}" if done.events else "nothing new")


def _refuse_alone(key_file: Path | None, *, redact: bool) -> None:
    """Make sure that a key is not given for names that would leave as they are. Raises CallError."""
    if key_file is not None and not redact:
        raise CallError("--key-file belongs to --redact: without that, names are not replaced at all")


def _redactor(found: Snapshot, key_file: Path | None) -> Redactor:
    from adapters.ship.key import key_path, redaction_key
    from adapters.ship.redact import Redactor, names_in

    key = redaction_key(key_file or key_path(log_path(os.environ)), make=key_file is None)
    return Redactor(key, names_in(shipped.whole(found.lines(), [])))


def _print_json(columns: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    import msgspec

    encode = msgspec.json.Encoder(enc_hook=str).encode
    for row in rows:
        click.echo(encode(dict(zip(columns, map(_zoned, row), strict=True))))


def _print_table(columns: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    from adapters.cli.audit.tables import blocks, display, filled, words

    found = list(rows)
    numbers = [
        name
        for at, name in enumerate(columns)
        if found and all(isinstance(row[at], int | float | None) for row in found)
    ]
    cells = [[words(_cell(value), "") for value in row] for row in found]
    made = filled(columns, cells, right=numbers)
    display(*(blocks(columns, cells) if made is None else [made]))


def _cell(value: object) -> str:
    from datetime import datetime

    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict | list):
        import msgspec

        return msgspec.json.encode(value, enc_hook=str).decode()
    return "" if value is None else str(value)


def _zoned(value: object) -> object:
    """Times in the log are UTC, which DuckDB's plain timestamps do not say."""
    from datetime import UTC, datetime

    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
