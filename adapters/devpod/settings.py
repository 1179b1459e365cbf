"""What the user's options add up to, read from the environment DevPod hands over and checked whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

import msgspec

from adapters.devpod import values as v
from adapters.devpod.option import Mode, Option
from adapters.devpod.options import BY_NAME, TABLE
from statemachine.errors import OptionError, UnsupportedError
from statemachine.secret import MASK, Secret

_NEVER: Final = 8760 * 3600
"""Seconds of idleness that mean never: a year."""
_SHOWN: Final = 80
"""Characters of a bad value that a message quotes."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """How to sign in to Azure from the user's computer."""

    mode: str
    """``auto``, ``cli``, ``service-principal`` or ``managed-identity``."""
    tenant: str = ""
    client_id: str = ""
    client_secret: Secret = Secret("")
    identity_client_id: str = ""
    """Which user-assigned managed identity of this computer; empty for its system-assigned one."""


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """How the container group signs in to a private registry: by identity, or by user name and password."""

    server: str
    identity: str = ""
    """ARM resource ID of a user-assigned managed identity."""
    username: str = ""
    password: Secret = Secret("")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every option's value, checked. Durations are seconds."""

    mode: Mode | None
    """None where a call is about no workspace, as ``init`` is."""
    subscription: str
    resource_group: str
    region: str
    credentials: Credentials
    authority_host: str
    resource_manager_url: str
    cpu: float
    memory_gb: float
    restart_policy: str
    image: str
    """The machine's image; a dev container's own image is in its run options."""
    ports: tuple[int, ...]
    dns_label: str
    identity: str
    """ARM resource ID of the managed identity the container group gets; empty for none."""
    registry: Registry | None
    agent_path: str
    agent_fetch: bool
    agent_url: str
    """Empty for where DevPod itself looks."""
    agent_sha256: str
    """Empty for what the user's own DevPod hashes to."""
    inactivity_timeout: float
    """0 for never."""
    operation_timeout: float
    tunnel_idle: float
    """How long a holder keeps its connection without a command; with 0 it ends with the last one."""
    tunnel_resume: float
    """How long both ends keep what broke."""
    tunnel_compression: bool
    event_log_segment: int
    """Bytes."""


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """One option as it stands, for people to read."""

    name: str
    value: str
    """Masked for a secret."""
    origin: str
    """``environment``, ``default`` or ``unset``."""
    group: str
    note: str = ""
    """What is wrong with the value, or why it has no effect."""


def parse(environ: Mapping[str, str], mode: Mode | None) -> Settings:
    """The settings in an environment; an empty variable counts as unset, as DevPod means it.

    Raises OptionError for the first option that is missing or malformed, UnsupportedError for the first one
    that asks for what this version does not do.
    """
    texts = {option.name: environ.get(option.name, "") or option.default_in(mode) for option in TABLE}
    for option in TABLE:
        _check(option, texts[option.name])
    for option in TABLE:
        _check_effect(option, environ.get(option.name, ""), mode)
    credentials = _credentials(texts)
    registry = _registry(texts)
    if texts["ACI_DNS_LABEL"] and not texts["ACI_PORTS"]:
        raise OptionError("ACI_PORTS", "is needed for ACI_DNS_LABEL: without an open port there is no public address")
    return Settings(
        mode=mode,
        subscription=texts["AZURE_SUBSCRIPTION_ID"].lower(),
        resource_group=texts["AZURE_RESOURCE_GROUP"],
        region=texts["AZURE_REGION"],
        credentials=credentials,
        authority_host=v.endpoint(texts["AZURE_AUTHORITY_HOST"]),
        resource_manager_url=v.endpoint(texts["AZURE_RESOURCE_MANAGER_URL"]),
        cpu=v.cpu(texts["ACI_CPU_CORES"]),
        memory_gb=v.memory(texts["ACI_MEMORY_GB"]),
        restart_policy=texts["ACI_RESTART_POLICY"],
        image=texts["WORKSPACE_IMAGE"],
        ports=v.ports(texts["ACI_PORTS"]) if texts["ACI_PORTS"] else (),
        dns_label=texts["ACI_DNS_LABEL"],
        identity=texts["USER_ASSIGNED_IDENTITY_RESOURCE_ID"],
        registry=registry,
        agent_path=texts["AGENT_PATH"],
        agent_fetch=v.boolean(texts["ACI_AGENT_FETCH"]),
        agent_url=texts["ACI_AGENT_URL"],
        agent_sha256=texts["ACI_AGENT_SHA256"],
        inactivity_timeout=_inactivity(texts, mode),
        operation_timeout=v.duration(texts["ACI_OPERATION_TIMEOUT"]),
        tunnel_idle=v.duration(texts["ACI_TUNNEL_IDLE"]),
        tunnel_resume=v.up_to_a_day(texts["ACI_TUNNEL_RESUME"]),
        tunnel_compression=v.boolean(texts["ACI_TUNNEL_COMPRESSION"]),
        event_log_segment=v.segment(texts["ACI_EVENT_LOG_SEGMENT"]),
    )


def segment_in(environ: Mapping[str, str]) -> int:
    """Bytes from which on the event log's file is sealed, for verbs that need no other option. Raises OptionError."""
    option = BY_NAME["ACI_EVENT_LOG_SEGMENT"]
    text = environ.get(option.name, "") or option.default
    _check(option, text)
    return v.segment(text)


def resolved(environ: Mapping[str, str], mode: Mode | None) -> list[Resolved]:
    """Every option with its value, where the value came from and what is wrong with it. Raises nothing."""
    rows = [_resolve(option, environ, mode) for option in TABLE]
    if any(row.note for row in rows):
        return rows
    # Each by itself is right; what they add up to may not be.
    try:
        parse(environ, mode)
    except OptionError as error:
        return [msgspec.structs.replace(row, note=error.message) if row.name == error.option else row for row in rows]
    return rows


def _resolve(option: Option, environ: Mapping[str, str], mode: Mode | None) -> Resolved:
    given = environ.get(option.name, "")
    text = given or option.default_in(mode)
    note = ""
    try:
        _check(option, text)
        _check_effect(option, given, mode)
    except (OptionError, UnsupportedError) as error:
        note = error.message
    return Resolved(
        name=option.name,
        value=MASK if option.password and text else text,
        origin="environment" if given else "default" if text else "unset",
        group=option.group,
        note=note,
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _check(option: Option, text: str) -> None:
    if not text:
        if option.required:
            raise OptionError(option.name, f"is required: {option.description}")
        return
    wrong = ""
    if option.enum and text not in option.enum:
        wrong = "is not one of the choices"
    elif option.pattern and not _compiled(option.pattern).fullmatch(text):
        wrong = "is malformed"
    elif option.check is not None:
        try:
            option.check(text)
        except ValueError as error:
            wrong = str(error)
    if wrong:
        quoted = "the value" if option.password else repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
        expected = option.expected or " or ".join(option.enum)
        raise OptionError(option.name, f"{quoted} {wrong}, expected {expected}")


def _check_effect(option: Option, given: str, mode: Mode | None) -> None:
    if not given or given == option.harmless:
        return
    if option.refusal:
        raise UnsupportedError(f"option {option.name}: {option.refusal}", remedy="Leave it empty.")
    if given in option.not_yet:
        others = " or ".join(choice for choice in option.enum if choice not in option.not_yet)
        raise UnsupportedError(f"option {option.name}: this version does not do {given} yet", remedy=f"Use {others}.")
    if mode is not None and mode not in option.modes:
        raise OptionError(
            option.name,
            f"has no effect in {mode} mode, only in {' and '.join(option.modes)} mode",
            remedy="Unset it, or use the other provider manifest.",
        )


def _credentials(texts: Mapping[str, str]) -> Credentials:
    mode = texts["AZURE_AUTH_MODE"]
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
    # A tenant alone is no half of a service principal: the Azure CLI can be held to a tenant as well.
    begun = bool(texts["AZURE_CLIENT_ID"] or texts["AZURE_CLIENT_SECRET"])
    if mode == "service-principal" or (mode == "auto" and begun):
        for name in names:
            if not texts[name]:
                raise OptionError(
                    name,
                    f"is missing: a service principal needs {', '.join(names)}",
                    remedy="Set it with `devpod provider set-options`; DevPod hides variables of these names that "
                    "are only exported in the shell.",
                )
    return Credentials(
        mode=mode,
        tenant=texts["AZURE_TENANT_ID"],
        client_id=texts["AZURE_CLIENT_ID"],
        client_secret=Secret(texts["AZURE_CLIENT_SECRET"]),
        identity_client_id=texts["AZURE_IDENTITY_CLIENT_ID"],
    )


def _inactivity(texts: Mapping[str, str], mode: Mode | None) -> float:
    name = "INACTIVITY_TIMEOUT"
    seconds = v.inactivity(texts[name])
    if mode == "machine" and not seconds:
        raise OptionError(name, "is 0, at which DevPod ends a machine at once; use 8760h for never")
    if mode is not None and 0 < seconds < _NEVER and texts["ACI_RESTART_POLICY"] == "Always":
        raise OptionError(
            name,
            f"{texts[name]} has no effect with ACI_RESTART_POLICY Always: Azure would start the container again",
            remedy="Set ACI_RESTART_POLICY to Never.",
        )
    return seconds


def _registry(texts: Mapping[str, str]) -> Registry | None:
    server, mode = texts["ACR_SERVER"], texts["ACR_AUTH_MODE"]
    account = ("ACR_USERNAME", "ACR_PASSWORD")
    given = [name for name in account if texts[name]]
    if not server:
        useless = [*given, *(["ACR_AUTH_MODE"] if mode == "UsernamePassword" else [])]
        if useless:
            raise OptionError("ACR_SERVER", f"is missing: {useless[0]} has no effect without it")
        return None
    if mode == "UsernamePassword":
        for name in account:
            if name not in given:
                raise OptionError(name, "is missing: ACR_AUTH_MODE is UsernamePassword")
        return Registry(server=server, username=texts["ACR_USERNAME"], password=Secret(texts["ACR_PASSWORD"]))
    if given:
        raise OptionError(
            given[0],
            f"has no effect while ACR_AUTH_MODE is {mode}",
            remedy="Unset it, or set ACR_AUTH_MODE to UsernamePassword.",
        )
    identity = texts["USER_ASSIGNED_IDENTITY_RESOURCE_ID"]
    if not identity:
        raise OptionError(
            "USER_ASSIGNED_IDENTITY_RESOURCE_ID",
            f"is missing: the container group pulls from {server} with it",
            remedy="Set it, or set ACR_AUTH_MODE to UsernamePassword.",
        )
    if ".azurecr." not in server:
        raise OptionError(
            "ACR_SERVER",
            f"{server!r} is no Azure Container Registry, and only those accept a managed identity",
            remedy="Set ACR_AUTH_MODE to UsernamePassword.",
        )
    return Registry(server=server, identity=identity)
