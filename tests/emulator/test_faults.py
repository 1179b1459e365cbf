"""Faults and the outside world, through the control API."""

from __future__ import annotations

import json
import secrets
import time

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from emulator.testing import ControlError
from tests.emulator.clients import Azure, body, container, eventually
from tests.running import processes_with


def test_a_fault_that_never_strikes_is_refused(azure: Azure):
    with pytest.raises(ControlError, match="count is 1 or more"):
        azure.emulator.control.set_fault("ContainerGroups_Get", count=0, status=500)


def test_a_fault_strikes_as_often_as_told(azure: Azure):
    control = azure.emulator.control
    control.set_fault("ContainerGroups_Get", count=2, skip=1, status=429, code="TooManyRequests",
                      headers={"Retry-After": "7"})  # fmt: skip
    name = azure.name()
    azure.call("PUT", azure.cg(name), json=body())
    statuses = []
    for _ in range(4):
        answer = azure.call("GET", azure.cg(name))
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            assert answer.headers["Retry-After"] == "7"
            assert answer.json()["error"]["code"] == "TooManyRequests"
    assert statuses == [200, 429, 429, 200]
    assert control.faults()[0]["hits"] == 2


def test_the_journal_counts_and_keeps_no_secret(azure: Azure):
    mark = azure.emulator.control.mark()
    name = azure.group()
    azure.shell(name)
    entries = azure.emulator.control.requests(since=mark)
    operations = [entry["operation"] for entry in entries]
    assert operations.count("ContainerGroups_CreateOrUpdate") == 1
    assert operations.count("Containers_ExecuteCommand") == 1
    assert operations.count("Exec_WebSocket") == 1
    put = azure.emulator.control.requests("ContainerGroups_CreateOrUpdate", mark)[0]
    assert (put["method"], put["status"]) == ("PUT", 201)
    assert put["request_id"]
    assert put["milliseconds"] > 0


@pytest.mark.parametrize("drop", ["reset", "close", "truncate"])
def test_lost_connections(azure: Azure, drop: str):
    azure.emulator.control.set_fault("ContainerGroups_Get", drop=drop)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        azure.call("GET", azure.cg("any"))
    assert azure.call("GET", azure.cg("any")).status_code == 404


def test_an_answer_lost_after_the_work_was_done(azure: Azure):
    azure.emulator.control.set_fault("ContainerGroups_CreateOrUpdate", stage="response", drop="reset")
    name = azure.name()
    with pytest.raises(requests.ConnectionError):
        azure.call("PUT", azure.cg(name), json=body())
    eventually(lambda: azure.call("GET", azure.cg(name)).json()["properties"]["provisioningState"] == "Succeeded")


def test_slow_and_silent_answers(azure: Azure):
    azure.emulator.control.set_fault("ContainerGroups_Get", delay=0.3)
    started = time.monotonic()
    azure.call("GET", azure.cg("any"))
    assert time.monotonic() - started >= 0.3
    azure.emulator.control.set_fault("ContainerGroups_Get", drop="hang")
    with pytest.raises(requests.Timeout):
        azure.http.get(azure.emulator.url + azure.cg("any"), params={"api-version": "2023-05-01"}, timeout=0.3)


def test_provisioning_that_fails_has_its_reason_among_the_events(azure: Azure):
    azure.emulator.control.set_fault("ContainerGroups_Provision", stage="async")
    name = azure.name()
    with pytest.raises(HttpResponseError) as caught:
        azure.aci.container_groups.begin_create_or_update("rg", name, body()).result()
    assert getattr(caught.value.error, "code", None) is None
    shown = json.loads(caught.value.response.text())
    assert shown["status"] == "Failed"
    assert "error" not in shown
    assert shown["properties"]["events"][0]["name"] == "InsufficientCapacity."
    group = azure.aci.container_groups.get("rg", name)
    assert (group.provisioning_state, group.instance_view.state) == ("Failed", "Failed")
    azure.aci.container_groups.begin_delete("rg", name).result()


def test_capacity_refused_at_once(azure: Azure):
    azure.emulator.control.set_fault("ContainerGroups_CreateOrUpdate", status=409, code="ServiceUnavailable",
                                     message="The requested resource is not available.")  # fmt: skip
    with pytest.raises(ResourceExistsError) as caught:
        azure.aci.container_groups.begin_create_or_update("rg", azure.name(), body())
    assert caught.value.error.code == "ServiceUnavailable"


def test_throttling_of_creates(start):
    azure = start(control={"throttle_status": True, "throttle_per_5min": 2})
    azure.group()
    azure.group()
    answer = azure.call("PUT", azure.cg("third"), json=body())
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_a_stuck_group_can_only_be_deleted(azure: Azure):
    name = azure.group()
    azure.emulator.control.world.stuck(name)
    answer = azure.call("POST", azure.cg(name, "/stop"))
    assert answer.json()["error"]["code"] == "ContainerGroupTransitioning"
    assert azure.call("DELETE", azure.cg(name)).status_code == 200


def test_a_new_group_may_not_be_found_at_first(azure: Azure):
    azure.emulator.control.change("timings", eventual_404=600.0)
    name = azure.name()
    azure.call("PUT", azure.cg(name), json=body())
    assert azure.call("GET", azure.cg(name)).status_code == 404
    azure.emulator.control.change("timings", eventual_404=0.3)
    eventually(lambda: azure.call("GET", azure.cg(name)).status_code == 200)


def test_what_others_do(azure: Azure):
    world, get = azure.emulator.control.world, azure.aci.container_groups.get
    name = azure.group(restartPolicy="Never")
    world.kill(name)
    eventually(lambda: get("rg", name).instance_view.state == "Failed")
    assert get("rg", name).containers[0].instance_view.current_state.exit_code == 137
    world.stop(name)
    assert get("rg", name).instance_view.state in ("Stopped", "Failed")
    world.start(name)
    eventually(lambda: get("rg", name).instance_view.state == "Running")
    world.tags(name, {"by": "somebody"})
    assert get("rg", name).tags == {"by": "somebody"}
    world.delete(name)
    assert azure.call("GET", azure.cg(name)).status_code == 404


@pytest.mark.parametrize("what", ["delete", "stop"])
def test_what_happens_outside_ends_what_was_under_way(azure: Azure, what: str):
    azure.emulator.control.change("timings", provision=0.5)
    name, seconds = azure.name(), f"300.{secrets.randbelow(10**9)}"
    azure.call("PUT", azure.cg(name), json=body(container(command=["/bin/sleep", seconds])))
    getattr(azure.emulator.control.world, what)(name)
    time.sleep(1)
    assert not processes_with(seconds)


def test_an_evicted_spot_group_comes_back(azure: Azure):
    name = azure.group(priority="Spot")
    before = get_start(azure, name)
    azure.emulator.control.world.evict(name)
    eventually(lambda: get_start(azure, name) not in (None, before))


def get_start(azure: Azure, name: str) -> object:
    view = azure.aci.container_groups.get("rg", name).containers[0].instance_view
    return view.current_state.start_time if view and view.current_state.state == "Running" else None


def test_a_share_that_does_not_exist_leaves_the_group_pending(azure: Azure):
    share = {"shareName": "s", "storageAccountName": "a", "storageAccountKey": "secret-key"}
    request = body(container(volumeMounts=[{"name": "share", "mountPath": "/share"}]),
                   volumes=[{"name": "share", "azureFile": share}])  # fmt: skip
    name = azure.name()
    azure.call("PUT", azure.cg(name), json=request)

    def failing() -> bool:
        shown = azure.call("GET", azure.cg(name))
        assert "secret-key" not in shown.text
        return "FailedMount" in [e["name"] for e in shown.json()["properties"]["instanceView"]["events"]]

    eventually(failing)
    assert azure.aci.container_groups.get("rg", name).instance_view.state == "Pending"


def test_the_control_api_wants_its_token_and_sensible_words(azure: Azure):
    answer = requests.get(azure.emulator.url + "/_emulator/health", verify=azure.emulator.ca_file, timeout=10)
    assert answer.status_code == 401
    control = azure.emulator.control
    with pytest.raises(ControlError, match="operashun"):
        control.call("POST", "faults", {"operashun": "x"})
    with pytest.raises(ControlError, match="0 groups"):
        control.world.kill("nobody")
    with pytest.raises(ControlError, match="--link"):
        control.link_options(rtt_ms=1)
    with pytest.raises(ControlError):
        control.exec_options(cap="many")
    assert "secret" not in str(control.call("GET", "settings")["principals"][0].get("secret", "")).replace("***", "")
