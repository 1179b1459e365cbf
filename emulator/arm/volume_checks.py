"""Checks on volumes and where they are mounted."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, Final

from emulator.arm.errors import arm_error
from emulator.model import containers_of
from emulator.settings import Settings

VOLUME = re.compile(r"(?!.*--)[a-z0-9]([a-z0-9-]{3,61})[a-z0-9]")
KINDS = ("azureFile", "emptyDir", "secret", "gitRepo")
NEEDED = {"azureFile": ("shareName", "storageAccountName", "storageAccountKey"), "gitRepo": ("repository",)}


def check_volumes(settings: Settings, name: str, body: dict[str, Any]) -> None:
    """Volumes of the group, then the mounts of every container."""
    properties = body["properties"]
    volumes = properties.get("volumes") or []
    if len(volumes) > settings.limits.volumes:
        raise arm_error("TooManyVolumes", name=name, limit=settings.limits.volumes)
    known: set[str] = set()
    for volume in volumes:
        rule = _problem(volume, known, properties["osType"])
        if rule:
            raise arm_error("InvalidVolume", volume=volume.get("name"), name=name, rule=rule)
        known.add(volume["name"])
    for item in containers_of(properties):
        _check_mounts(name, item, known)


_MOUNT_RULES: Final[tuple[tuple[Callable[[str, set[str]], bool], str], ...]] = (
    (lambda path, _taken: not path.startswith("/"), "It must be absolute."),
    (lambda path, _taken: ":" in path, "It must not hold ':'."),
    (lambda path, taken: path in taken, "It is used twice."),
    (lambda path, _taken: not path.strip("/"), "It must not be the root."),
)
"""What is wrong with a mount's path, given those of the container's mounts before it."""


def _check_mounts(name: str, item: dict[str, Any], volumes: set[str]) -> None:
    paths: set[str] = set()
    for mount in item["properties"].get("volumeMounts") or []:
        if mount.get("name") not in volumes:
            raise arm_error("VolumeNotFound", volume=mount.get("name"), container=item["name"], name=name)
        path = str(mount.get("mountPath") or "")
        rule = next((rule for is_wrong, rule in _MOUNT_RULES if is_wrong(path, paths)), "")
        if rule:
            raise arm_error("InvalidMountPath", path=path, container=item["name"], name=name, rule=rule)
        paths.add(path)


def _problem(volume: dict[str, Any], known: set[str], system: str) -> str:
    name = str(volume.get("name") or "")
    if not VOLUME.fullmatch(name):
        return "Its name must be 5-63 lowercase letters, digits or single hyphens."
    if name in known:
        return "Its name is used twice."
    kinds = [kind for kind in KINDS if volume.get(kind) is not None]
    if len(kinds) != 1:
        return f"Exactly one of {', '.join(KINDS)} is needed."
    kind = kinds[0]
    if system == "Windows" and kind == "secret":
        return "Secret volumes need Linux."
    missing = [field for field in NEEDED.get(kind, ()) if not volume[kind].get(field)]
    if missing:
        return f"'{missing[0]}' is missing."
    if kind == "secret":
        return _secret_problem(volume[kind])
    if kind == "gitRepo" and ".." in str(volume[kind].get("directory") or ""):
        return "The directory must not hold '..'."
    return ""


def _secret_problem(files: dict[str, str]) -> str:
    try:
        for file, value in files.items():
            base64.b64decode(value, validate=True)
            if "/" in file or file in ("", ".", ".."):
                return "A file name of it is invalid."
    except (binascii.Error, TypeError, ValueError):
        return "Its values must be base64."
    return ""
