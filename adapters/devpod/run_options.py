"""DEVCONTAINER_RUN_OPTIONS: what DevPod wants the dev container to be."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from statemachine.errors import RunOptionsError
from statemachine.secret import Secret

VARIABLE: Final = "DEVCONTAINER_RUN_OPTIONS"


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One mount, as ``docker run --mount`` has it."""

    type: str = ""
    source: str = ""
    target: str = ""
    external: bool = False
    other: list[str] | None = None


class RunOptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything DevPod may ask for; field by field the struct it writes."""

    uid: str = ""
    image: str = ""
    user: str = ""
    entrypoint: str = ""
    cmd: list[str] | None = None
    env: dict[str, Secret] | None = None
    cap_add: list[str] | None = None
    security_opt: list[str] | None = None
    labels: list[str] | None = None
    """Each ``name=value``."""
    privileged: bool | None = None
    workspace_mount: Mount | None = None
    mounts: list[Mount | None] | None = None
    unknown: tuple[str, ...] = ()
    """Names of fields a newer DevPod sent, which have no effect; DevPod itself sends no field of this name."""


_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(RunOptions)) - {"unknown"}


def parse_run_options(text: str) -> RunOptions:
    """The run options in ``text``. Raises RunOptionsError; its message never quotes an environment value."""
    if not text.strip():
        raise RunOptionsError(f"{VARIABLE} is not set")
    try:
        found = msgspec.json.decode(text, type=dict[str, msgspec.Raw] | None)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise RunOptionsError(f"{VARIABLE} is no JSON object: {error}") from None
    if found is None:
        # What DevPod sends to drivers that say they can reprovision; our manifests say we cannot.
        raise RunOptionsError(f"{VARIABLE} is null: this provider cannot reprovision a container")
    known = {name: value for name, value in found.items() if name in _KNOWN}
    try:
        options = msgspec.json.decode(msgspec.json.encode(known), type=RunOptions, dec_hook=_secret)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RunOptionsError(f"{VARIABLE} is not what DevPod documents: {error}") from None
    if not options.image:
        raise RunOptionsError(f"{VARIABLE} names no image")
    return msgspec.structs.replace(options, unknown=tuple(sorted(set(found) - _KNOWN)))


def _secret(kind: type, value: Any) -> Secret:  # Any: msgspec's own signature for this hook
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise ValueError("Expected `str`")


def labels_document(labels: list[str]) -> bytes:
    """The labels as one canonical JSON object; a later label of the same name wins, as with Docker."""
    return msgspec.json.encode(dict(_label(label) for label in labels), order="sorted")


def _label(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def labels_of(document: bytes) -> dict[str, str]:
    """The labels in a document made by ``labels_document``; none in an empty one. Raises RunOptionsError."""
    if not document:
        return {}
    try:
        return msgspec.json.decode(document, type=dict[str, str])
    except (msgspec.DecodeError, RecursionError) as error:
        raise RunOptionsError(f"the kept labels are damaged: {error}", remedy="Recreate the workspace.") from None
