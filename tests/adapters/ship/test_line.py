"""Shipping over a line that fails: before the account hears of a request, or after it did what was asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.cli.main import run
from adapters.ship.blob import Container
from adapters.ship.faults import RULES
from adapters.ship.local import LocalLog
from adapters.ship.merge import Merged
from adapters.ship.place import place
from adapters.ship.send import ship
from statemachine.errors import AzureError, ProviderError, ThrottledError, UnavailableError
from tests.adapters.ship import azurite
from tests.adapters.ship.faulty import faulty
from tests.adapters.ship.logs import log_bytes, write

DATA = log_bytes(60)
FAULTS = [
    *(("before", name) for name in ("busy", "changed on the way", "reset")),
    *(("after", name) for name in ("timed out", "reset")),
]
Fails = Callable[[int, str, str], tuple[str, str] | None]


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite.KEY)
    monkeypatch.setattr("adapters.ship.blob.RULES", tuple(replace(rule, first=0.01) for rule in RULES))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "state" / "events.jsonl", DATA)


def content(url: str) -> bytes:
    store = Container(place(url, os.environ), patience=5)
    return b"".join(store.read(blob.name, 0, blob.size) for blob in store.list() if blob.size)


def every(step: int, fault: tuple[str, str]) -> Fails:
    """Every so-manieth request, so that each kind of request is struck sooner or later."""
    return lambda number, _method, _query: fault if number % step == step - 1 else None


@pytest.mark.parametrize("fault", FAULTS, ids=" ".join)
def test_whatever_fails_when_every_byte_is_there_once(
    account: str, container: str, log: Path, fault: tuple[str, str]
) -> None:
    name = container.rpartition("/")[2]
    with faulty(account, every(3, fault)) as (url, line):
        store = Container(place(f"{url}/{name}", os.environ), patience=20)
        done = ship(LocalLog(log, own=True), store, block=2_500, most_blocks=4)
        assert line.failed > 5
        # Who cannot know whether an append arrived looks where the blob ends.
        assert any(method == "HEAD" for method, _ in line.requests) == (fault[0] == "after")
    assert done.last == 60
    assert content(container) == DATA
    whole = Container(place(container, os.environ), patience=5)
    assert all(whole.look(blob.name).blocks <= 4 for blob in whole.list())


def test_an_answer_that_ends_half_way_is_asked_for_again(account: str, container: str, log: Path) -> None:
    ship(LocalLog(log), Container(place(container, os.environ), patience=5), block=2_500, most_blocks=4)

    def fails(number: int, method: str, query: str) -> tuple[str, str] | None:
        return ("after", "cut") if method == "GET" and "comp=list" not in query and number in (1, 2) else None

    with faulty(account, fails) as (url, line):
        store = Container(place(f"{url}/{container.rpartition('/')[2]}", os.environ), patience=20)
        assert b"".join(found.raw + b"\n" for found in Merged(store).lines()) == DATA
        assert line.failed == 2


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("busy", ThrottledError), ("throttled", ThrottledError), ("slow", AzureError), ("reset", UnavailableError)],
)
def test_what_does_not_pass_is_told_in_one_line(
    account: str, container: str, log: Path, fault: str, kind: type[ProviderError]
) -> None:
    with faulty(account, lambda *_: ("before", fault)) as (url, _):
        store = Container(place(f"{url}/{container.rpartition('/')[2]}", os.environ), patience=0.3)
        with pytest.raises(kind) as caught:
            ship(LocalLog(log), store)
    assert len(str(caught.value).splitlines()) == 1
    assert content(container) == b""


def test_a_long_wait_is_told_once_of_each_kind_of_request(
    account: str, container: str, log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.azure.retry.time.sleep", lambda _: None)
    monkeypatch.setattr("adapters.ship.blob.RULES", tuple(replace(rule, first=20, ceiling=20) for rule in RULES))
    with faulty(account, every(2, ("before", "busy"))) as (base, _line):
        url = f"{base}/{container.rpartition('/')[2]}"

        def waits(*arguments: str) -> list[str]:
            assert run(["audit", *arguments]) == 0
            lines = capsys.readouterr().err.splitlines()
            assert all(f" {url} yet (server error); trying again for up to " in line for line in lines)
            return [line.partition(f" {url}")[0] for line in lines]

        assert waits("ship", "--blob", url) == ["cannot create a blob in", "cannot append to a blob in"]
        assert waits("export", "--from", url, "-o", os.devnull) == ["cannot list the blobs of", "cannot read from"]
    assert content(container) == DATA


def test_three_at_once_over_lines_that_fail(account: str, container: str, log: Path) -> None:
    """Each of them loses answers, and all append to the same blobs."""
    from concurrent.futures import ThreadPoolExecutor

    name = container.rpartition("/")[2]
    with faulty(account, every(4, ("after", "reset"))) as (url, line), ThreadPoolExecutor(3) as pool:

        def one(_number: int) -> int:
            store = Container(place(f"{url}/{name}", os.environ), patience=20)
            return ship(LocalLog(log), store, block=4_000, most_blocks=4).last

        assert list(pool.map(one, range(3))) == [60] * 3
        assert line.failed > 3
    assert content(container) == DATA
