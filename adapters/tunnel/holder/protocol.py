"""What a command and the holder say to each other over their unix socket.

The holder speaks first: one line that names the build of the program it runs. Whoever runs another build asks it to
retire and has nothing else to do with it, so everything below may change from one version to the next; the greeting
and ``{"retire": true}`` may not.

A request is one line of JSON, then as many bytes as it announces (the encoded OPEN), with the command's
three descriptors beside the first byte: the holder itself reads and writes them, so no byte of a command
is copied a second time. Answers, and anything later, are lines of JSON.
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import json
import os
import socket
import struct
import time
from pathlib import Path
from typing import Any, Final

import statemachine.errors as errors_module
from statemachine.errors import InternalError, ProviderError, TunnelError

GREETING_SECONDS: Final = 5.0
GREETING_MOST: Final = 4096
REQUEST_MOST: Final = 8 << 20
PROGRAM: Final = (
    "adapters/tunnel",
    *(f"adapters/tunnel/{part}" for part in ("caller", "channel", "holder", "packets", "starting")),
    "adapters/cli",
    "adapters/azure",
    "statemachine",
)
"""Folders whose files a holder runs."""
_TOLD_APART: Final = ("message", "hint")
_LOCAL_PEERCRED: Final = 1  # macOS: level 0, struct xucred


class MuteError(TunnelError):
    """Somebody listens and says nothing."""

    def __init__(self, path: Path, process: int = 0) -> None:
        which = f"process {process}" if process else "that process"
        super().__init__(f"the tunnel's holder at {path} does not answer", remedy=f"End {which}.")


def peer_is_us(sock: socket.socket) -> bool:
    """Whether the process at the other end belongs to our user."""
    if hasattr(socket, "SO_PEERCRED"):
        return _peer(sock)[1] == os.geteuid()
    data = sock.getsockopt(0, _LOCAL_PEERCRED, 76)
    return bool(struct.unpack_from("2I", data)[1] == os.geteuid())


def _peer(sock: socket.socket) -> tuple[int, int, int]:
    """Process, user and group at the other end, where the system says so; zeros elsewhere."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, 0, 0
    process, user, group = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return process, user, group


def connect(path: Path, seconds: float | None = None) -> socket.socket | None:
    """A socket to a holder of ours, or None when nobody answers there.

    Raises MuteError where it does not even take a connection for so long: as many as it may have are waiting already.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _connect_in(sock, path, GREETING_SECONDS if seconds is None else seconds)
        ours = peer_is_us(sock)
    except BlockingIOError:
        sock.close()
        raise MuteError(path) from None
    except OSError:
        sock.close()
        return None
    if not ours:
        sock.close()
        raise TunnelError(f"{path} belongs to another user", remedy="Remove it.")
    return sock


def _connect_in(sock: socket.socket, path: Path, seconds: float) -> None:
    # Python's own timeout does not wait here, for to the kernel nothing is in progress.
    whole = int(seconds)
    limit = struct.pack("ll", whole, int((seconds - whole) * 1_000_000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    sock.connect(str(path))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 0))


def build() -> str:
    """What tells the program on this disk from an earlier or later one, changed files of the same version included."""
    root = Path(__file__).resolve().parents[3]
    seen = hashlib.sha256(str(root).encode())
    for folder in PROGRAM:
        with contextlib.suppress(OSError):  # in an archive there is no folder, and no file in it ever changes
            entries = os.scandir(root / folder)
            files = sorted((entry.name, entry.stat()) for entry in entries if entry.name.endswith(".py"))
            for name, found in files:
                seen.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return seen.hexdigest()[:32]


def meet(path: Path, seconds: float) -> tuple[socket.socket, bool] | None:
    """A socket to the holder there, greeted, and whether it is of our build; None when nobody listens.

    Raises MuteError when somebody listens and says nothing for so long.
    """
    sock = connect(path, seconds)
    if sock is None:
        return None
    said = b""
    deadline = time.monotonic() + seconds
    try:
        # Byte by byte: what comes behind the greeting is somebody else's to read.
        while not said.endswith(b"\n") and len(said) < GREETING_MOST:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            byte = sock.recv(1)
            if not byte:
                sock.close()
                return None  # it was about to go
            said += byte
        sock.settimeout(None)
        greeting = json.loads(said)
    except TimeoutError:
        process, _, _ = _peer(sock)
        sock.close()
        raise MuteError(path, process) from None
    except (OSError, ValueError):
        sock.close()
        return None
    return sock, isinstance(greeting, dict) and greeting.get("holder") == build()


def greeting() -> bytes:
    """What a holder says to whoever connects, before anything else; made at its start, when the disk has its build."""
    return line({"holder": build()})


def line(message: dict[str, object]) -> bytes:
    """One message."""
    return json.dumps(message).encode() + b"\n"


def request(order: bytes, idle: float | None = None) -> memoryview:
    """What asks for a command, to be handed to ``send_some`` until nothing is left; ``idle`` as ``hold`` has it."""
    return memoryview(line({"order": len(order), "idle": idle}) + order)


def send_some(sock: socket.socket, data: memoryview, fds: tuple[int, ...]) -> memoryview:
    """Send what there is room for, the descriptors with its first byte; gives what is left of it.

    Raises OSError when nobody is there any more.
    """
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    with contextlib.suppress(BlockingIOError):
        return data[sock.sendmsg([data], rights, socket.MSG_DONTWAIT) :]
    return data


def describe(problem: ProviderError) -> dict[str, object]:
    """An error as JSON that ``revive`` turns back into it."""
    # All of its attributes: who revives it may look at any of them.
    extra = {name: value for name, value in vars(problem).items() if name not in _TOLD_APART and _is_plain(value)}
    # The nearest class that every process knows.
    kind = next(base.__name__ for base in type(problem).__mro__ if hasattr(errors_module, base.__name__))
    return {"kind": kind, "message": problem.message, "hint": problem.hint, "extra": extra}


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def revive(told: dict[str, Any]) -> ProviderError:
    """The error another process described, of the same class."""
    kind = getattr(errors_module, str(told.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, ProviderError)):
        kind = InternalError
    # Not by the class's own constructor: theirs differ, and what they compute has been computed.
    problem: ProviderError = kind.__new__(kind)
    ProviderError.__init__(problem, str(told.get("message", "")), remedy=str(told.get("hint", "")))
    for name, value in told.get("extra", {}).items():
        setattr(problem, name, value)
    return problem
