"""Where the tunnel's holders listen, and how they are started and stopped.

A holder belongs to one incarnation of one container of one user: its socket's name is made of all of that.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from adapters.cli.compose import Session
from adapters.cli.host import user
from adapters.cli.polls import forget
from statemachine.errors import TunnelError
from statemachine.fold import Workspace

NOT_FOR_HOLDERS: Final = frozenset({"COMMAND", "DEVCONTAINER_COMMAND", "DEVCONTAINER_USER", "DEVCONTAINER_RUN_OPTIONS"})
"""A holder serves many commands; what one of them was asked does not outlive it."""


def runtime_folder() -> Path:
    """A private folder with a short path (a socket's may have 107 bytes), made when it is not there."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(base) / "devpod-provider-aci" if base else Path(f"/tmp/devpod-provider-aci-{user()}")  # noqa: S108  # checked below
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise TunnelError(
            f"{folder} is not private to you", remedy="Remove it, or set XDG_RUNTIME_DIR to a folder that is."
        )
    return folder


def holder_socket(session: Session, workspace: Workspace) -> Path:
    """The socket of the holder for this container as it runs now."""
    started = workspace.started.isoformat() if workspace.started else ""
    return runtime_folder() / f"{_stem(session)}-{_digest(started, repr(session.group(workspace)))}.sock"


def spawn_holder(session: Session, socket: Path) -> Callable[[], str | None]:
    """Start a holder that outlives this process and shares none of its streams: DevPod waits for those to close.

    Gives a function that tells what a holder that failed said.
    """
    environ = {name: value for name, value in session.environ.items() if name not in NOT_FOR_HOLDERS}
    errors = socket.with_suffix(".err")
    with os.fdopen(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "adapters.cli", "tunnel-holder", str(socket)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            close_fds=True,
            cwd="/",
            env=environ,
        )

    def ended() -> str | None:
        if not process.poll():
            return None
        said = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return said[-1] if said else f"exit status {process.returncode}"

    return ended


def stop_holders(session: Session) -> None:
    """End every holder of this workspace: their container is about to go."""
    if os.name != "posix":
        return
    sockets = list(runtime_folder().glob(f"{_stem(session)}-*.sock"))
    if not sockets:
        return
    from adapters.tunnel import stop_holder

    for socket in sockets:
        stop_holder(socket)
        socket.with_suffix(".err").unlink(missing_ok=True)
        forget(socket)


def _stem(session: Session) -> str:
    settings = session.settings
    return _digest(session.subject, session.target.mode, settings.subscription, settings.resource_manager_url)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
