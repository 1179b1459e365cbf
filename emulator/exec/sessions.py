"""Exec and attach credentials: issued once, used once, gone after a minute."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import socket
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from emulator.arm.errors import arm_error
from emulator.settings import Exec

if TYPE_CHECKING:
    from emulator.containers.container import Container
    from emulator.model import Group

_PRINTABLE = "".join(chr(c) for c in range(33, 127) if chr(c) not in "\"\\'&<")
END = "[[EOM]]"


@dataclass
class Ticket:
    """The right to open one socket."""

    id: str
    kind: Literal["exec", "attach"]
    group: Group
    container: Container
    command: str
    size: tuple[int, int]
    password: str
    uri: str
    expires: float
    options: Exec
    cut: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Sessions:
    """Tickets not yet used and sockets now open."""

    options: Exec
    tickets: dict[str, Ticket] = field(default_factory=dict)
    open: dict[str, Ticket] = field(default_factory=dict)
    drops: int = 0
    _blocked: list[socket.socket] = field(default_factory=list)

    def issue(
        self,
        group: Group,
        container: Container,
        command: str,
        size: tuple[int, int],
        base: str,
        *,
        kind: Literal["exec", "attach"] = "exec",
    ) -> Ticket:
        """A new ticket, or the refusal when the container has too many sessions."""
        self._expire()
        if kind == "exec":
            self._refuse_if_full(group, container)
        number, password, uri = self._address(kind, group, size, base)
        expires = time.monotonic() + self.options.credential_lifetime
        ticket = Ticket(number, kind, group, container, command, size, password, uri, expires, self.options)
        self.tickets[number] = ticket
        return ticket

    def _refuse_if_full(self, group: Group, container: Container) -> None:
        options = self.options
        tickets = (*self.tickets.values(), *self.open.values())
        used = sum(ticket.container is container and ticket.kind == "exec" for ticket in tickets)
        if options.cap and used >= options.cap:
            raise arm_error(
                "TooManyExecSessions",
                status=options.cap_status,
                headers={"Retry-After": "10"} if options.cap_status == 429 else None,
                container=container.name,
                name=group.name,
                cap=options.cap,
            )

    def redeem(self, number: str) -> Ticket | None:
        """Use up a ticket; None when there is none (any more)."""
        self._expire()
        return self.tickets.pop(number, None)

    def _expire(self) -> None:
        moment = time.monotonic()
        for number in [n for n, t in self.tickets.items() if t.expires < moment]:
            del self.tickets[number]

    def _address(self, kind: str, group: Group, size: tuple[int, int], base: str) -> tuple[str, str, str]:
        rows, columns = size
        base = self._blocked_base() or base
        if self.options.front_end == "bridge" and kind == "exec":
            number = secrets.token_hex(8)
            password = base64.urlsafe_b64encode(secrets.token_bytes(24)).decode().rstrip("=")
            uri = f"{base}/exec/{group.caas}/bridge-{number}?rows={rows}&cols={columns}&api-version=2018-02-01-preview"
            return f"bridge-{number}", password + END, uri
        number = str(uuid.uuid4())
        password = "".join(secrets.choice(_PRINTABLE) for _ in range(48))
        path = "execstream" if kind == "exec" else "logstream"
        tail = f"&rows={rows}&cols={columns}" if kind == "exec" else ""
        return number, password + END, f"{base}/{path}/sessionId/{number}?api-version=1.0{tail}"

    def _blocked_base(self) -> str:
        """An address behind a firewall: a port that refuses, or one that never answers."""
        if not self.options.blocked:
            return ""
        closed = socket.socket()
        closed.bind(("127.0.0.1", 0))
        self._blocked.append(closed)
        port: int = closed.getsockname()[1]
        if self.options.blocked == "silent":
            # A full accept queue drops further SYNs, exactly as a firewall does.
            closed.listen(0)
            for _ in range(2):
                filler = socket.socket()
                filler.settimeout(0)
                with contextlib.suppress(BlockingIOError):
                    filler.connect(("127.0.0.1", port))
                self._blocked.append(filler)
        return f"wss://127.0.0.1:{port}"
