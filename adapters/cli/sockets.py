"""Where the tunnel's holders listen, and how they are started and stopped.

A holder belongs to one incarnation of one container of one user: its socket's name is made of all of that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from adapters.cli.compose import Session
from adapters.cli.host import is_folder
from adapters.cli.opener import PLACE
from statemachine.fold import Workspace

NOT_FOR_HOLDERS: Final = frozenset(
    {
        "COMMAND",
        "DEVCONTAINER_COMMAND",
        "DEVCONTAINER_USER",
        "DEVCONTAINER_RUN_OPTIONS",
        "ACR_SERVER",
        "ACR_AUTH_MODE",
        "ACR_USERNAME",
        "ACR_PASSWORD",
        "DEVPOD_AGENT_URL",
    }
)
"""A holder serves many commands; what one of them was asked does not outlive it, nor do secrets it has no use for."""

SIGN_INS: Final = ("AZURE_CONFIG_DIR", "IDENTITY_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST")
"""Variables of others that decide as whom the CLI or a managed identity signs in."""

PATH_MOST: Final = 107 if sys.platform == "linux" else 103
"""Bytes of a socket's path (sockaddr_un), the final NUL apart."""
NAME: Final = len("0123456789abcdef-0123456789abcdef.sock")
FILES: Final = 4
"""Files that a holder has in its folder."""


def runtime_folder() -> Path | None:
    """A private folder whose path is short enough, made where it is missing.

    The first of several places that serves: a runtime folder may be another user's (after `su`), gone, full, or too
    long for a socket's path, and in /tmp anybody can be first. None where no place does: then there are no holders.
    """
    return next((folder for folder in _places() if _serves(folder) and _has_room(folder)), None)


def _places() -> Iterator[Path]:
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    for base in (given, f"/run/user/{os.getuid()}"):
        if base and is_folder(Path(base)):
            yield Path(base) / "devpod-provider-aci"
    yield Path(f"/tmp/devpod-provider-aci-{os.getuid()}")  # noqa: S108  # it is looked at before it is used
    with contextlib.suppress(RuntimeError):  # a user may have no home
        yield Path.home() / ".cache" / "devpod-provider-aci"


def _serves(folder: Path) -> bool:
    if len(os.fsencode(folder)) + 1 + NAME > PATH_MOST or not _stays_put(folder):
        return False
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    private = found.st_uid == os.getuid() and not found.st_mode & 0o077
    return private and folder.is_dir() and os.access(folder, os.W_OK)


def _stays_put(folder: Path) -> bool:
    """Whether nobody else can put another folder, or a link, in the place of this one once it has been looked at.

    With ``su`` and ``sudo`` the runtime folder and the home may be another user's, and ours in it theirs to move.
    """
    system = {0, os.getuid(), Path("/").stat().st_uid}  # in a user namespace root may be somebody without a name
    for parent in folder.absolute().parents:
        try:
            found = parent.stat()
        except FileNotFoundError:
            continue  # it is made as ours
        except OSError:
            return False
        open_to_all = found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
        if found.st_uid not in system or open_to_all:
            return False
    return True


def _has_room(folder: Path) -> bool:
    found = os.statvfs(folder)
    # Where there is no limit both numbers of a pair are zero.
    return (found.f_bavail > 0 or not found.f_blocks) and (found.f_favail >= FILES or not found.f_files)


def holder_socket(session: Session, workspace: Workspace) -> Path | None:
    """The socket of the holder for this container as it runs now; None where there can be no holder.

    Who signs in otherwise gets another holder: one acts, and is recorded, as who started it.
    """
    folder = runtime_folder()
    if folder is None:
        return None
    started = workspace.started.isoformat() if workspace.started else ""
    who = session.settings.credentials
    signs_in = (who.mode, who.tenant, who.client_id, who.identity_client_id, session.settings.authority_host)
    elsewhere = (session.environ.get(name, "") for name in SIGN_INS)
    about = _digest(started, repr(session.group(workspace)), *signs_in, *elsewhere)
    return folder / f"{_stem(session)}-{about}.sock"


def spawn_holder(session: Session, socket: Path) -> Callable[[], str | None]:
    """Start a holder that outlives this process and shares none of its streams: DevPod waits for those to close.

    Gives a function that tells whether, and how, it has ended (``adapters.tunnel.holder.call.Ended``).
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
        status = process.poll()
        if status is None:
            return None
        if status <= 0:
            return ""  # it left its place to another, or was killed: that says nothing about the next
        said = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return said[-1] if said else f"exit status {status}"

    return ended


def stop_holders(session: Session) -> None:
    """End every holder of this workspace: their container is about to go."""
    if os.name == "posix":
        for folder in _places():  # the first of them may have been full for a while
            if is_folder(folder) and _serves(folder):
                _stop_holders_in(folder, _stem(session))


def _stop_holders_in(folder: Path, stem: str) -> None:
    sockets = list(folder.glob(f"{stem}-*.sock"))
    if sockets:
        from adapters.tunnel import stop_holder

        for socket in sockets:
            stop_holder(socket)
    # Those of holders that went when they were idle, or were killed, are there as well: of each time the container was
    # started. One that does not even answer has no socket any more, and goes when it finds that out.
    for trace in (PLACE, ".err", ".lock", ".sock"):
        for path in folder.glob(f"{stem}-*{trace}"):
            path.unlink(missing_ok=True)


def holder_ended(socket: Path) -> None:
    """Remove what a holder that had nothing to complain of leaves behind."""
    errors = socket.with_suffix(".err")
    with contextlib.suppress(OSError):
        if not errors.stat().st_size:
            errors.unlink()


def _stem(session: Session) -> str:
    settings = session.settings
    return _digest(session.subject, session.target.mode, settings.subscription, settings.resource_manager_url)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
