"""Ending a dev container, and its bill, when nobody has used it for a while.

DevPod up to 0.6 watches for that from a second process, which ends the container's first one; the manifest
asks for it. In later versions that second process ends only itself, but the first one is the same program by
then and can be told to watch by an environment variable. What is here serves both.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

import msgspec

from statemachine.secret import Secret

VARIABLE: Final = "DEVPOD_WORKSPACE_DAEMON_CONFIG"
"""Where DevPod's container daemon looks for its configuration: base64 of JSON."""

WRAPPER: Final = """\
main= told=
trap 'told=1; [ -z "$main" ] || kill -TERM "$main"' TERM INT
"$@" & main=$!
[ -z "$told" ] || kill -TERM "$main"
wait "$main"
wait "$main"
exit 0"""
"""The later daemon ends with status 1 when idle, which Azure takes for a crash worth a restart: make it 0."""


class Watched(msgspec.Struct, frozen=True):
    """A container's main process that ends when idle, where that can be had."""

    command: tuple[str, ...]
    environment: dict[str, Secret]
    warnings: tuple[str, ...] = ()


def ending_when_idle(command: tuple[str, ...], environment: Mapping[str, Secret], timeout: float) -> Watched:
    """The command and environment that end the container after ``timeout`` seconds without a session."""
    kept = dict(environment)
    if not timeout:
        return Watched(command, kept)
    obstacle = _obstacle(command, environment)
    if obstacle:
        return Watched(command, kept, (f"INACTIVITY_TIMEOUT: has no effect on this workspace, {obstacle}",))
    config = base64.b64encode(msgspec.json.encode({"timeout": f"{timeout:.0f}s"})).decode()
    return Watched(("/bin/sh", "-c", WRAPPER, "sh", *command), {**kept, VARIABLE: Secret(config)})


def _obstacle(command: tuple[str, ...], environment: Mapping[str, Secret]) -> str:
    if not command or command[0] != "/bin/sh":
        return "whose main process is not DevPod's"
    if VARIABLE in environment:
        return "whose DevPod daemon is configured by DevPod's platform"
    return ""
