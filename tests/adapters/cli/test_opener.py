"""A broken tunnel dials again only where that may help."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from adapters.cli.opener import Opener
from adapters.tunnel import NothingRanError
from statemachine.errors import GroupMissingError, ProviderError, RefusedError, UnavailableError
from statemachine.events import GroupRef
from statemachine.ports import Presence, Sighting
from statemachine.secret import Secret


class Azure:
    """Counts what it is asked, and shows what it is told."""

    def __init__(self, shows: Presence | ProviderError) -> None:
        self.shows = shows
        self.looks = self.opened = 0

    def look(self, ref: GroupRef) -> Sighting:
        self.looks += 1
        if isinstance(self.shows, ProviderError):
            raise self.shows
        return Sighting(presence=self.shows, detail=f"what {ref.name} does")

    def open_exec(self, _ref: GroupRef) -> tuple[str, Secret]:
        self.opened += 1
        return "wss://host/", Secret("password")


class Late(Azure):
    """Finds no container for a session."""

    def open_exec(self, _ref: GroupRef) -> tuple[str, Secret]:
        raise GroupMissingError("not there", azure_message="the container 'dev' does not exist")


def opener(azure: Azure) -> Opener:
    return Opener(azure, GroupRef("sub", "rg", "ws", "dev"))


def test_the_first_session_asks_nothing_else() -> None:
    azure = Azure(Presence.STOPPED)
    opener(azure)()
    assert (azure.looks, azure.opened) == (0, 1)


def test_a_container_that_is_shown_and_not_found_is_worth_another_try() -> None:
    with pytest.raises(NothingRanError, match=r"shows that the container runs.*not there.*'dev' does not exist"):
        opener(Late(Presence.RUNNING))()


@pytest.mark.parametrize("shows", [Presence.ABSENT, Presence.STOPPED, UnavailableError("no network")])
def test_one_that_is_not_shown_either_is_missing(shows: Presence | ProviderError) -> None:
    with pytest.raises(GroupMissingError, match="does not exist"):
        opener(Late(shows))()


@pytest.mark.parametrize("shows", [Presence.RUNNING, Presence.PENDING, UnavailableError("no network")])
def test_a_further_one_is_opened_where_the_container_may_run(shows: Presence | ProviderError) -> None:
    azure = Azure(shows)
    again = opener(azure)
    again()
    again()
    assert (azure.looks, azure.opened) == (1, 2)


@pytest.mark.parametrize(
    ("shows", "error"),
    [
        (Presence.STOPPED, RefusedError),
        (Presence.FAILED, RefusedError),
        (Presence.ABSENT, GroupMissingError),
    ],
)
def test_none_is_opened_where_it_has_ended(shows: Presence, error: type[ProviderError]) -> None:
    azure = Azure(shows)
    again = opener(azure)
    again()
    with pytest.raises(error):
        again()
    assert azure.opened == 1


def test_the_place_of_a_session_is_remembered_for_the_next(tmp_path: Path) -> None:
    azure, file = Azure(Presence.RUNNING), tmp_path / "a.place"
    group = GroupRef("sub", "rg", "ws", "dev")
    first = Opener(azure, group, remembered=file)()
    assert first.ahead is None
    assert file.read_text() == "host:443"
    with socket.create_server(("127.0.0.1", 0)) as server:
        file.write_text(f"127.0.0.1:{server.getsockname()[1]}")
        server.settimeout(60)
        second = Opener(azure, group, remembered=file)()
        server.accept()[0].close()
    assert second.ahead is not None
    assert second.ahead.take("host:443") is None
    assert file.read_text() == "host:443", "it has moved"


@pytest.mark.parametrize("content", [b"\xff", b"nonsense", b""])
def test_a_file_that_says_nothing_is_no_obstacle(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.place"
    file.write_bytes(content)
    assert Opener(Azure(Presence.RUNNING), GroupRef("sub", "rg", "ws", "dev"), remembered=file)().uri == "wss://host/"
    unwritable = tmp_path / "none" / "a.place"
    assert Opener(Azure(Presence.RUNNING), GroupRef("sub", "rg", "ws", "dev"), remembered=unwritable)().ahead is None
