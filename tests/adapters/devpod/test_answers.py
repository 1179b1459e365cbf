"""What DevPod reads on stdout, byte for byte."""

import json

import pytest

from adapters.devpod.answers import container_details, machine_status, target_architecture
from statemachine.states import WORDS, State


def test_status_words() -> None:
    words = {state: machine_status(state) for state in State}
    assert words[State.RUNNING] == "Running\n"
    assert words[State.ABSENT] == "NotFound\n"
    assert {word.strip() for word in words.values()} == {"Running", "Busy", "Stopped", "NotFound"}


def test_no_container_is_no_byte() -> None:
    assert container_details(State.ABSENT, identifier="x", labels={"a": "b"}) == ""


@pytest.mark.parametrize("state", [state for state in State if state is not State.ABSENT])
def test_the_container(state: State) -> None:
    labels = {"devcontainer.metadata": json.dumps([{"remoteUser": "ü\u2028\0"}]), "devpod.user": "", "<&>": "\n"}
    text = container_details(
        state, identifier="g", labels=labels, created="2026-01-02T03:04:05Z", started="2026-01-02T03:04:06Z"
    )
    assert text.count("\n") == 1
    found = json.loads(text)
    assert set(found) == {"ID", "Created", "State", "Config"}
    assert set(found["State"]) == {"Status", "StartedAt"}
    assert found["Config"] == {"Labels": labels}
    assert found["State"]["Status"] == WORDS[state].container
    assert (found["State"]["Status"] == "running") is (state is State.RUNNING)


def test_architecture() -> None:
    assert target_architecture() == "amd64\n"
