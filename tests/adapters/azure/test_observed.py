"""Reading a group's JSON: as recorded, as half missing, and as nonsense."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.observed import observe
from statemachine.events import GroupRef
from statemachine.ports import Presence

REF = GroupRef("sub", "rg", "ws", "dev")


def group(**properties: Any) -> dict[str, Any]:
    return {
        "location": "westeurope",
        "tags": {"a": "b"},
        "properties": {
            "provisioningState": "Succeeded",
            "osType": "Linux",
            "restartPolicy": "Never",
            "containers": [
                {"name": "side", "properties": {"image": "other"}},
                {
                    "name": "dev",
                    "properties": {
                        "image": "alpine",
                        "resources": {"requests": {"cpu": 1, "memoryInGB": 1.5}},
                        "environmentVariables": [{"name": "A", "value": "1"}, {"name": "S"}],
                        "instanceView": {
                            "restartCount": 2,
                            "currentState": {
                                "state": "Terminated",
                                "exitCode": 3,
                                "detailStatus": "Error",
                                "startTime": "2023-05-01T00:00:02Z",
                                "finishTime": "2023-05-01T00:00:09Z",
                            },
                            "events": [
                                {"name": "Started", "firstTimestamp": "2023-05-01T00:00:02Z", "lastTimestamp": "2"},
                                {
                                    "name": "BackOff",
                                    "message": "Back-off",
                                    "type": "Warning",
                                    "count": 4,
                                    "firstTimestamp": "2023-05-01T00:00:01Z",
                                    "lastTimestamp": "1",
                                },
                            ],
                        },
                    },
                },
            ],
            "instanceView": {"state": "Failed", "events": []},
            **properties,
        },
    }


def test_our_container_is_found_by_name() -> None:
    seen = observe(group(), "dev")
    assert seen.presence is Presence.STOPPED
    assert (seen.exit_code, seen.restarts, seen.detail_status) == (3, 2, "Error")
    assert [event.name for event in seen.events] == ["BackOff", "Started"]
    assert "exit code 3" in seen.detail
    assert "BackOff: Back-off" in seen.detail
    assert seen.created == "2023-05-01T00:00:01Z"
    sighting = seen.sighting(REF, "id-1")
    assert sighting.facts is not None
    assert (sighting.facts.image, sighting.facts.environment) == ("alpine", ("A", "S"))
    assert (sighting.request_id, sighting.started) == ("id-1", "2023-05-01T00:00:02Z")


def test_letter_case_of_names_means_nothing() -> None:
    seen = observe(group(), "DEV")
    assert seen.exit_code == 3
    assert seen.tag("A") == "b"
    assert seen.tag("c") == ""


def test_the_creation_time_azure_gives_is_preferred() -> None:
    assert observe({**group(), "systemData": {"createdAt": "2022-01-01"}}, "dev").created == "2022-01-01"


def test_another_containers_name_shows_nothing_of_ours() -> None:
    seen = observe(group(), "elsewhere")
    assert seen.container == ""
    assert seen.exit_code is None


def test_nothing_at_all() -> None:
    for body in (None, [], "text", {}, {"properties": None}, {"properties": {"containers": [None]}}):
        assert observe(body, "dev").presence is Presence.PENDING


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["provisioningState", "instanceView", "containers", "ipAddress", "osType", "restartPolicy", "volumes"]
        ),
        JSON,
    )
)
def test_no_shape_breaks_it(properties: dict[str, Any]) -> None:
    seen = observe({**group(), "properties": {**group()["properties"], **properties}}, "dev")
    assert "\n" not in seen.detail
    seen.sighting(REF, "")
