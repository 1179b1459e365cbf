"""SQL: typed columns, one question at a time, and no way to anything but the events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from adapters.cli.main import run
from adapters.ship.local import LocalLog
from adapters.ship.sql import Answer, QueryError, query
from tests.adapters.ship.logs import ADA, OWNER, chained, log_bytes, write

LOG = chained(
    [
        {
            "type": "CreateRequested",
            "data": OWNER | {"facts": {"location": "westeurope", "cpu": 2.0, "memory_gb": 4.0}},
        },
        {"type": "CreateFailed", "data": {"failure": {"code": "QuotaReached", "message": "no", "http_status": 409}}},
        {"type": "FromTheFuture", "schema": 7, "zone": "eu", "actor": ADA | {"team": "x"}, "data": {"new": [1]}},
        {"subject": "ünï", "data": OWNER | {"note": "x" * 900_000}},
    ]
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "state" / "events.jsonl", LOG)


def ask(path: Path, statement: str) -> Answer:
    return query((("laptop.ada.1", line) for line in LocalLog(path).lines()), statement)


def test_columns_are_typed(log: Path) -> None:
    answer = ask(log, "SELECT * FROM events ORDER BY seq")
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows()]
    assert len(rows) == 4
    assert isinstance(rows[0]["time"], datetime)
    assert rows[0]["actor"] == ADA
    assert {row["writer"] for row in rows} == {"laptop.ada.1"}
    assert [row["http_status"] for row in rows] == [None, 409, None, None]
    assert (rows[0]["region"], rows[0]["cpu"], rows[0]["memory_gb"]) == ("westeurope", 2.0, 4.0)
    assert (rows[1]["failure_code"], rows[1]["failure_message"]) == ("QuotaReached", "no")
    assert (rows[2]["type"], rows[2]["schema_version"], rows[2]["data"]) == ("FromTheFuture", 7, {"new": [1]})
    assert rows[3]["workspace"] == "ünï"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT actor.user, count(*) FROM events GROUP BY ALL", [("ada", 4)]),
        ("FROM events SELECT max(seq)", [(4,)]),
        ("WITH f AS (SELECT * FROM events WHERE type LIKE '%Failed') SELECT count(*) FROM f", [(1,)]),
        ("SELECT data->'$.failure.http_status' FROM events WHERE seq = 2;", [(409,)]),
        ("SELECT count(*) FROM events WHERE time >= '2026-03-01 09:00:03'", [(2,)]),
    ],
)
def test_questions(log: Path, statement: str, expected: list[tuple[object, ...]]) -> None:
    assert list(ask(log, statement).rows()) == expected


def test_times_are_utc_wherever_one_is(log: Path) -> None:
    # What a process takes for its time zone it asks once.
    statement = (
        "SELECT TIMESTAMPTZ '2026-03-01 09:00:00+00'::TIMESTAMP AS plain, '2026-03-01 09:00'::TIMESTAMPTZ AS zoned,"
        " count(*) AS n FROM events WHERE time < TIMESTAMPTZ '2026-03-01 09:00:03+00'"
    )
    answer = subprocess.run(
        [sys.executable, "-m", "adapters.cli", "audit", "sql", statement, "--json"],
        env=os.environ | {"TZ": "Pacific/Kiritimati", "ACI_EVENT_LOG": str(log)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        check=True,
    )
    assert json.loads(answer.stdout) == {"plain": "2026-03-01T09:00:00Z", "zoned": "2026-03-01T09:00:00Z", "n": 2}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "FROM 'https://example.com/x.csv'",
        "SELECT * FROM duckdb_secrets()",
        "SELECT getenv('HOME')",
    ],
)
def test_nothing_else_can_be_read(log: Path, statement: str) -> None:
    with pytest.raises(QueryError):
        list(ask(log, statement).rows())


@pytest.mark.parametrize(
    "statement",
    [
        "COPY log TO '/tmp/never'",
        "ATTACH '/tmp/never.db'",
        "SET enable_external_access=true",
        "RESET enable_external_access",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW events",
        "DELETE FROM log",
        "EXPORT DATABASE '/tmp/never'",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "CHECKPOINT",
    ],
)
def test_it_only_reads(log: Path, statement: str) -> None:
    with pytest.raises(QueryError, match="only reads"):
        ask(log, statement)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"; `DESCRIBE events` shows the columns'),
        ("SELECT nope FROM events", 'Referenced column "nope" not found'),
        ("SELECT 1; SELECT 2", "2 statements where one belongs"),
        ("", "no statement where one belongs"),
        ("SELECT error('x')", "x"),
    ],
)
def test_bad_sql_is_one_line(log: Path, capsys: pytest.CaptureFixture[str], statement: str, words: str) -> None:
    with pytest.raises(QueryError):
        list(ask(log, statement).rows())
    assert run(["audit", "sql", statement]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "option" not in err
    assert words in err


def test_the_verb_prints_a_table_or_json(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "sql", "SELECT seq, type, actor, time FROM events ORDER BY seq LIMIT 1"]) == 0
    out = capsys.readouterr().out
    assert "CreateRequested" in out
    assert '"user":"ada"' in out
    assert run(["audit", "sql", "--json", "SELECT seq, actor, time, data FROM events WHERE seq = 3"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "seq": 3,
        "actor": ADA,
        "time": "2026-03-01T09:00:03Z",
        "data": {"new": [1]},
    }
    assert run(["audit", "sql", "--json", "SELECT 1 AS a WHERE false"]) == 0
    assert capsys.readouterr().out == ""


def test_columns_of_one_name_are_all_in_the_json(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    statement = "SELECT a.seq, b.seq, 5 AS seq_1, 6 AS seq FROM events a JOIN events b ON b.seq = a.seq + 1 LIMIT 1"
    assert run(["audit", "sql", "--json", statement]) == 0
    assert json.loads(capsys.readouterr().out) == {"seq": 1, "seq_2": 2, "seq_1": 5, "seq_3": 6}


def test_an_empty_log_has_no_events(tmp_path: Path) -> None:
    assert list(ask(tmp_path / "none", "SELECT count(*) FROM events").rows()) == [(0,)]


def test_a_damaged_log_answers_from_what_is_whole_and_says_so(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(log, log_bytes(9).replace(b'"seq":6', b'"seq":7'))
    assert run(["audit", "sql", "--json", "SELECT count(*) AS n FROM events"]) == 86
    out, err = capsys.readouterr()
    assert json.loads(out) == {"n": 5}
    assert "line 6" in err
