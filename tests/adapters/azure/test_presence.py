"""The presence table, every combination of words Azure is known to use and some it is not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.presence import TABLE, match, presence
from statemachine.ports import Presence

PROVISIONING = [
    "",
    "Accepted",
    "Pending",
    "Creating",
    "Updating",
    "Repairing",
    "Unhealthy",
    "Deleting",
    "NotYetInvented",
    "Succeeded",
    "Stopped",
    "Failed",
    "Canceled",
    "Cancelled",
]
GROUP = ["", "Pending", "Running", "Stopped", "Terminated", "Succeeded", "Failed", "NotYetInvented"]
CONTAINER = ["", "Waiting", "Running", "Terminated", "NotYetInvented"]

RUNNING = {
    ("Succeeded", "Running", "Running"),
    ("Succeeded", "", "Running"),
    ("Succeeded", "Running", ""),
    ("Succeeded", "", ""),
    ("", "Running", "Running"),
    ("Unhealthy", "Running", "Running"),
    ("Unhealthy", "Running", ""),
}
WAS_STOPPED = itertools.product(
    ["Succeeded", "", "Stopped", "Unhealthy", "Repairing"],
    ["Stopped", "Terminated"],
    ["", "Waiting", "Terminated", "NotYetInvented"],
)
GAVE_UP = itertools.product(["Failed", "Canceled", "Cancelled"], ["Stopped", "Terminated"], ["", "Terminated"])
STOPPED = {
    *WAS_STOPPED,
    *GAVE_UP,
    ("Succeeded", "Succeeded", "Terminated"),
    ("Succeeded", "Succeeded", ""),
    ("Succeeded", "Failed", "Terminated"),
    ("Succeeded", "Failed", ""),
    ("Succeeded", "", "Terminated"),
    ("", "Succeeded", "Terminated"),
    ("", "Succeeded", ""),
    ("", "Failed", "Terminated"),
    ("", "Failed", ""),
}


@pytest.mark.parametrize("words", list(itertools.product(PROVISIONING, GROUP, CONTAINER)), ids="/".join)
def test_every_combination(words: tuple[str, str, str]) -> None:
    if words in RUNNING:
        expected = Presence.RUNNING
    elif words in STOPPED:
        expected = Presence.STOPPED
    elif words[0] in ("Failed", "Canceled", "Cancelled"):
        expected = Presence.FAILED
    else:
        expected = Presence.PENDING
    assert presence(*words) is expected
    for case in (str.lower, str.upper, str.swapcase):
        assert presence(*map(case, words)) is expected, "letter case means nothing in ARM"


@given(st.text(), st.text(), st.text())
def test_no_word_is_too_strange(provisioning: str, group: str, container: str) -> None:
    assert presence(provisioning, group, container) in set(Presence) - {Presence.ABSENT}


def test_every_row_is_reached_and_has_a_reason() -> None:
    hit = {match(*words) for words in itertools.product(PROVISIONING, GROUP, CONTAINER)}
    assert hit == set(TABLE)
    assert all(row.reason for row in TABLE)
