"""What becomes of mounts on Container Instances, which can mount nothing of the user's computer."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from adapters.devpod.run_options import Mount

MAX_VOLUMES: Final = 20
_WORKSPACE: Final = "workspace"


class EmptyDir(msgspec.Struct, frozen=True):
    """A folder that outlives a restart of the container inside its group, but no stop of the group."""

    name: str
    """5-63 lower case letters, digits and single hyphens, as Azure wants volume names."""
    mount_path: str


class Mounted(msgspec.Struct, frozen=True):
    """What the mounts come to."""

    emptydirs: tuple[EmptyDir, ...]
    """Outer folders before the ones inside them."""
    warnings: tuple[str, ...]
    refusals: tuple[str, ...]


_VOLATILE: Final = {
    "volume": "starts empty and is lost when the workspace stops: Container Instances has no volumes of its own",
    "tmpfs": "is kept on disk, not in memory, and is lost when the workspace stops",
}
_COPIED: Final = (
    "is copied into the container once, by DevPod; later changes on either side are not shared, "
    "and the copy is lost when the workspace stops"
)
_NO_DOCKER: Final = "Container Instances has no Docker daemon to talk to"
_IGNORABLE: Final = ("consistency", "bind-propagation", "volume-nocopy", "z", "Z", "relabel")
"""Mount settings that mean nothing off the user's own computer."""


def mounted(workspace: Mount | None, others: Sequence[Mount]) -> Mounted:
    """What the workspace mount and the other mounts of the run options come to."""
    paths: dict[str, str] = {}
    warnings: list[str] = []
    refusals: list[str] = []
    if workspace is not None and workspace.target:
        # DevPod copies the workspace's content into this folder after the container has started.
        problem = _target_problem(workspace)
        if problem:
            refusals.append(problem)
        else:
            paths[posixpath.normpath(workspace.target)] = _WORKSPACE
    for mount in others:
        kind = mount.type or "volume"
        problem = _target_problem(mount) or _kind_problem(mount, kind)
        if problem:
            refusals.append(problem)
            continue
        warnings.extend(_warnings(mount, kind))
        if kind != "bind":
            paths.setdefault(posixpath.normpath(mount.target), f"mount-{len(paths)}")
    if len(paths) > MAX_VOLUMES:
        refusals.append(f"{len(paths)} mounts: a container group has at most {MAX_VOLUMES} volumes")
    return Mounted(tuple(_outer_first(paths.items())), tuple(warnings), tuple(refusals))


def _outer_first(named: Iterable[tuple[str, str]]) -> list[EmptyDir]:
    return [EmptyDir(name, path) for path, name in sorted(named, key=lambda item: (item[0].count("/"), item[0]))]


def _describe(mount: Mount) -> str:
    arrow = f"{mount.source} -> {mount.target}" if mount.source else mount.target
    return f"mount {arrow!r} (type {mount.type or 'volume'})"


def _target_problem(mount: Mount) -> str:
    target = mount.target
    if not target.startswith("/") or posixpath.normpath(target).strip("/") == "":
        return f"{_describe(mount)}: its target is no absolute path of a folder"
    if ":" in target:
        return f"{_describe(mount)}: Container Instances allows no colon in a mount's target"
    return ""


def _kind_problem(mount: Mount, kind: str) -> str:
    if kind == "bind" and mount.source.replace("\\", "/").endswith("/docker.sock"):
        return f"{_describe(mount)}: {_NO_DOCKER}"
    if kind not in ("bind", "volume", "tmpfs"):
        return f"{_describe(mount)}: Container Instances has no such mounts"
    return ""


def _warnings(mount: Mount, kind: str) -> list[str]:
    warnings = [f"{_describe(mount)} {_COPIED if kind == 'bind' else _VOLATILE[kind]}"]
    if mount.external:
        warnings.append(f"{_describe(mount)}: an existing volume of that name is not found here")
    unused = [text for text in mount.other or () if text and text.partition("=")[0] not in _IGNORABLE]
    if unused:
        warnings.append(f"{_describe(mount)}: {', '.join(unused)} has no effect here")
    return warnings
