"""What the rest of the provider says to the tunnel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from statemachine.secret import Secret

if TYPE_CHECKING:
    from adapters.tunnel.channel.ahead import Ahead


@dataclass(frozen=True)
class ExecEndpoint:
    """What Azure's exec call answers: where the WebSocket is and its one-time password."""

    uri: str
    password: Secret
    ahead: Ahead | None = field(default=None, repr=False, compare=False)
    """A connection that was begun before the address was known."""


ExecOpener = Callable[[], ExecEndpoint]
"""Makes one exec call with the command ``/bin/sh``; raises ``ProviderError`` subclasses."""

OnEvent = Callable[[str], None]
"""Told in one line what the tunnel does, for debugging; never a secret."""


class Voice:
    """Takes lines for whoever waits for a session, from what opens it; a holder says them to its commands."""

    def __init__(self) -> None:
        self.through: OnEvent = ignore_event

    def __call__(self, text: str) -> None:
        """Say one line; nobody hears it before there is a holder."""
        self.through(text)


@dataclass(frozen=True)
class TtySize:
    """The size of a terminal."""

    rows: int
    columns: int


@dataclass(frozen=True)
class CommandSpec:
    """One command to run in the container.

    ``command`` is POSIX shell text of any size; bytes that are no UTF-8 are held as surrogates.
    An empty ``user`` is the image's own, an empty ``cwd`` the user's home folder.
    """

    command: str
    user: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    tty: TtySize | None = None


@dataclass(frozen=True)
class Tuning:
    """The tunnel's times, in seconds, and whether it may compress. The defaults fit Azure; tests are less patient.

    ``ping``: silence after which each end says something. ``dead``: silence after which the link is given up.
    ``resume``: how long both ends keep a session whose link broke. ``connect``: for TCP, TLS and upgrade.
    ``shell``: for the shell to answer. ``upload``: for placing the helper. ``greeting``: for the helper to speak.
    ``backoff_first``, ``backoff_most``: between a break and the next dial, doubled from the one up to the other.
    ``compress``: whether a command's input may travel compressed.
    """

    ping: float = 15.0
    dead: float = 40.0
    resume: float = 10.0
    connect: float = 15.0
    shell: float = 20.0
    upload: float = 60.0
    greeting: float = 15.0
    backoff_first: float = 0.1
    backoff_most: float = 10.0
    compress: bool = True


HOLDER_TUNING = Tuning(resume=300.0)


def ignore_event(_: str) -> None:
    """The default ``OnEvent``."""
