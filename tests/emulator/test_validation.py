"""What a PUT is refused for, in Azure's codes: one row each."""

from __future__ import annotations

import pytest

from tests.emulator.clients import Azure, body, container


def ports(*numbers: int) -> list[dict[str, int]]:
    return [{"port": number} for number in numbers]


def public(*numbers: int, **more: object) -> dict[str, object]:
    return {"type": "Public", "ports": ports(*numbers)} | more


def sized(cpu: object, memory: object, /, **limits: object) -> dict[str, object]:
    resources: dict[str, object] = {"requests": {"cpu": cpu, "memoryInGB": memory}}
    return container(resources=resources | ({"limits": limits} if limits else {}))


def with_env(*variables: dict[str, object]) -> dict[str, object]:
    return container(environmentVariables=list(variables))


MOUNTED = container(volumeMounts=[{"name": "volume", "mountPath": "/data"}])

CASES = [
    ("no osType", body(osType=None), "InvalidOsType"),
    ("wrong osType", body(osType="Plan9"), "InvalidOsType"),
    ("no resources", body(container(resources=None)), "ResourceRequestsNotSpecified"),
    ("no cpu", body(sized(None, 1)), "ResourceRequestsNotSpecified"),
    ("zero cpu", body(sized(0, 1)), "InvalidContainerResource"),
    ("cpu step", body(sized(0.015, 1)), "InvalidContainerResource"),
    ("memory step", body(sized(1, 1.05)), "InvalidContainerResource"),
    ("too big", body(sized(32, 1)), "ContainerGroupResourcesOverLimit"),
    ("limit below request", body(sized(2, 1, cpu=1)), "ResourceLimitsLessThanRequests"),
    ("limit above group", body(sized(1, 1, cpu=2)), "ContainerLimitGreaterThanContainerGroupTotalRequest"),
    ("gpu", body(container(resources={"requests": {"cpu": 1, "memoryInGB": 1, "gpu": {"count": 1}}})),
     "GpuNotSupported"),
    ("init container with resources", body(initContainers=[container("init")]), "InvalidRequestContent"),
    ("init container with ports", body(initContainers=[container("init", resources=None, ports=ports(80))]),
     "InvalidRequestContent"),
    ("no containers", body() | {"properties": {"osType": "Linux", "containers": []}}, "TooManyContainers"),
    ("container name", body(container("Main_1")), "InvalidName"),
    ("same name twice", body(container("a"), container("a")), "DuplicateContainerName"),
    ("no image", body(container(image=None)), "InvalidImageName"),
    ("unknown image", body(container(image="nobody/knows:1")), "InaccessibleImage"),
    ("policy", body(restartPolicy="Sometimes"), "InvalidRestartPolicy"),
    ("location", body() | {"location": "atlantis"}, "LocationNotAvailableForResourceType"),
    ("no location", body() | {"location": ""}, "LocationRequired"),
    ("port 22", body(container(ports=ports(22)), ipAddress=public(22)), "ReservedPort"),
    ("port range", body(container(ports=ports(20001)), ipAddress=public(20001)), "ReservedPort"),
    ("port 0", body(container(ports=ports(0)), ipAddress=public(0)), "InvalidPort"),
    ("six ports", body(container(ports=ports(1, 2, 3, 4, 5, 6)), ipAddress=public(1, 2, 3, 4, 5, 6)), "TooManyPorts"),
    ("port nobody exposes", body(ipAddress=public(80)), "PortNotExposedByContainer"),
    ("address type", body(ipAddress={"type": "Odd", "ports": ports(80)}), "InvalidIPAddressType"),
    ("label", body(container(ports=ports(80)), ipAddress=public(80, dnsNameLabel="1-label")), "InvalidDnsNameLabel"),
    ("variable name", body(with_env({"name": "A B", "value": "x"})), "InvalidEnvironmentVariable"),
    ("value and secret", body(with_env({"name": "A", "value": "x", "secureValue": "y"})),
     "InvalidEnvironmentVariable"),
    ("environment of 32 KiB", body(with_env({"name": "A", "value": "x" * 32768})), "EnvironmentVariablesTooLarge"),
    ("51 tags", body() | {"tags": {f"t{n}": "" for n in range(51)}}, "InvalidTags"),
    ("long tag", body() | {"tags": {"t": "x" * 257}}, "InvalidTags"),
    ("privileged", body(container(securityContext={"privileged": True})), "PrivilegedNotSupported"),
    ("capability", body(container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}})),
     "PrivilegedNotSupported"),
    ("spot with address", body(container(ports=ports(80)), priority="Spot", ipAddress=public(80)),
     "SpotNotSupported"),
    ("spot in a zone", body(priority="Spot") | {"zones": ["1"]}, "SpotNotSupported"),
    ("private without subnet", body(container(ports=ports(80)), ipAddress={"type": "Private", "ports": ports(80)}),
     "InvalidSubnet"),
    ("unknown volume", body(MOUNTED), "VolumeNotFound"),
    ("volume of no kind", body(MOUNTED, volumes=[{"name": "volume"}]), "InvalidVolume"),
    ("secret not base64", body(MOUNTED, volumes=[{"name": "volume", "secret": {"a": "?"}}]), "InvalidVolume"),
    ("mount path", body(container(volumeMounts=[{"name": "volume", "mountPath": "a:b"}]),
                        volumes=[{"name": "volume", "emptyDir": {}}]), "InvalidMountPath"),
]  # fmt: skip


@pytest.mark.parametrize(("request_body", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_refused(azure: Azure, request_body: dict[str, object], code: str):
    answer = azure.call("PUT", azure.cg("refused"), json=request_body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert "refused" not in [g["name"] for g in azure.call("GET", azure.cg("")[:-1]).json()["value"]]


@pytest.mark.parametrize("name", ["Upper", "-a", "a-", "a--b", "a_b", "x" * 64])
def test_group_names(azure: Azure, name: str):
    assert azure.call("PUT", azure.cg(name), json=body()).json()["error"]["code"] == "InvalidName"


def test_bodies_that_are_no_group(azure: Azure):
    for data in ("{", "[]", '{"location": "westeurope"}', '{"location": "westeurope", "properties": {}}'):
        answer = azure.call("PUT", azure.cg("odd"), data=data)
        assert answer.json()["error"]["code"] == "InvalidRequestContent"


def test_missing_things(azure: Azure):
    assert azure.call("GET", azure.cg("x"), version="").json()["error"]["code"] == "MissingApiVersionParameter"
    nowhere = azure.cg("x").replace("/rg/", "/nowhere/")
    assert azure.call("PUT", nowhere, json=body()).json()["error"]["code"] == "ResourceGroupNotFound"
    other = azure.cg("x").replace(azure.emulator.subscription_id, "99999999-0000-4000-8000-000000000000")
    assert azure.call("GET", other).json()["error"]["code"] == "SubscriptionNotFound"
    assert azure.call("GET", azure.rg + "/providers/Microsoft.Storage/x/y").json()["error"]["code"] == (
        "InvalidResourceNamespace"
    )
    assert azure.call("TRACE", azure.cg("x")).status_code == 405


def test_quotas_and_labels(start):
    azure = start(limits={"standard_cores": 2, "groups": 2, "taken_dns_labels": ["taken-one"]})
    address = {"type": "Public", "ports": [{"port": 80}]}
    clash = body(container(ports=[{"port": 80}]), ipAddress=address | {"dnsNameLabel": "taken-one"})
    answer = azure.call("PUT", azure.cg("clash"), json=clash)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "DnsNameLabelNotAvailable")
    azure.group()
    too_big = body(container(resources={"requests": {"cpu": 2, "memoryInGB": 1}}))
    error = azure.call("PUT", azure.cg("big"), json=too_big).json()["error"]
    assert error["code"] == "ContainerGroupQuotaReached"
    assert "'StandardCores' exceeded in region 'westeurope'. Limit: '2', Usage: '1' Requested: '2'." in error["message"]
    azure.group()
    small = body(container(resources={"requests": {"cpu": 0.1, "memoryInGB": 0.1}}))
    assert "'ContainerGroups'" in azure.call("PUT", azure.cg("third"), json=small).json()["error"]["message"]


def test_private_registries(start):
    registry = {"server": "r.example", "username": "u", "password": "p", "identity": "/id"}
    image = {"name": "r.example/tools"}
    azure = start(registries=[registry], images=[image])

    def code(*credentials: dict[str, str]) -> str:
        request = body(container(image="r.example/tools:1"), imageRegistryCredentials=list(credentials))
        answer = azure.call("PUT", azure.cg(azure.name()), json=request)
        return "" if answer.status_code == 201 else answer.json()["error"]["code"]

    assert code() == "InaccessibleImage"
    assert code({"server": "r.example", "username": "u", "password": "no"}) == "InaccessibleImage"
    assert code({"server": "r.example", "username": "u", "password": "p"}) == ""
    assert code({"server": "r.example", "identity": "/other"}) == "InvalidImageRegistryIdentity"
    assert code({"server": "r.example", "identity": "/id"}) == ""
