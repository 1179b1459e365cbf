"""Checks on the body of a PUT, in the order the service makes them: each one function."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from emulator.arm.errors import arm_error
from emulator.arm.network import check_address, check_subnets
from emulator.arm.sizes import check_resources
from emulator.arm.volume_checks import check_volumes
from emulator.model import containers_of, is_spot, location_of
from emulator.settings import Settings

NAME = re.compile(r"(?!.*--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
VARIABLE = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?")
RESOURCE_GROUP = re.compile(r"[\w().-]{0,89}[\w()-]")
NAME_RULE = (
    "It must be 1-63 lowercase letters, digits or hyphens, begin and end with a letter or "
    "digit and have no consecutive hyphens."
)
_BAD_TAG = set("<>%&\\?/")

Check = Callable[[Settings, str, dict[str, Any]], None]


def check_group(settings: Settings, name: str, body: dict[str, Any]) -> None:
    """Raise the first error of a container group's body."""
    for check in CHECKS:
        check(settings, name, body)


def check_resource_group_name(name: str) -> None:
    """1-90 characters, no final dot."""
    if not RESOURCE_GROUP.fullmatch(name):
        raise arm_error(
            "InvalidName",
            what="resource group",
            value=name,
            rule="It must be 1-90 letters, digits, '_', '-', '.', '(' or ')' and not end with a period.",
        )


def check_tags(tags: Any) -> None:
    """At most 50; names up to 512 characters, none of the reserved ones; values up to 256."""
    if not isinstance(tags, dict) or not all(isinstance(v, str) for v in tags.values()):
        raise arm_error("InvalidRequestContent", text="tags must map strings to strings")
    if len(tags) > 50:
        raise arm_error("InvalidTags", text=f"The number of tags {len(tags)} exceeds 50.")
    for key, value in tags.items():
        if not key or len(key) > 512 or _BAD_TAG & set(key):
            raise arm_error("InvalidTags", text=f"The tag name '{key[:64]}' is invalid.")
        if len(value) > 256:
            raise arm_error("InvalidTags", text=f"The value of tag '{key}' exceeds 256 characters.")


def _shape(_: Settings, name: str, body: dict[str, Any]) -> None:
    properties = body.get("properties")
    if not isinstance(properties, dict):
        raise arm_error("InvalidRequestContent", text="properties are missing")
    containers = properties.get("containers")
    if not isinstance(containers, list):
        raise arm_error("InvalidRequestContent", text="properties.containers are missing")
    for item in [*containers, *(properties.get("initContainers") or [])]:
        if not (
            isinstance(item, dict) and isinstance(item.get("properties"), dict) and isinstance(item.get("name"), str)
        ):
            raise arm_error("InvalidRequestContent", text=f"a container of '{name}' is malformed")


def _name(_: Settings, name: str, __: dict[str, Any]) -> None:
    if not NAME.fullmatch(name):
        raise arm_error("InvalidName", what="container group", value=name, rule=NAME_RULE)


def _location(settings: Settings, _: str, body: dict[str, Any]) -> None:
    location = location_of(body)
    if not location:
        raise arm_error("LocationRequired")
    if location not in settings.limits.locations:
        raise arm_error(
            "LocationNotAvailableForResourceType", location=location, locations=",".join(settings.limits.locations)
        )


def _tags(_: Settings, __: str, body: dict[str, Any]) -> None:
    check_tags(body.get("tags") or {})


def _os(_: Settings, name: str, body: dict[str, Any]) -> None:
    value = body["properties"].get("osType")
    if value not in ("Linux", "Windows"):
        raise arm_error("InvalidOsType", value=value or "", name=name)


def _policy(_: Settings, name: str, body: dict[str, Any]) -> None:
    value = body["properties"].get("restartPolicy")
    if value not in (None, "Always", "OnFailure", "Never"):
        raise arm_error("InvalidRestartPolicy", value=value, name=name)


def _containers(settings: Settings, name: str, body: dict[str, Any]) -> None:
    properties = body["properties"]
    whole = containers_of(properties)
    if not properties["containers"] or len(whole) > settings.limits.containers:
        raise arm_error("TooManyContainers", name=name, limit=settings.limits.containers)
    seen: set[str] = set()
    for item in whole:
        container = item["name"]
        if not NAME.fullmatch(container):
            raise arm_error("InvalidName", what="container", value=container, rule=NAME_RULE)
        if container in seen:
            raise arm_error("DuplicateContainerName", container=container, name=name)
        seen.add(container)
        spec = item["properties"]
        image = spec.get("image")
        if not isinstance(image, str) or not image or re.search(r"\s", image):
            raise arm_error("InvalidImageName", container=container, name=name)
        command = spec.get("command")
        if command is not None and not (isinstance(command, list) and all(isinstance(part, str) for part in command)):
            raise arm_error("InvalidRequestContent", text="command must be an array of strings")


def _init_containers(_: Settings, __: str, body: dict[str, Any]) -> None:
    for item in body["properties"].get("initContainers") or []:
        for what in ("resources", "ports"):
            if item["properties"].get(what):
                raise arm_error("InvalidRequestContent", text=f"init container '{item['name']}' cannot have {what}")


def _environment(settings: Settings, name: str, body: dict[str, Any]) -> None:
    properties = body["properties"]
    for item in containers_of(properties):
        variables = item["properties"].get("environmentVariables") or []
        total = sum(_variable_size(name, item["name"], variable) for variable in variables)
        if settings.limits.environment_bytes and total > settings.limits.environment_bytes:
            raise arm_error(
                "EnvironmentVariablesTooLarge",
                container=item["name"],
                name=name,
                limit=settings.limits.environment_bytes,
            )


def _variable_size(name: str, container: str, variable: Any) -> int:
    """Bytes of a variable's name and value; raises for one that the service refuses."""
    key = variable.get("name") if isinstance(variable, dict) else None
    fields: dict[str, Any] = {"container": container, "name": name, "variable": key}
    if not isinstance(key, str) or not VARIABLE.fullmatch(key):
        raise arm_error("InvalidEnvironmentVariable", rule="Its name is invalid.", **fields)
    value, secure = variable.get("value"), variable.get("secureValue")
    if value is not None and secure is not None:
        raise arm_error(
            "InvalidEnvironmentVariable", **fields, rule="Only one of 'value' and 'secureValue' can be given."
        )
    text = secure if secure is not None else value
    if text is not None and not isinstance(text, str):
        raise arm_error("InvalidRequestContent", text=f"the value of '{key}' is no string")
    if text and "\0" in text:
        raise arm_error("InvalidEnvironmentVariable", rule="It holds a NUL.", **fields)
    return len(key.encode()) + len((text or "").encode())


def _features(_: Settings, name: str, body: dict[str, Any]) -> None:
    properties = body["properties"]
    sku = properties.get("sku") or "Standard"
    for item in containers_of(properties):
        context = item["properties"].get("securityContext") or {}
        added = (context.get("capabilities") or {}).get("add")
        if sku != "Confidential" and (context.get("privileged") or added):
            raise arm_error("PrivilegedNotSupported", sku=sku, name=name)
    if is_spot(properties):
        if properties.get("ipAddress") or properties.get("subnetIds"):
            raise arm_error(
                "SpotNotSupported",
                text="Spot container groups support neither a "
                f"public IP address nor a virtual network (group '{name}').",
            )
        if sku == "Confidential":
            raise arm_error("SpotNotSupported", text="Confidential SKU cannot be Spot.")
        if body.get("zones"):
            raise arm_error("SpotNotSupported", text="Spot container groups support no availability zones.")


CHECKS: tuple[Check, ...] = (
    _shape,
    _name,
    _location,
    _tags,
    _os,
    _policy,
    _containers,
    _init_containers,
    _environment,
    check_resources,
    _features,
    check_address,
    check_volumes,
    check_subnets,
)
