"""What goes in comes out, today's as well as a newer version's."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog import Actor, EventLog, Record, verify
from eventlog.disk import Disk
from eventlog.lines import layout
from eventlog.lines.codec import Ids, timestamp
from statemachine.errors import LogDamagedError
from statemachine.events import Created, Event, Exited
from tests.eventlog.strategies import events, subjects


class Quick(Disk):
    def sync(self, fd: int) -> None:
        """These tests are about bytes, not about power cuts."""


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(story=st.lists(st.tuples(subjects, events), max_size=12))
def test_round_trip(path: Path, make: Callable[..., EventLog], story: list[tuple[str, Event]]) -> None:
    path.unlink(missing_ok=True)
    log = make(disk=Quick())
    written = [log.append(subject, event) for subject, event in story]
    assert [one.event for one in written] == [event for _, event in story]
    assert list(make().replay(verified=True)) == written
    for subject in {subject for subject, _ in story}:
        mine = [one for one in written if one.subject == subject]
        assert list(make().history(subject)) == mine
        assert list(log.history(subject)) == mine
    assert [record.event for record in make().records(verified=True)] == [event for _, event in story]
    assert [record.seq for record in make().records()] == [one.seq for one in written]
    assert verify(path).ok
    assert verify(path).events == len(story)


def test_the_envelope(log: EventLog, path: Path) -> None:
    log.append("ws", Created())
    (record,) = log.records()
    assert msgspec.structs.replace(record, id="", time=record.time, data=msgspec.Raw(), hash="") == Record(
        specversion="1.0",
        id="",
        time=record.time,
        type="Created",
        subject="ws",
        seq=1,
        schema=1,
        source="devpod-provider-aci",
        actor=Actor("ada", "laptop", "app-1"),
        correlation="call-1",
        data=msgspec.Raw(),
        prev=layout.GENESIS,
        hash="",
    )
    assert record.hash == verify(path).head
    assert re.search(rb'"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"', path.read_bytes())


def rewrite(path: Path, *changes: tuple[bytes, bytes]) -> None:
    """The one line of a log as another version would have written it."""
    body = path.read_bytes().rpartition(b',"hash"')[0]
    for old, new in changes:
        assert old in body
        body = body.replace(old, new)
    path.write_bytes(seal(body))


def test_an_unknown_type_is_kept_and_has_no_event(log: EventLog, path: Path, make: Callable[..., EventLog]) -> None:
    log.append("ws", Created())
    rewrite(path, (b'"type":"Created"', b'"type":"Hibernated"'), (b'"data":{}', b'"data":{"to":[1,{"deep":null}]}'))
    before = path.read_bytes()
    (recorded,) = make().history("ws")
    assert (recorded.event, recorded.type, recorded.seq) == (None, "Hibernated", 1)
    (record,) = make().records()
    assert bytes(record.data) == b'{"to":[1,{"deep":null}]}'
    assert record.event is None
    assert make().append("ws", Created(), expected=1).seq == 2
    assert path.read_bytes().startswith(before)
    assert verify(path).ok


def test_unknown_members_are_stepped_over_and_stay_under_the_hash(log: EventLog, path: Path) -> None:
    log.append("ws", Exited(exit_code=3))
    rewrite(
        path,
        (b'"source"', b'"traceparent":"00-1","source"'),
        (b'"exit_code":3', b'"exit_code":3,"signal":9'),
        (b'"azure":"app-1"', b'"azure":"app-1","groups":["a"]'),
    )
    (recorded,) = log.history("ws")
    assert recorded.event == Exited(exit_code=3)
    assert verify(path).ok
    path.write_bytes(path.read_bytes().replace(b'"signal":9', b'"signal":8'))
    assert not verify(path).ok


def test_a_newer_version_of_a_type_is_not_guessed_at(log: EventLog, path: Path) -> None:
    log.append("ws", Exited(exit_code=3))
    rewrite(path, (b'"schema":1', b'"schema":2'))
    (recorded,) = log.history("ws")
    assert (recorded.event, recorded.type) == (None, "Exited")


def test_data_that_is_not_what_the_type_promises_is_damage(log: EventLog, path: Path) -> None:
    log.append("ws", Exited(exit_code=3))
    rewrite(path, (b'"exit_code":3', b'"exit_code":"three"'))
    with pytest.raises(LogDamagedError, match="event 1 of the log is not a valid Exited"):
        list(log.history("ws"))


@pytest.mark.parametrize("verified", [True, False])
def test_a_line_that_is_no_record_is_named(log: EventLog, path: Path, verified: bool) -> None:
    log.append("ws", Exited(exit_code=3))
    rewrite(path, (b'"seq":1', b'"seq":"one"'))
    for read in (
        lambda: list(log.history("ws")),
        lambda: list(log.replay(verified=verified)),
        lambda: list(log.records(verified=verified)),
        lambda: log.append("ws", Created()),
    ):
        with pytest.raises(LogDamagedError, match=r"events\.jsonl, line 1: "):
            read()


def test_records_verified_sees_a_changed_line(log: EventLog, path: Path) -> None:
    log.append("ws", Exited(exit_code=3))
    log.append("ws", Exited(exit_code=4))
    path.write_bytes(path.read_bytes().replace(b'"exit_code":4', b'"exit_code":5'))
    for read in (log.records, log.replay):
        with pytest.raises(LogDamagedError, match="line 2: was changed, or does not follow"):
            list(read(verified=True))
        assert len(list(read(verified=False))) == 2


def test_an_event_needs_a_subject(log: EventLog) -> None:
    with pytest.raises(ValueError, match="needs a subject"):
        log.append("", Created())


def test_a_subject_in_the_data_is_not_the_subject(log: EventLog, path: Path, make: Callable[..., EventLog]) -> None:
    log.append("other", Exited(detail='"subject":"ws"'))
    rewrite(path, (b'"data":{', b'"data":{"subject":"ws",'))
    assert list(make().history("ws")) == []
    assert make().append("ws", Created(), expected=0).seq == 2


@given(st.datetimes(timezones=st.just(UTC)) | st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=30)))))
def test_times_are_utc_with_microseconds(moment: datetime) -> None:
    try:
        text = timestamp(moment)
    except OverflowError:
        return
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert datetime.fromisoformat(text) == moment


@pytest.mark.parametrize("microsecond", [0, 5, 120_000])
@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(0)), timezone(timedelta(hours=2))], ids=str)
def test_a_line_has_its_time_in_utc_with_microseconds(
    path: Path, make: Callable[..., EventLog], zone: timezone, microsecond: int
) -> None:
    moment = datetime(2026, 1, 1, 9, 30, 0, microsecond, UTC)
    make(now=lambda: moment.astimezone(zone)).append("ws", Created())
    assert f'"time":"2026-01-01T09:30:00.{microsecond:06d}Z","type"'.encode() in path.read_bytes()


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        timestamp(datetime(2026, 1, 1))  # noqa: DTZ001  # the mistake under test


SINCE_1970 = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # bounds


@given(
    SINCE_1970,
    st.timedeltas(timedelta(0), timedelta(days=9)),
    st.binary(min_size=10, max_size=10),
    st.integers(1, 2**40),
)
def test_ids_are_uuid_version_7(moment: datetime, later: timedelta, entropy: bytes, number: int) -> None:
    ids = Ids(entropy)
    text = ids.make(moment, number)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == int(moment.timestamp() * 1000)
    following = uuid.UUID(ids.make(moment + later, number + 1))
    assert following.int - parsed.int in (1, 1 - 2**48)


class AsStruct(msgspec.Struct):
    specversion: str
    id: str
    time: str
    type: str
    subject: str
    seq: int
    schema: int
    source: str
    actor: Actor
    correlation: str
    data: msgspec.Raw
    prev: str
    hash: str


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(subjects, events, subjects)
def test_a_line_is_what_msgspec_makes_of_its_struct(
    path: Path, make: Callable[..., EventLog], subject: str, event: Event, name: str
) -> None:
    path.unlink(missing_ok=True)
    make(disk=Quick(), correlation=name, actor=lambda: Actor(name, name, name)).append(subject, event)
    line = path.read_bytes()
    assert msgspec.json.encode(msgspec.json.decode(line, type=AsStruct)) + b"\n" == line


def seal(body: bytes) -> bytes:
    digest = hashlib.sha256(body + b"}").hexdigest()
    return b'%b,"hash":"%b"}\n' % (body, digest.encode())
