"""Everything that can be set, with its default: one typed tree, presets over it.

Each option is reachable from the command line (``--set exec.cap=10``), from
``running_emulator(exec={"cap": 10})`` and, for the sections ``exec``, ``link``, ``timings``, ``control`` and
``limits``, at run time through the control API. ``docs/emulator.md`` explains the choices.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

T = TypeVar("T", bound="_Section")


LOCATIONS = (
    "eastus",
    "eastus2",
    "westus",
    "westus2",
    "westeurope",
    "northeurope",
    "germanywestcentral",
    "uksouth",
    "southeastasia",
)


class _Section(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A part of the settings; an unknown name is refused, so a typing error is no silent default."""


class Timings(_Section):
    """How long things take, in seconds. The defaults are those of the ``fast`` preset."""

    pending: float = 0.2
    provision: float = 0.8
    window: float = 0.5
    stop: float = 0.2
    stop_grace: float = 0.0
    restart: float = 0.5
    delete: float = 0.2
    registration: float = 0.5
    resource_group_delete: float = 0.3
    resource_group_retry_after: int = 1
    provisioning_timeout: float = 1800.0
    backoff_first: float = 1.0
    backoff_most: float = 300.0
    eventual_404: float = 0.0


class Control(_Section):
    """What the control plane does where Azure is free, or unknown."""

    start_unregistered: bool = False
    delete_async: bool = False
    stop_readback: Literal["terminated", "vanished", "bare"] = "terminated"
    operation_padding: int = 1800
    token_lifetime: int = 3599
    invalid_update_code: str = "InvalidContainerGroupUpdate"
    journal: int = 20000
    throttle_per_5min: int = 100
    throttle_per_hour: int = 300
    throttle_status: bool = False
    ip_prefix: str = "127.77"


class Limits(_Section):
    """Quotas and sizes; ``0`` turns a quota off."""

    groups: int = 100
    standard_cores: float = 100
    spot_cores: float = 10
    max_cpu: float = 31
    max_memory: float = 240
    spot_max_cpu: float = 4
    spot_max_memory: float = 16
    cpu_step: float = 0.01
    memory_step: float = 0.1
    containers: int = 60
    volumes: int = 20
    ports: int = 5
    environment_bytes: int = 32768
    taken_dns_labels: list[str] = []
    locations: list[str] = msgspec.field(default_factory=lambda: list(LOCATIONS))


class Exec(_Section):
    """The exec front end; changeable at run time."""

    # Requests
    front_end: Literal["atlas", "bridge"] = "atlas"
    argv: Literal["whole", "split", "shell"] = "whole"
    command_length: int = 256
    cap: int = 5
    cap_status: Literal[409, 429] = 409
    credential_lifetime: float = 60.0
    separate_port: bool = True
    blocked: Literal["", "refused", "silent"] = ""
    size: tuple[int, int] | None = None
    start_delay: float = 0.0
    lose_early: bool = False
    ended: Literal["close", "text", "hang"] = "close"
    # Framing
    greeting: bool = True
    text_frames: bool = False
    rechunk: bool = True
    max_message: int = 65536
    truncate_input: int = 0
    max_output_frame: int = 0
    swallow_eom: bool = False
    # Bytes
    utf8_lossy: Literal["", "in", "out", "both"] = ""
    seven_bit: Literal["", "in", "out", "both"] = ""
    eat: str = ""
    eat_direction: Literal["in", "out", "both"] = "both"
    echo: Literal["", "doubled", "delayed"] = ""
    echo_delay: float = 0.2
    # Time
    idle_cut: float = 600.0
    absolute_cut: float = 0.0
    pings_count: bool = False
    cut_mode: Literal["abort", "close", "silent"] = "abort"
    # Ends
    abrupt_close: float = 0.1
    bye: bool = False
    orphan: bool = False
    # Drops
    drop_after: int = 0
    drop_count: int = 0
    drop_direction: Literal["in", "out", "both"] = "both"
    drop_mode: Literal["reset", "close", "silent", "stall"] = "reset"
    drop_silent: float = 60.0


class Link(_Section):
    """The line to the cloud; changeable at run time when the emulator was started with one."""

    enabled: bool = False
    rtt_ms: float = 0.0
    mbit: float = 0.0
    buffer: int = 262144


class Principal(_Section):
    """A service principal or managed identity that may ask for tokens."""

    client_id: str
    secret: str = ""
    object_id: str = ""
    name: str = "emulator-principal"
    denied: list[str] = []
    allowed: list[str] = msgspec.field(default_factory=lambda: ["*"])
    managed: bool = False


def _service_principal() -> Principal:
    return Principal(
        client_id="11111111-0000-4000-8000-e41a7c0de003",
        object_id="22222222-0000-4000-8000-e41a7c0de004",
    )


class Registry(_Section):
    """A private registry: images below ``server`` need these credentials."""

    server: str
    username: str = ""
    password: str = ""
    identity: str = ""


class Image(_Section):
    """An image the emulator can run.

    ``rootfs`` is a folder, a tarball, or ``/`` for the host's own files. ``writable`` are the folders a container gets
    fresh, so that they can be written whatever ``read_only`` says; of all writable ones, ``noexec`` names those from
    which nothing can be executed.
    """

    name: str
    rootfs: str = "/"
    user: str = "0"
    workdir: str = "/"
    entrypoint: list[str] = []
    cmd: list[str] = msgspec.field(default_factory=lambda: ["/bin/sh"])
    env: dict[str, str] = {}
    read_only: bool = False
    writable: list[str] = msgspec.field(default_factory=lambda: ["/tmp", "/dev", "/dev/shm"])  # noqa: S108 - a container's
    noexec: list[str] = []
    os: Literal["Linux", "Windows"] = "Linux"
    arch: str = "amd64"
    pull_seconds: float = 0.0


class Settings(_Section):
    """The whole tree."""

    host: str = "127.0.0.1"
    port: int = 0
    isolation: Literal["auto", "namespaces", "process"] = "auto"
    disk: str = "50%"
    seed: int = 0
    tenant_id: str = "72f988bf-0000-4000-8000-e41a7c0de001"
    subscription_id: str = "00000000-0000-4000-8000-e41a7c0de002"
    region: str = "westeurope"
    imds: bool = False
    imds_port: int = 0
    principals: list[Principal] = msgspec.field(default_factory=lambda: [_service_principal()])
    resource_groups: dict[str, str] = {}
    registries: list[Registry] = []
    images: list[Image] = []
    shares: dict[str, str] = {}
    timings: Timings = msgspec.field(default_factory=Timings)
    control: Control = msgspec.field(default_factory=Control)
    limits: Limits = msgspec.field(default_factory=Limits)
    exec: Exec = msgspec.field(default_factory=Exec)
    link: Link = msgspec.field(default_factory=Link)


# instant: unit tests of clients. fast: a demo in a minute. strict: what the reference says.
PRESETS: dict[str, dict[str, Any]] = {
    "instant": {
        "timings": {
            "pending": 0.0,
            "provision": 0.02,
            "window": 0.0,
            "stop": 0.0,
            "restart": 0.02,
            "delete": 0.0,
            "registration": 0.05,
            "resource_group_delete": 0.02,
            "resource_group_retry_after": 0,
            "backoff_first": 0.1,
            "backoff_most": 1.0,
        },
        "exec": {"abrupt_close": 0.0},
    },
    "fast": {},
    "strict": {
        "timings": {
            "pending": 2.0,
            "provision": 9.0,
            "window": 10.0,
            "stop": 1.0,
            "restart": 5.0,
            "delete": 4.0,
            "registration": 20.0,
            "resource_group_delete": 5.0,
            "resource_group_retry_after": 15,
            "backoff_first": 10.0,
            "eventual_404": 1.0,
        },
        "control": {"throttle_status": True},
        "exec": {"abrupt_close": 0.25},
    },
}


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``base``, table by table; lists are replaced."""
    result = dict(base)
    for name, value in over.items():
        known = result.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            result[name] = merge(known, value)
        else:
            result[name] = value
    return result


def build(preset: str = "fast", options: dict[str, Any] | None = None) -> Settings:
    """The settings of a preset with ``options`` laid over; raises ``msgspec.ValidationError``."""
    return msgspec.convert(merge(PRESETS[preset], options or {}), Settings)


def changed(section: T, options: dict[str, Any]) -> T:
    """A copy of one section with some options replaced, checked."""
    return msgspec.convert(merge(msgspec.to_builtins(section), options), type(section))


def dotted(assignments: list[str]) -> dict[str, Any]:
    """``["exec.cap=10", "region=eastus"]`` as a tree; values are JSON where they parse as such."""
    tree: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"{assignment!r} is not NAME=VALUE")
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            value = text
        for name in reversed(path.split(".")):
            value = {name: value}
        tree = merge(tree, value)
    return tree
