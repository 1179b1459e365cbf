"""A broken tunnel dials again only where that may help."""

from __future__ import annotations

import pytest

from adapters.cli.opener import Opener
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


def opener(azure: Azure) -> Opener:
    return Opener(azure, GroupRef("sub", "rg", "ws", "dev"))


def test_the_first_session_asks_nothing_else() -> None:
    azure = Azure(Presence.STOPPED)
    opener(azure)()
    assert (azure.looks, azure.opened) == (0, 1)


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
