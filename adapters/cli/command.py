"""command: run something in the container with its stdin, stdout, stderr and exit status intact."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

import click

from adapters.cli.compose import Session, ca_file, session
from adapters.tunnel import CommandSpec
from statemachine import events as e
from statemachine.errors import OptionError, ProviderError
from statemachine.fold import Workspace
from statemachine.lifecycle import close_command, failure_of, open_command

PURPOSES: Final = (
    ("helper ssh-server", "ssh-server"),
    ('echo "ping"', "inject"),
    ("agent container setup", "setup"),
    ("agent workspace", "workspace"),
)
"""Words in the texts DevPod sends (pkg/inject, pkg/agent) and what they are there for."""

LOOKS_FOR_AGENT: Final = ('echo "ping"', "INSTALL_DIR=")
"""Words in the script that looks for the agent, whatever it goes on to do (pkg/inject/inject.sh)."""


@click.command()
def command() -> int:
    """Run COMMAND (or DEVCONTAINER_COMMAND as DEVCONTAINER_USER) in the container; exits as it does."""
    current = session()
    text, user = _asked(current.environ)
    purpose = next((purpose for words, purpose in PURPOSES if words in text), "")
    return recorded(current, text, user, purpose, CommandSpec(command=_prepared(current, text), user=user))


def _prepared(current: Session, text: str) -> str:
    """What DevPod sends, with what we know to do before it."""
    if not all(words in text for words in LOOKS_FOR_AGENT):
        return text
    from adapters.cli.agent import awaiting_agent

    return awaiting_agent(current, text)


def recorded(current: Session, text: str, user: str, purpose: str, spec: CommandSpec) -> int:
    """Run ``spec``, which is what becomes of ``text``, between its CommandOpened and its CommandClosed."""
    identifier = str(uuid4())
    raw = os.fsencode(text)

    def opened(_workspace: Workspace) -> e.CommandOpened:
        return e.CommandOpened(
            owner=current.world.processes.me(),
            command=identifier,
            user=user,
            sha256=hashlib.sha256(raw).hexdigest(),
            size=len(raw),
            purpose=purpose,
        )

    workspace = open_command(current.subject, current.world, opened)
    try:
        status = _through_tunnel(current, workspace, spec)
    except ProviderError as error:
        _close(current, e.CommandClosed(command=identifier, reason="failed", failure=failure_of(error)))
        raise
    _close(current, e.CommandClosed(command=identifier, exit_status=status))
    return status


def _asked(environ: Mapping[str, str]) -> tuple[str, str]:
    container = bool(environ.get("DEVCONTAINER_ID"))
    name = "DEVCONTAINER_COMMAND" if container else "COMMAND"
    text = environ.get(name, "")
    if not text:
        raise OptionError(name, "no command was given", remedy="Run the verb through DevPod, or set the variable.")
    return text, environ.get("DEVCONTAINER_USER", "") if container else ""


def _through_tunnel(current: Session, workspace: Workspace, spec: CommandSpec) -> int:
    socket = _socket(current, workspace)
    if socket:
        from adapters.cli.sockets import spawn_holder
        from adapters.tunnel import run_through_holder

        return run_through_holder(
            spec,
            socket,
            spawn=lambda: spawn_holder(current, socket),
            stdin=0,
            stdout=1,
            stderr=2,
            on_event=current.trace,
            say=current.say,
            idle_seconds=current.settings.tunnel_idle,
        )
    from adapters.cli.opener import Opener
    from adapters.tunnel import Tuning, run_command

    trusted = ca_file(current.environ)
    return run_command(
        spec,
        Opener(current.groups, current.group(workspace), ca_file=trusted),
        stdin=0,
        stdout=1,
        stderr=2,
        ca_file=trusted,
        on_event=current.trace,
        # The container cannot tell whether we were killed or only disconnected, and without a holder nobody resumes.
        tuning=Tuning(
            resume=min(Tuning.resume, current.settings.tunnel_resume),
            compress=current.settings.tunnel_compression,
        ),
    )


def _socket(current: Session, workspace: Workspace) -> Path | None:
    """Where the container's holder is, or would be."""
    if os.name != "posix":
        return None
    from adapters.cli.sockets import holder_socket

    return holder_socket(current, workspace)


def _close(current: Session, closed: e.CommandClosed) -> None:
    """Record the end; a log that cannot be written then must not change the command's own result."""
    try:
        close_command(current.subject, current.world, closed)
    except ProviderError as error:
        current.say(f"warning: the end of this command is not in the log: {error}")
