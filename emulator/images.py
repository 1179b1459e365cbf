"""Which images exist, and what is in them."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

from emulator.arm.errors import arm_error
from emulator.settings import Image, Registry, Settings

# Public images served from the host's own file system when nothing else is mapped.
PUBLIC = (
    "mcr.microsoft.com/devcontainers/*",
    "mcr.microsoft.com/vscode/devcontainers/*",
    "mcr.microsoft.com/azuredocs/*",
    "mcr.microsoft.com/azure-cli*",
    "mcr.microsoft.com/cbl-mariner/*",
    "mcr.microsoft.com/azurelinux/*",
    "mcr.microsoft.com/oss/*",
    "ghcr.io/loft-sh/dockerless*",
    "ghcr.io/loft-sh/*",
    "ghcr.io/skevetter/*",
    "debian*",
    "*/debian*",
    "ubuntu*",
    "*/ubuntu*",
    "alpine*",
    "*/alpine*",
    "busybox*",
    "*/busybox*",
    "python*",
    "golang*",
    "node*",
    "nginx*",
    "*/nginx*",
    "docker.io/library/*",
)
# Their default command where it is not a shell that ends at once without a terminal.
SERVING = ("*aci-helloworld*", "*nginx*")
_IDLE = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]


class Catalogue:
    """Finds the image a container asks for, checking registry credentials on the way."""

    def __init__(self, settings: Settings) -> None:
        self._mapped = settings.images
        self._registries = settings.registries

    def find(self, name: str, os_type: str, group: str, credentials: list[dict[str, Any]]) -> Image:
        """The image, or the ARM error that Azure answers for it."""
        image = self._image(name)
        if image is None:
            raise arm_error("InaccessibleImage", image=name, name=group)
        self._check_registry(name, group, credentials)
        if image.os.lower() != os_type.lower() or image.arch not in ("amd64", "x86_64"):
            raise arm_error("ImageOsTypeNotMatchContainerGroup", image=name, os=os_type, name=group)
        return image

    def _image(self, name: str) -> Image | None:
        plain = name.split("@", maxsplit=1)[0]
        for image in self._mapped:
            if fnmatch.fnmatchcase(plain, image.name) or fnmatch.fnmatchcase(plain, image.name + ":*"):
                return image
        if any(fnmatch.fnmatchcase(plain, pattern) for pattern in PUBLIC):
            idle = any(fnmatch.fnmatchcase(plain, pattern) for pattern in SERVING)
            return Image(name=name, cmd=_IDLE if idle else ["/bin/sh"])
        return None

    def _check_registry(self, name: str, group: str, credentials: list[dict[str, Any]]) -> None:
        server = name.split("/", maxsplit=1)[0]
        registry = next((r for r in self._registries if r.server == server), None)
        if registry is None:
            return
        given = next((c for c in credentials if c.get("server") == server), None)
        if given is not None and given.get("identity"):
            if not _same_id(str(given["identity"]), registry.identity):
                raise arm_error("InvalidImageRegistryIdentity", identity=given["identity"], image=name, name=group)
            return
        if not _accepted(registry, given):
            raise arm_error("InaccessibleImage", image=name, name=group)


def _accepted(registry: Registry, given: dict[str, Any] | None) -> bool:
    return bool(
        given
        and registry.username
        and given.get("username") == registry.username
        and given.get("password") == registry.password
    )


def _same_id(one: str, other: str) -> bool:
    return bool(other) and one.lower() == other.lower()


def parse_mapping(text: str) -> Image:
    """``NAME=/path/to/rootfs[:user]`` from the command line; the path is a folder's or a tarball's."""
    name, equals, place = text.partition("=")
    path, _, user = place.partition(":")
    if not (name and equals and path.startswith("/")):
        raise ValueError(f"{text!r} is not NAME=/path/to/rootfs[:user]")
    if not (Path(path).is_dir() or Path(path).is_file()):
        raise ValueError(f"{path} is neither a folder nor a tarball")
    return Image(name=name, rootfs=str(Path(path).resolve()), user=user or "0")
