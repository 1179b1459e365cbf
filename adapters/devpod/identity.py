"""Which workspace a call is about, and the names everything of it has in Azure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.devpod.option import Mode
from statemachine.errors import OptionError

CONTAINER: Final = "devcontainer"
TAG_PROVIDER: Final = "devpod-provider"
TAG_SUBJECT: Final = "devpod-workspace"
TAG_MODE: Final = "devpod-mode"
TAG_UID: Final = "devpod-uid"
TAG_NAME: Final = "devpod-name"
TAG_CREATOR: Final = "devpod-created-by"

NOT_A_SUBJECT: Final = "log"
"""The event log keeps what it says of itself under this name: a workspace of it would be in no list and no sum."""

_TAG_VALUE: Final = 256
"""Azure's limit, in characters."""
_NAME: Final = 63
_SLUG: Final = _NAME - len("devpod-") - len("-01234567")
_NOT_IN_A_NAME: Final = re.compile(r"[^0-9a-z]+")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One workspace or machine."""

    mode: Mode
    id: str
    """What DevPod calls it: DEVCONTAINER_ID or MACHINE_ID."""
    context: str
    """DevPod's context; empty for the default one."""
    name: str
    """What its user calls it, where that is not ``id``; else empty."""
    subject: str
    """Its name in the event log."""
    group_name: str
    container_name: str
    tags: dict[str, str]


def target(environ: Mapping[str, str], *, creator: str = "") -> Target:
    """The workspace named by DEVCONTAINER_ID, else the machine named by MACHINE_ID.

    ``creator`` (user@host) goes into a tag. Raises OptionError when neither variable is set,
    and for a name that no workspace can have.
    """
    for mode, variable, context_variable in _VARIABLES:
        identifier = environ.get(variable, "")
        if identifier:
            context = environ.get(context_variable, "")
            if not (context + identifier).isprintable():
                raise OptionError(variable, f"{identifier!r} in context {context!r} is no name DevPod gives")
            if identifier == NOT_A_SUBJECT and context in ("", "default"):
                raise OptionError(
                    variable,
                    f"{identifier!r} is what the event log calls its own events",
                    remedy="Give the workspace another name.",
                )
            return _target(mode, identifier, "" if context == "default" else context, environ, creator)
    raise OptionError(
        "DEVCONTAINER_ID",
        "neither it nor MACHINE_ID is set, so there is no workspace to act on",
        remedy="Run the verb through DevPod; `shell`, `logs`, `status`, `stop` and `delete` also take --workspace.",
    )


def variables_of(subject: str, group: str) -> dict[str, str]:
    """The variables from which ``target`` makes that subject, of the mode that gave its container group that name."""
    context, _, identifier = subject.rpartition("/")
    unset = {name: "" for _, *names in _VARIABLES for name in names}
    of_mode = (names for mode, *names in _VARIABLES if group_name(subject, mode) == group)
    variable, context_variable = next(of_mode, _VARIABLES[0][1:])
    return unset | {variable: identifier, context_variable: context}


_VARIABLES: Final[tuple[tuple[Mode, str, str], ...]] = (
    ("devcontainer", "DEVCONTAINER_ID", "WORKSPACE_CONTEXT"),
    ("machine", "MACHINE_ID", "MACHINE_CONTEXT"),
)


def _target(mode: Mode, identifier: str, context: str, environ: Mapping[str, str], creator: str) -> Target:
    subject = f"{context}/{identifier}" if context else identifier
    name = _tag_value(environ.get("WORKSPACE_ID", "")) if mode == "devcontainer" else ""
    tags = {
        TAG_PROVIDER: "aci",
        TAG_SUBJECT: subject,
        TAG_MODE: mode,
        TAG_UID: environ.get("WORKSPACE_UID", ""),
        TAG_NAME: environ.get("WORKSPACE_ID", "") or identifier,
        TAG_CREATOR: creator,
    }
    return Target(
        mode=mode,
        id=identifier,
        context=context,
        name="" if name == identifier else name,
        subject=subject,
        group_name=group_name(subject, mode),
        container_name=CONTAINER,
        tags={name: _tag_value(value) for name, value in tags.items() if value},
    )


def group_name(subject: str, mode: Mode) -> str:
    """The container group's name: readable, a legal one whatever the subject, and always the same."""
    digest = hashlib.sha256(f"{mode}:{subject}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    slug = _NOT_IN_A_NAME.sub("-", subject.lower()).strip("-")[:_SLUG].strip("-")
    return f"devpod-{slug}-{digest}" if slug else f"devpod-{digest}"


def _tag_value(text: str) -> str:
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable[:_TAG_VALUE]
