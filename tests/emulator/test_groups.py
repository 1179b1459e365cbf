"""The life of a container group, through the Azure SDK and, for headers, plain HTTPS."""

from __future__ import annotations

import re

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.emulator.clients import KEEP, Azure, body, container, eventually


def test_create_get_exec_stop_start_delete(azure: Azure):
    name = azure.name()
    group = azure.aci.container_groups.begin_create_or_update("rg", name, body()).result()
    assert (group.provisioning_state, group.instance_view.state) == ("Succeeded", "Running")
    shell = azure.shell(name)
    shell.raw()
    shell.send(b"echo over-the-wire; exit\n")
    assert b"over-the-wire" in shell.rest()
    azure.aci.container_groups.stop("rg", name)
    stopped = azure.aci.container_groups.get("rg", name)
    assert stopped.instance_view.state == "Stopped"
    assert stopped.provisioning_state == "Succeeded"
    view = stopped.containers[0].instance_view
    assert view.current_state.state == "Terminated"
    assert view.current_state.detail_status == "Container stopped per client request"
    assert view.current_state.exit_code is None
    assert view.previous_state.state == "Running"
    azure.aci.container_groups.begin_start("rg", name).result()
    assert azure.aci.container_groups.get("rg", name).instance_view.state == "Running"
    azure.aci.container_groups.begin_delete("rg", name).result()
    with pytest.raises(ResourceNotFoundError, match="was not found"):
        azure.aci.container_groups.get("rg", name)


def test_put_answers_201_with_the_operation_header_and_then_200(azure: Azure):
    name = azure.name()
    answer = azure.call("PUT", azure.cg(name), json=body())
    assert answer.status_code == 201
    shown = answer.json()["properties"]
    assert shown["provisioningState"] == "Pending"
    assert shown["instanceView"]["state"] == "Pending"
    url = answer.headers["azure-asyncoperation"]
    assert "/locations/westeurope/operations/" in url
    assert "api-version=2018-06-01" in url
    assert len(url) > 2000
    assert "Retry-After" not in answer.headers
    assert "Location" not in answer.headers
    assert "x-ms-ratelimit-remaining-subscription-resource-requests-pt5m" in answer.headers
    assert re.match(r"westeurope:[0-9a-f-]{36}$", answer.headers["x-ms-request-id"])
    assert answer.headers["x-ms-correlation-request-id"]

    def succeeded() -> bool:
        operation = azure.call("GET", url, version="")
        assert operation.status_code == 200
        assert operation.json()["id"] == azure.cg(name).replace("containergroups", "containerGroups")
        return operation.json()["status"] == "Succeeded"

    eventually(succeeded)
    events = azure.call("GET", url, version="").json()["properties"]["events"]
    assert {e["name"] for e in events} >= {"Pulling", "Pulled", "Started"}
    assert azure.call("PUT", azure.cg(name), json=body()).status_code == 200


def test_an_operation_url_is_opaque(azure: Azure):
    answer = azure.call("PUT", azure.cg(azure.name()), json=body())
    short = answer.headers["azure-asyncoperation"].split("&")[0]
    assert azure.call("GET", short, version="").status_code == 404


def test_start_stop_restart_delete_statuses(azure: Azure):
    name = azure.group()
    running = azure.call("POST", azure.cg(name, "/start"))
    assert (running.status_code, "azure-asyncoperation" in running.headers) == (204, False)
    restarted = azure.call("POST", azure.cg(name, "/restart"))
    assert (restarted.status_code, "azure-asyncoperation" in restarted.headers) == (204, True)
    during = azure.call("GET", azure.cg(name)).json()["properties"]
    assert during["provisioningState"] in ("Updating", "Succeeded")
    eventually(lambda: azure.call("POST", azure.cg(name, "/stop")).status_code == 204)
    assert azure.call("POST", azure.cg(name, "/stop")).status_code == 204
    assert azure.call("POST", azure.cg(name, "/restart")).json()["error"]["code"] == "ContainerGroupStopped"
    started = azure.call("POST", azure.cg(name, "/start"))
    assert (started.status_code, "azure-asyncoperation" in started.headers) == (202, True)
    eventually(lambda: azure.call("DELETE", azure.cg(name)).status_code == 200)
    assert azure.call("DELETE", azure.cg(name)).status_code == 204
    assert azure.call("POST", azure.cg(name, "/stop")).status_code == 404


def test_a_manual_restart_leaves_restart_count_alone_and_begins_the_log_anew(azure: Azure):
    name = azure.group(container(command=["/bin/sh", "-c", "echo started; exec sleep 1000"]))

    def log() -> str:
        return str(azure.aci.containers.list_logs("rg", name, "main").content)

    eventually(lambda: log() == "started\n")
    azure.aci.container_groups.begin_restart("rg", name).result()
    eventually(lambda: log() != "")
    assert log() == "started\n"
    view = azure.aci.container_groups.get("rg", name).containers[0].instance_view
    assert view.restart_count == 0
    events = {event.name: event for event in view.events}
    assert events["Started"].count == 2
    assert "Killing" in events


def test_a_group_that_starts_again_is_pending_like_a_new_one(azure: Azure):
    name = azure.group()
    azure.call("POST", azure.cg(name, "/stop"))
    azure.emulator.control.change("timings", pending=5.0)
    azure.call("POST", azure.cg(name, "/start"))
    shown = azure.call("GET", azure.cg(name)).json()["properties"]
    assert (shown["provisioningState"], shown["instanceView"]["state"]) == ("Pending", "Pending")
    azure.emulator.control.world.delete(name)


def test_lists_have_no_instance_view(azure: Azure):
    name = azure.group()
    tail = "/providers/Microsoft.ContainerInstance/containerGroups"
    for path in (azure.rg + tail, f"/subscriptions/{azure.emulator.subscription_id}{tail}"):
        shown = {g["name"]: g for g in azure.call("GET", path).json()["value"]}[name]
        assert "instanceView" not in shown["properties"]
        assert "instanceView" not in shown["properties"]["containers"][0]["properties"]


def test_paths_are_case_insensitive(azure: Azure):
    name = azure.group()
    path = azure.cg(name).replace("resourceGroups", "RESOURCEGROUPS").replace("containerGroups", "containergroups")
    assert azure.call("GET", path.replace("/rg/", "/RG/")).status_code == 200


def test_no_secret_comes_back(azure: Azure):
    variables = [{"name": "TOKEN", "secureValue": "hidden-1"}, {"name": "PLAIN", "value": "shown"}]
    name = azure.name()
    request = body(
        container(environmentVariables=variables, volumeMounts=[{"name": "secrets", "mountPath": "/secrets"}]),
        imageRegistryCredentials=[{"server": "r.example", "username": "u", "password": "hidden-2"}],
        volumes=[{"name": "secrets", "secret": {"file": "aGlkZGVuLTM="}}],
        diagnostics={"logAnalytics": {"workspaceId": "w", "workspaceKey": "hidden-4"}},
    )
    created = azure.call("PUT", azure.cg(name), json=request)
    read = azure.call("GET", azure.cg(name))
    for text in (created.text, read.text):
        assert "hidden" not in text
        assert "aGlkZGVuLTM" not in text
    shown = read.json()["properties"]
    assert shown["containers"][0]["properties"]["environmentVariables"][0] == {"name": "TOKEN"}
    assert shown["volumes"] == [{"name": "secrets", "secret": {}}]
    assert "hidden" not in str(azure.emulator.control.requests())


def test_put_on_a_running_group_replaces_it_and_refuses_what_cannot_change(azure: Azure):
    name = azure.group(container(environmentVariables=[{"name": "V", "value": "1"}]))
    changed = body(container(environmentVariables=[{"name": "V", "value": "2"}]))
    azure.aci.container_groups.begin_create_or_update("rg", name, changed).result()
    shell = azure.shell(name)
    shell.send(b"echo v=$V.; exit\n")
    assert b"v=2." in shell.rest()
    bigger = body(container(resources={"requests": {"cpu": 2, "memoryInGB": 1}}))
    for refused in (bigger, body(restartPolicy="Never")):
        with pytest.raises(HttpResponseError, match="are invalid") as caught:
            azure.aci.container_groups.begin_create_or_update("rg", name, refused)
        assert caught.value.status_code == 400
    azure.aci.container_groups.stop("rg", name)
    azure.aci.container_groups.begin_create_or_update("rg", name, bigger).result()


def test_patch_changes_tags_only(azure: Azure):
    name = azure.group()
    answer = azure.call("PATCH", azure.cg(name), json={"tags": {"a": "b"}, "properties": {"osType": "Windows"}})
    assert answer.json()["tags"] == {"a": "b"}
    assert azure.call("GET", azure.cg(name)).json()["properties"]["osType"] == "Linux"


@pytest.mark.parametrize(
    ("policy", "command", "state"),
    [
        ("Never", "exit 0", "Succeeded"),
        ("Never", "exit 3", "Failed"),
        ("OnFailure", "exit 0", "Succeeded"),
    ],
)
def test_ended_groups(azure: Azure, policy: str, command: str, state: str):
    name = azure.group(container(command=["/bin/sh", "-c", command]), restartPolicy=policy)
    eventually(lambda: azure.aci.container_groups.get("rg", name).instance_view.state == state)
    group = azure.aci.container_groups.get("rg", name)
    assert group.provisioning_state == "Succeeded"
    current = group.containers[0].instance_view.current_state
    assert current.state == "Terminated"
    assert current.exit_code == int(command[-1])
    assert current.detail_status == ("Completed" if command[-1] == "0" else "Error")


def test_always_restarts_with_back_off(azure: Azure):
    name = azure.group(container(command=["/bin/sh", "-c", "exit 1"]))

    def restarted() -> bool:
        view = azure.aci.container_groups.get("rg", name).containers[0].instance_view
        return view.restart_count >= 1 and view.previous_state is not None

    eventually(restarted)
    assert azure.aci.container_groups.get("rg", name).instance_view.state == "Running"


def test_an_image_without_a_command_ends_at_once_as_a_shell_without_terminal_does(azure: Azure):
    name = azure.group(container(command=None), restartPolicy="Never")
    eventually(lambda: azure.aci.container_groups.get("rg", name).instance_view.state == "Succeeded")


def test_logs_merge_both_streams_and_have_tail_and_timestamps(azure: Azure):
    script = "echo one; echo two >&2; printf three; exec sleep 1000"
    name = azure.group(container(command=["/bin/sh", "-c", script]))
    logs = azure.aci.containers.list_logs
    eventually(lambda: logs("rg", name, "main").content == "one\ntwo\nthree")
    assert logs("rg", name, "main", tail=2).content == "two\nthree"
    stamped = logs("rg", name, "main", timestamps=True).content.splitlines()
    assert re.match(r"20\d\d-\d\d-\d\dT[\d:.]+Z one$", stamped[0])


def test_the_address_changes_on_start_and_the_name_does_not(azure: Azure):
    address = {"type": "Public", "ports": [{"port": 80}], "dnsNameLabel": "work-space"}
    name = azure.group(container(ports=[{"port": 80}]), ipAddress=address)
    before = azure.aci.container_groups.get("rg", name).ip_address
    assert before.fqdn == "work-space.westeurope.azurecontainer.io"
    azure.aci.container_groups.stop("rg", name)
    assert azure.aci.container_groups.get("rg", name).ip_address.ip is None
    azure.aci.container_groups.begin_start("rg", name).result()
    after = azure.aci.container_groups.get("rg", name).ip_address
    assert after.fqdn == before.fqdn
    assert after.ip != before.ip


def test_a_group_in_transition_refuses_everything_but_reads(azure: Azure):
    azure.emulator.control.change("timings", provision=600.0)
    name = azure.name()
    azure.call("PUT", azure.cg(name), json=body())
    for method, tail in (("PUT", ""), ("POST", "/stop"), ("POST", "/start"), ("POST", "/restart"), ("DELETE", ""),
                         ("GET", "/containers/main/logs"), ("POST", "/containers/main/exec")):  # fmt: skip
        answer = azure.call(method, azure.cg(name, tail), json=body() if method == "PUT" else {"command": "/bin/sh"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ContainerGroupTransitioning"), tail
    with pytest.raises(ResourceExistsError, match="still transitioning"):
        azure.aci.container_groups.stop("rg", name)
    azure.emulator.control.world.delete(name)


@pytest.mark.parametrize(("window", "statuses"), [(600.0, {409}), (0.3, {204, 409})])
def test_it_does_so_for_a_while_after_its_transition(azure: Azure, window: float, statuses: set[int]):
    azure.emulator.control.change("timings", window=window)
    name = azure.group()
    seen = {azure.call("POST", azure.cg(name, "/stop")).status_code}
    if window < 1:
        eventually(lambda: azure.call("POST", azure.cg(name, "/stop")).status_code == 204)
    assert seen <= statuses
    azure.emulator.control.world.delete(name)


def test_init_containers_run_first_and_share_a_volume(azure: Azure):
    mounts = [{"name": "shared", "mountPath": "/shared" if azure.emulator.control.health()["isolation"] ==
               "namespaces" else "shared-dir"}]  # fmt: skip
    if not mounts[0]["mountPath"].startswith("/"):
        pytest.skip("volumes are mounted where namespaces work")
    init = container("init", command=["/bin/sh", "-c", "echo prepared >/shared/file"], volumeMounts=mounts)
    del init["properties"]["resources"]
    main = container(command=["/bin/sh", "-c", "cat /shared/file; exec sleep 1000"], volumeMounts=mounts)
    volumes = [{"name": "shared", "emptyDir": {}}]
    name = azure.group(main, initContainers=[init], volumes=volumes)
    eventually(lambda: azure.aci.containers.list_logs("rg", name, "main").content == "prepared\n")


def test_containers_of_a_group_are_separate(azure: Azure):
    name = azure.group(container("one"), container("two", command=KEEP))
    group = azure.aci.container_groups.get("rg", name)
    assert [c.instance_view.current_state.state for c in group.containers] == ["Running", "Running"]
    answer = azure.call("POST", azure.cg(name, "/containers/three/exec"), json={"command": "/bin/sh"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ContainerNotFound")


def test_an_unknown_api_version_is_refused_by_the_gateway(azure: Azure):
    answer = azure.call("GET", azure.cg("any"), version="2099-01-01")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "NoRegisteredProviderFound"
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    assert "2023-05-01" in answer.json()["error"]["message"]


def test_resource_groups(azure: Azure):
    groups = azure.resources.resource_groups
    assert not groups.check_existence("other")
    created = groups.create_or_update("other", {"location": "westeurope", "tags": {"a": "b"}})
    assert created.properties.provisioning_state == "Succeeded"
    assert groups.check_existence("OTHER")
    assert {g.name for g in groups.list()} >= {"rg", "other"}
    azure.aci.container_groups.begin_create_or_update("other", "inside", body()).result()
    groups.begin_delete("other").result()
    assert not groups.check_existence("other")
    with pytest.raises(ResourceNotFoundError, match="Resource group 'other' could not be found"):
        azure.aci.container_groups.get("other", "inside")


def test_locations(azure: Azure):
    usages = {u.name.value: u for u in azure.aci.location.list_usage("westeurope")}
    assert usages["StandardCores"].limit == 100
    assert next(iter(azure.aci.location.list_capabilities("westeurope"))).capabilities.max_cpu == 31
    assert list(azure.aci.location.list_cached_images("westeurope"))


def test_registration(start):
    azure = start(control={"start_unregistered": True})
    with pytest.raises(ResourceExistsError, match="not registered") as caught:
        azure.aci.container_groups.get("rg", "any")
    assert caught.value.error.code == "MissingSubscriptionRegistration"
    azure.resources.providers.register("Microsoft.ContainerInstance")
    eventually(lambda: azure.resources.providers.get("Microsoft.ContainerInstance").registration_state == "Registered")
    assert azure.group()


def test_a_missing_permission_is_named_with_who_and_where(azure: Azure):
    azure.emulator.control.permissions(denied=["*/containerGroups/write"])
    try:
        answer = azure.call("PUT", azure.cg("denied"), json=body())
    finally:
        azure.emulator.control.permissions(denied=[])
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert error["code"] == "AuthorizationFailed"
    assert azure.emulator.env["AZURE_CLIENT_ID"] in error["message"]
    assert "'Microsoft.ContainerInstance/containerGroups/write'" in error["message"]
    assert azure.cg("denied") in error["message"]


def test_the_asynchronous_and_the_vanishing_variants(start):
    azure = start(control={"delete_async": True, "stop_readback": "vanished"})
    name = azure.group()
    azure.aci.container_groups.stop("rg", name)
    stopped = azure.call("GET", azure.cg(name)).json()["properties"]
    assert "instanceView" not in stopped["containers"][0]["properties"]
    answer = azure.call("DELETE", azure.cg(name))
    assert (answer.status_code, "azure-asyncoperation" in answer.headers) == (202, True)
    eventually(lambda: azure.call("GET", azure.cg(name)).status_code == 404)
