"""Every version ever written is read as it was meant, and leaves byte for byte as it is; so does what is newer."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from adapters.cli.main import run
from adapters.ship.export import FORMATS
from adapters.ship.line import Line
from adapters.ship.local import LocalLog
from adapters.ship.redact import Redactor, names_in
from adapters.ship.send import ship
from adapters.ship.sql import query
from eventlog import Actor, EventLog, verify
from eventlog.lines.codec import OWN_TYPES
from eventlog.sealing.seal import read_trust
from eventlog.verify import verify_signed
from statemachine.events import EVENT_TYPES
from statemachine.fold import empty, evolve
from statemachine.states import State
from tests.adapters.ship.stores import MemoryStore

GOLDEN = Path(__file__).parent / "golden"
LOGS = sorted(GOLDEN.glob("*.jsonl"))
STATES = {
    "v1.jsonl": {"demo": State.ABSENT, "other": State.RUNNING, "ünïcode ws": State.RUNNING},
    "future.jsonl": {"demo": State.ABSENT},
    "seals.jsonl": {"demo": State.RUNNING},
    "tombstones.jsonl": {"demo": State.RUNNING, "gone": State.ABSENT},
    "expired.jsonl": {"demo": State.RUNNING, "gone": State.ABSENT},
}
KINDS = EVENT_TYPES | OWN_TYPES


def opened(path: Path) -> EventLog:
    return EventLog(path, actor=lambda: Actor("", ""), correlation="")


def lines(path: Path) -> list[Line]:
    return list(LocalLog(path).lines())


def test_every_version_of_every_event_has_a_golden_line() -> None:
    there = {(one["type"], one["schema"]) for path in LOGS for one in (line.record() for line in lines(path))}
    wanted = {(name, version) for name, kind in KINDS.items() for version in range(1, kind.VERSION + 1)}
    assert wanted - there == set(), "write a log with these and add it to the golden files"


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_it_is_whole_and_folds_to_what_it_meant(path: Path) -> None:
    assert verify(path).line is None
    workspaces = {name: empty(name) for name in STATES[path.name]}
    for recorded in opened(path).replay(verified=True):
        if recorded.subject in workspaces:
            workspaces[recorded.subject] = evolve(workspaces[recorded.subject], recorded)
    assert {name: workspace.state for name, workspace in workspaces.items()} == STATES[path.name]


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_known_events_are_read_and_unknown_ones_are_passed_over(path: Path) -> None:
    for record in opened(path).records(verified=True):
        kind = EVENT_TYPES.get(record.type)
        known = kind is not None and record.schema <= kind.VERSION
        assert (record.event is not None) == known, record.type


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_every_question_is_answered(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = next(iter(STATES[path.name]))
    for verb in (["audit"], ["audit", "who", name], ["audit", "cost"], ["replay", name], ["explain", name], ["verify"]):
        assert run([*verb, "--from", str(path)]) == 0, (verb, capsys.readouterr())
        out, err = capsys.readouterr()
        assert "error" not in err
        assert out or verb[-2:-1] == ["cost"] or "nothing" in err


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_it_leaves_byte_for_byte(path: Path) -> None:
    data = path.read_bytes()
    assert b"".join(FORMATS["jsonl"](lines(path), None, 0)) == data
    store = MemoryStore()
    ship(LocalLog(path), store, block=1_000, most_blocks=2)
    assert store.whole() == data
    assert path.read_bytes() == data


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_and_sql_take_it(path: Path, form: str) -> None:
    log = LocalLog(path)
    assert b"".join(FORMATS[form](log.lines(), None, 0))
    text = b"".join(FORMATS[form](log.lines(), Redactor(b"k" * 32, names_in(log.lines())), 0))
    assert b"laptop-ada" not in text
    written = path.read_bytes().splitlines()
    last = msgspec.json.decode(written[-1])["seq"]
    found = query((("w", line) for line in log.lines()), "SELECT count(*), max(seq) FROM events")
    assert list(found.rows()) == [(len(written), last)]


def test_what_signed_a_tombstone_is_still_what_is_checked() -> None:
    trust = [read_trust(GOLDEN / "tombstones.pem")]
    there = verify_signed(GOLDEN / "tombstones.jsonl", trust)
    expired = verify_signed(GOLDEN / "expired.jsonl", trust)
    assert (there.ok, there.expired, there.signed) == (True, 0, 9)
    assert (expired.ok, expired.expired, expired.events, expired.signed) == (True, 8, 5, 9)


def test_a_redacted_record_keeps_what_only_a_newer_version_knows() -> None:
    log = LocalLog(GOLDEN / "future.jsonl")
    redactor = Redactor(b"k" * 32, names_in(log.lines()))
    before = [line.record() for line in log.lines()]
    after = [redactor.record(record) for record in before]
    assert [list(record) for record in before] == [list(record) for record in after]
    assert after[1]["data"] == before[1]["data"]
    assert after[2]["data"] == before[2]["data"]
    assert after[2]["traceparent"] == before[2]["traceparent"]
    assert after[2]["actor"]["device"] != "phone"
    assert msgspec.json.decode(msgspec.json.encode(after)) == after
