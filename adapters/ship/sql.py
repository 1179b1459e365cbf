"""SQL over logs: DuckDB in memory, one view with typed columns, and no way from a query to anything else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.ship.extras import need
from adapters.ship.line import Line
from eventlog.lines.codec import UNREADABLE
from statemachine.errors import LogDamagedError, LogError, one_line

WRITER: Final = "~writer"
"""Put in front of each line, and known to the view; no record has a member of that name."""

COLUMNS: Final = {
    WRITER: "VARCHAR",
    "seq": "BIGINT",
    "time": "TIMESTAMP",
    "type": "VARCHAR",
    "subject": "VARCHAR",
    "actor": 'STRUCT("user" VARCHAR, host VARCHAR, azure VARCHAR)',
    "correlation": "VARCHAR",
    "data": "JSON",
    "id": "VARCHAR",
    "source": "VARCHAR",
    "schema": "INTEGER",
    "specversion": "VARCHAR",
    "prev": "VARCHAR",
    "hash": "VARCHAR",
}

VIEW: Final = """
CREATE VIEW events AS SELECT
    seq, time, type, subject AS workspace, "~writer" AS writer, actor, correlation,
    data->>'$.failure.code' AS failure_code,
    data->>'$.failure.message' AS failure_message,
    TRY_CAST(coalesce(data->>'$.failure.http_status', data->>'$.receipt.http_status') AS INTEGER) AS http_status,
    coalesce(data->>'$.failure.request_id', data->>'$.receipt.request_id', data->>'$.request_id') AS request_id,
    data->>'$.facts.location' AS region,
    TRY_CAST(data->>'$.facts.cpu' AS DOUBLE) AS cpu,
    TRY_CAST(data->>'$.facts.memory_gb' AS DOUBLE) AS memory_gb,
    data, id, source, schema AS schema_version, prev, hash
FROM log
"""

_CHUNK: Final = 4 << 20
_HINT: Final = "`DESCRIBE events` shows the columns"


class QueryError(ValueError):
    """A statement that DuckDB does not take; the text is one line for people."""


class Answer:
    """What a query gives: column names, and rows as they come."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.columns: list[str] = [column[0] for column in cursor.description or ()]
        self._json = [at for at, column in enumerate(cursor.description or ()) if str(column[1]) == "JSON"]

    def rows(self) -> Iterator[tuple[object, ...]]:
        """The rows, JSON as objects; what no object can be, as text. Raises QueryError for what fails on the way."""
        while batch := _explained(lambda: self._cursor.fetchmany(1000)):
            yield from map(self._parsed, batch) if self._json else batch

    def _parsed(self, row: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(
            _object(value) if at in self._json and isinstance(value, str) else value for at, value in enumerate(row)
        )


def _object(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except UNREADABLE:
        # A newer version, or somebody who made it up, may write numbers that have no room here.
        return text


def query(lines: Iterable[tuple[str, Line]], sql: str) -> Answer:
    """Run one SELECT over lines, each with its writer's name.

    Raises QueryError for bad SQL, UnsupportedError without DuckDB, LogError.
    """
    duckdb = need("duckdb", "SQL")
    connection = duckdb.connect()
    statement = _only_select(duckdb, connection, sql)
    with tempfile.TemporaryDirectory(prefix="aci-audit-") as folder:
        file = Path(folder) / "events.jsonl"
        _spool(lines, file)
        try:
            table = connection.read_json(
                str(file), columns=COLUMNS, format="newline_delimited", maximum_object_size=_CHUNK
            )
            table.create("log")
        except duckdb.Error as error:
            why = one_line(str(error)).partition(" Try setting")[0].replace(f'in file "{file}", ', "")
            raise LogDamagedError(f"the log has what no record of this program has: {why}") from error
    # The log is in UTC: `now()` and a time with a zone must not mean another hour on another computer.
    connection.execute("SET TimeZone='UTC'")
    connection.execute(VIEW)
    connection.execute("SET enable_external_access=false")
    connection.execute("SET lock_configuration=true")
    return Answer(_explained(lambda: connection.execute(statement)))


def _only_select(duckdb: Any, connection: Any, sql: str) -> Any:
    statements = _explained(lambda: connection.extract_statements(sql))
    kinds = duckdb.StatementType
    if len(statements) != 1:
        what = f"{len(statements)} statements" if statements else "no statement"
        raise QueryError(f"{what} where one belongs: ask one question at a time")
    if statements[0].type not in (kinds.SELECT, kinds.EXPLAIN):
        raise QueryError("audit sql only reads: begin the statement with SELECT, FROM, WITH, EXPLAIN or DESCRIBE")
    return statements[0]


def _spool(lines: Iterable[tuple[str, Line]], file: Path) -> None:
    """Whole and checked lines in one file, whatever files or blobs they come from."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=_CHUNK) as out:
            for writer, line in lines:
                out.write(b'{"%b":%b,%b\n' % (WRITER.encode(), msgspec.json.encode(writer), line.raw[1:]))
    except OSError as error:
        raise LogError(
            f"the events cannot be put aside for SQL: {error.strerror}", remedy="Free some space, or set TMPDIR."
        ) from error


def _explained(action: Any) -> Any:
    import duckdb

    try:
        return action()
    except duckdb.Error as error:
        # The first line says what is wrong; the others draw an arrow under the statement.
        text = next((line for line in str(error).splitlines() if line.strip()), "failed")
        raise QueryError(f"{one_line(text).rstrip('!.')}; {_HINT}") from error
