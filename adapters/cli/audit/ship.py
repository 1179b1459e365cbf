"""audit export, audit ship: the log in other formats, and sent to a container or a collector."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from adapters.cli.audit import shipped
from adapters.cli.audit.output import output as written
from adapters.cli.audit.source import Source, from_option
from adapters.cli.call_error import CallError
from adapters.cli.compose import PATIENT
from adapters.cli.console import say, tracer
from eventlog import default_path
from statemachine.errors import LogDamagedError

if TYPE_CHECKING:
    from adapters.ship.line import Snapshot
    from adapters.ship.local import LocalLog
    from adapters.ship.redact import Redactor

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
def export(*, source: Source, form: str, redact: bool, key_file: Path | None, output: Path | None) -> None:
    """Write every event for other programs: as it is, as CloudEvents, or as OpenTelemetry logs."""
    from adapters.ship import export as writing

    _refuse_alone(key_file, redact=redact)
    found = shipped.snapshot(source)
    redactor = _redactor(found, key_file) if redact else None
    damage: list[LogDamagedError] = []
    with written(output, *filter(None, [source.path])) as file:
        lines = (shipped.whole if form == "jsonl" and not redact else shipped.readable)(found.lines(), damage)
        for data in writing.FORMATS[form](lines, redactor, time.time_ns()):
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

    log = LocalLog(default_path(os.environ), own=True)
    if blob is not None:
        _ship_blob(log, blob)
    if otlp is not None:
        _ship_otlp(log, otlp, _redactor(log, key_file) if redact else None)


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
        trace=tracer(os.environ),
        say=say,
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

    key = redaction_key(key_file or key_path(default_path(os.environ)), make=key_file is None)
    return Redactor(key, names_in(shipped.readable(found.lines(), [])))
