"""From what DevPod asks for to what a container group is given, with every difference named."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from adapters.devpod.idle import ending_when_idle
from adapters.devpod.mounts import EmptyDir, mounted
from adapters.devpod.patterns import IMAGE
from adapters.devpod.run_options import RunOptions, labels_document, labels_of
from adapters.devpod.settings import Settings
from statemachine.errors import RunOptionsError, UnsupportedError
from statemachine.secret import Secret

USER_LABEL: Final = "devpod.user"
"""DevPod's label with the image's own user; empty means root."""

MACHINE_MARK: Final = "devpod-provider-aci-machine"
KEEP_ALIVE: Final = (
    "/bin/sh",
    "-c",
    "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done",
    MACHINE_MARK,
)
"""A machine's main process: it does nothing, ends at once on SIGTERM, reaps orphans, and can be known by its
last argument."""

_ENVIRONMENT_NAME: Final = re.compile(r"[0-9A-Za-z_]{1,63}")


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the container of a group is to be, in Azure's terms."""

    image: str
    command: tuple[str, ...]
    """In exec form; replaces both ENTRYPOINT and CMD. Empty: the image's own."""
    environment: dict[str, Secret]
    """To be sent as secure values, all of them: what is secret among them nobody can know."""
    labels: bytes
    """The labels document that ``find`` must give back; see ``labels_of``."""
    emptydirs: tuple[EmptyDir, ...]
    warnings: tuple[str, ...]
    """What will not be as asked, one line each."""


def plan(options: RunOptions, settings: Settings) -> RunPlan:
    """The plan of a dev container.

    Raises UnsupportedError naming everything Container Instances cannot do, RunOptionsError for an image
    reference no registry understands.
    """
    if not re.fullmatch(IMAGE, options.image):
        raise RunOptionsError(
            f"image {options.image!r} is no image reference", remedy="Correct the image in devcontainer.json."
        )
    mounts = mounted(options.workspace_mount, [mount for mount in options.mounts or () if mount is not None])
    refusals = (*_refusals(options), *mounts.refusals)
    if refusals:
        raise UnsupportedError("; ".join(refusals), remedy="Take it out of devcontainer.json.")
    labels = labels_document(options.labels or [])
    watched = ending_when_idle(
        ((options.entrypoint,) if options.entrypoint else ()) + tuple(options.cmd or ()),
        options.env or {},
        settings.inactivity_timeout,
    )
    return RunPlan(
        image=options.image,
        command=watched.command,
        environment=watched.environment,
        labels=labels,
        emptydirs=mounts.emptydirs,
        warnings=(*_warnings(options, labels_of(labels)), *mounts.warnings, *watched.warnings),
    )


def machine_plan(settings: Settings) -> RunPlan:
    """The plan of a machine: the image the user chose, kept alive for DevPod's agent."""
    return RunPlan(image=settings.image, command=KEEP_ALIVE, environment={}, labels=b"", emptydirs=(), warnings=())


def _refusals(options: RunOptions) -> list[str]:
    refusals = [
        f"environment variable {name!r}: no system allows that name"
        for name in options.env or {}
        if not name or "=" in name or "\0" in name
    ]
    if options.privileged:
        refusals.append("privileged: Container Instances runs no privileged containers, so no Docker in Docker either")
    return refusals


def _warnings(options: RunOptions, labels: dict[str, str]) -> list[str]:
    # Most images that ask for these want a debugger to work; all else in them runs, so they are not refused.
    warnings = [
        f"{field} {value}: Container Instances grants no such thing, so what needs it will fail"
        for field, values in (("capAdd", options.cap_add), ("securityOpt", options.security_opt))
        for value in values or ()
    ]
    warnings += [f"run option {name}: unknown to this version, so it has no effect" for name in options.unknown]
    own = labels.get(USER_LABEL, "") or "root"
    dockerless = "DOCKERLESS" in (options.env or {})  # its image runs as root, the label is of the image to be built
    if options.user and options.user != own and not dockerless:
        warnings.append(
            f"user {options.user}: Container Instances starts the main process as the image's own user ({own}); "
            "sessions get the right user all the same"
        )
    if options.cmd and not options.entrypoint:
        warnings.append("cmd: Container Instances runs it in place of the image's entrypoint, not as its arguments")
    warnings += [
        f"environment variable {name}: Azure documents only letters, digits and _, up to 63, and may refuse it"
        for name in options.env or {}
        if not _ENVIRONMENT_NAME.fullmatch(name)
    ]
    return warnings
