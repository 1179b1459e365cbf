"""Old data is read as if it were new, one version at a time, and never rewritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import pytest

from eventlog.lines import upcast
from eventlog.lines.codec import OWN_TYPES, event_of
from statemachine.errors import LogDamagedError
from statemachine.events import EVENT_TYPES, Event


class Moved(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Version 1 had ``place``, version 2 ``region`` and ``zone`` as text, version 3 a list of zones."""

    VERSION: ClassVar[int] = 3

    region: str
    zones: tuple[str, ...] = ()


def first(data: dict[str, Any]) -> dict[str, Any]:
    region, _, zone = data.pop("place").partition("/")
    return data | {"region": region, "zone": zone}


def second(data: dict[str, Any]) -> dict[str, Any]:
    zone = data.pop("zone", "")
    return data | {"zones": [zone] if zone else []}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, bytes], Event]:
    monkeypatch.setitem(upcast.UPCASTERS, ("Moved", 1), first)
    monkeypatch.setitem(upcast.UPCASTERS, ("Moved", 2), second)
    decode = msgspec.json.Decoder(Moved).decode
    return lambda schema, data: upcast.reader(Moved, "Moved", schema, decode)(data)


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        (1, b'{"place":"westeurope/2"}'),
        (2, b'{"region":"westeurope","zone":"2","later":"kept out of the way"}'),
        (3, b'{"region":"westeurope","zones":["2"]}'),
    ],
)
def test_every_version_reads_the_same(read: Callable[[int, bytes], Event], schema: int, data: bytes) -> None:
    assert read(schema, data) == Moved(region="westeurope", zones=("2",))
    assert read(schema, msgspec.Raw(data)) == Moved(region="westeurope", zones=("2",))


def test_the_present_version_costs_nothing() -> None:
    decode = msgspec.json.Decoder(Moved).decode
    assert upcast.reader(Moved, "Moved", 3, decode) is decode


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        (1, b'{"region":"westeurope"}'),
        (1, b'{"place":7}'),
        (1, b"[]"),
        (2, b'{"zone":"2"}'),
        (3, b'{"zones":"2"}'),
        (0, b'{"place":"x"}'),
        (-1, b"{}"),
    ],
)
def test_data_that_is_not_what_its_version_promises(
    read: Callable[[int, bytes], Event], schema: int, data: bytes
) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(schema, data)


def test_no_version_of_any_event_was_left_behind() -> None:
    assert upcast.missing(EVENT_TYPES | OWN_TYPES) == []
    assert upcast.missing({"Moved": Moved}) == [("Moved", 1), ("Moved", 2)]


def test_rows_are_of_versions_that_were_written() -> None:
    kinds = EVENT_TYPES | OWN_TYPES
    assert [key for key in upcast.UPCASTERS if key[0] not in kinds or not 0 < key[1] < kinds[key[0]].VERSION] == []


def test_the_log_reads_through_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EVENT_TYPES, "Moved", Moved)
    monkeypatch.setitem(upcast.UPCASTERS, ("Moved", 1), first)
    monkeypatch.setitem(upcast.UPCASTERS, ("Moved", 2), second)
    expected = Moved(region="westeurope", zones=("2",))
    assert event_of("Moved", 1, b'{"place":"westeurope/2"}', 7) == expected
    assert event_of("Moved", 2, b'{"region":"westeurope","zone":"2"}', 7) == expected
    assert event_of("Moved", 3, b'{"region":"westeurope","zones":["2"]}', 7) == expected
    assert event_of("Moved", 4, b"{}", 7) is None
    with pytest.raises(LogDamagedError, match=r"event 7 of the log is not a valid Moved: it is not version 1 of it"):
        event_of("Moved", 1, b'{"region":"westeurope"}', 7)
    with pytest.raises(LogDamagedError, match="version 0 of it was never written"):
        event_of("Moved", 0, b"{}", 7)
