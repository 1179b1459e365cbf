"""How a container group is shown: what Azure adds, and what it never gives back."""

from __future__ import annotations

import uuid
from typing import Any, Final

from emulator.containers.container import Container
from emulator.model import Group, label_scope

_SHOWN_AS_GIVEN: Final = (
    "subnetIds",
    "dnsConfig",
    "priority",
    "encryptionProperties",
    "confidentialComputeProperties",
    "extensions",
)


def group_view(group: Group, *, instance: bool) -> dict[str, Any]:
    """The group as ARM shows it; ``instance`` adds the instance views (only GET and PUT do)."""
    whole: dict[str, Any] = {
        "id": group.id,
        "name": group.name,
        "type": "Microsoft.ContainerInstance/containerGroups",
        "location": group.location,
        "tags": group.tags,
        "properties": _properties_view(group, instance=instance),
    }
    if group.body.get("identity"):
        whole["identity"] = _identity_view(group.body["identity"], group)
    if group.body.get("zones"):
        whole["zones"] = group.body["zones"]
    return whole


def _properties_view(group: Group, *, instance: bool) -> dict[str, Any]:
    properties = group.properties
    shown: dict[str, Any] = {
        "sku": properties.get("sku") or "Standard",
        "provisioningState": group.provisioning,
        "provisioningTimeoutInSeconds": 1800,
        "isCustomProvisioningTimeout": False,
        "containers": [
            _container_view(item, _live(group.containers, item), instance=instance) for item in properties["containers"]
        ],
        "initContainers": [
            _init_view(item, _live(group.init_containers, item), instance=instance)
            for item in properties.get("initContainers") or []
        ],
        "restartPolicy": group.restart_policy,
        "osType": properties["osType"],
    }
    if properties.get("imageRegistryCredentials"):
        shown["imageRegistryCredentials"] = [
            {k: v for k, v in item.items() if k != "password"} for item in properties["imageRegistryCredentials"]
        ]
    if properties.get("ipAddress"):
        shown["ipAddress"] = _address_view(group)
    if properties.get("volumes"):
        shown["volumes"] = [_volume_view(volume) for volume in properties["volumes"]]
    if properties.get("diagnostics"):
        analytics = dict(properties["diagnostics"].get("logAnalytics") or {})
        analytics.pop("workspaceKey", None)
        shown["diagnostics"] = {"logAnalytics": analytics}
    shown |= {name: properties[name] for name in _SHOWN_AS_GIVEN if properties.get(name) is not None}
    if instance and not (group.stopped and group.hidden_view):
        shown["instanceView"] = {
            "events": [event.render() for event in group.events],
            "state": group.state,
        }
    return shown


def _live(containers: list[Container], item: dict[str, Any]) -> Container | None:
    return next((c for c in containers if c.name == item["name"].lower()), None)


def _environment(spec: dict[str, Any]) -> list[dict[str, str]]:
    # A secure variable comes back with nothing but its name.
    return [
        {"name": item["name"]}
        if item.get("secureValue") is not None
        else {"name": item["name"], "value": item.get("value") or ""}
        for item in spec.get("environmentVariables") or []
    ]


def _container_view(item: dict[str, Any], live: Container | None, *, instance: bool) -> dict[str, Any]:
    spec = item["properties"]
    shown: dict[str, Any] = {"image": spec["image"]}
    if spec.get("command"):
        shown["command"] = spec["command"]
    shown["ports"] = [
        {"protocol": port.get("protocol") or "TCP", "port": port["port"]} for port in spec.get("ports") or []
    ]
    shown["environmentVariables"] = _environment(spec)
    if instance and live is not None and live.launched and not live.hidden_view:
        shown["instanceView"] = live.view()
    shown["resources"] = spec["resources"]
    for name in ("volumeMounts", "livenessProbe", "readinessProbe", "securityContext"):
        if spec.get(name) is not None:
            shown[name] = spec[name]
    return {"name": item["name"], "properties": shown}


def _init_view(item: dict[str, Any], live: Container | None, *, instance: bool) -> dict[str, Any]:
    spec = item["properties"]
    shown: dict[str, Any] = {"image": spec["image"], "environmentVariables": _environment(spec)}
    for name in ("command", "volumeMounts", "securityContext"):
        if spec.get(name) is not None:
            shown[name] = spec[name]
    if instance and live is not None and live.launched:
        shown["instanceView"] = live.view()
    return {"name": item["name"], "properties": shown}


def _address_view(group: Group) -> dict[str, Any]:
    wanted = group.properties["ipAddress"]
    shown: dict[str, Any] = {
        "ports": [{"protocol": port.get("protocol") or "TCP", "port": port["port"]} for port in wanted["ports"]]
    }
    if group.ip:
        shown["ip"] = group.ip
    shown["type"] = wanted["type"]
    if wanted.get("dnsNameLabel"):
        shown["dnsNameLabel"] = wanted["dnsNameLabel"]
        shown["autoGeneratedDomainNameLabelScope"] = label_scope(wanted)
        if group.fqdn:
            shown["fqdn"] = group.fqdn
    return shown


def _volume_view(volume: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": volume["name"]}
    if volume.get("azureFile") is not None:
        shown["azureFile"] = {k: v for k, v in volume["azureFile"].items() if k != "storageAccountKey"}
    if volume.get("secret") is not None:
        shown["secret"] = {}
    for name in ("emptyDir", "gitRepo"):
        if volume.get(name) is not None:
            shown[name] = volume[name]
    return shown


def _identity_view(identity: dict[str, Any], group: Group) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": identity.get("type") or "None"}
    if "systemassigned" in shown["type"].lower().replace(" ", ""):
        shown["principalId"] = _derived(group.id + "principal")
        shown["tenantId"] = _derived(group.subscription + "tenant")
    if identity.get("userAssignedIdentities"):
        shown["userAssignedIdentities"] = {
            name: {"principalId": _derived(name), "clientId": _derived(name + "client")}
            for name in identity["userAssignedIdentities"]
        }
    return shown


def _derived(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text.lower()))
