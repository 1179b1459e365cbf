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
from statemachine.errors import LogDamagedError, LogError, OptionError, UnsupportedError, one_line

COLUMNS: Final = {
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
    seq, time, type, subject AS workspace, actor, correlation,
    data->>'$.failure.code' AS failure_code,
    data->>'$.failure.message' AS failure_message,
    data->>'$.receipt.request_id' AS request_id,
    data->>'$.facts.location' AS region,
    TRY_CAST(data->>'$.facts.cpu' AS DOUBLE) AS cpu,
    TRY_CAST(data->>'$.facts.memory_gb' AS DOUBLE) AS memory_gb,
    data, id, source, schema AS schema_version, prev, hash
FROM log
"""

_CHUNK: Final = 4 << 20


class Answer:
    """What a query gives: column names, and rows as they come."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.columns: list[str] = [column[0] for column in cursor.description or ()]
        self._json = [at for at, column in enumerate(cursor.description or ()) if str(column[1]) == "JSON"]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows, JSON as objects. Raises OptionError for what fails on the way."""
        while batch := _explained(lambda: self._cursor.fetchmany(1000)):
            yield from map(self._parsed, batch) if self._json else batch

    def _parsed(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            msgspec.json.decode(value) if at in self._json and value is not None else value
            for at, value in enumerate(row)
        )


def query(lines: Iterable[Line], sql: str) -> Answer:
    """Run one SELECT over the lines. Raises OptionError for bad SQL, UnsupportedError without DuckDB, LogError."""
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
    connection.execute(VIEW)
    connection.execute("SET enable_external_access=false")
    connection.execute("SET lock_configuration=true")
    return Answer(_explained(lambda: connection.execute(statement)))


def _only_select(duckdb: Any, connection: Any, sql: str) -> Any:
    statements = _explained(lambda: connection.extract_statements(sql))
    kinds = duckdb.StatementType
    if len(statements) != 1:
        raise OptionError(
            "SQL", f"{len(statements)} statements where one belongs", remedy="Ask one question at a time."
        )
    if statements[0].type not in (kinds.SELECT, kinds.EXPLAIN):
        raise UnsupportedError("audit sql only reads", remedy="Begin the statement with SELECT, FROM or WITH.")
    return statements[0]


def _spool(lines: Iterable[Line], file: Path) -> None:
    """Whole and checked lines in one file, whatever files or blobs they come from."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=_CHUNK) as out:
            for line in lines:
                out.write(line.raw)
                out.write(b"\n")
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
        raise OptionError("SQL", one_line(text).rstrip("!."), remedy="`DESCRIBE events` shows the columns.") from error
