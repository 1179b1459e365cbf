"""audit sql: any question about the log, in SQL."""

from __future__ import annotations

import click

from adapters.cli.audit import shipped
from adapters.cli.audit.rows import print_rows
from adapters.cli.audit.source import Source, from_option
from adapters.cli.call_error import CallError
from adapters.cli.unicode_text import unicode_text
from statemachine.errors import LogDamagedError


@click.command()
@from_option
@click.option("--local", is_flag=True, help="With --from: what your own log has and did not ship yet, as well.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.argument("statement", type=unicode_text)
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
        print_rows(answer.columns, answer.rows(), as_json=as_json)
    except QueryError as error:
        raise CallError(str(error)) from error
    for damaged in damage:
        raise damaged
