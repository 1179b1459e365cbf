"""A container's exec sessions and logs."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from adapters.azure.answer import json_of, keep
from adapters.azure.session import Session
from statemachine.errors import AzureError, ExecRefusedError, RefusedError
from statemachine.events import GroupRef
from statemachine.secret import Secret

SHELL: Final = "/bin/sh"
"""The only kind of command every back end accepts: one absolute path without arguments."""

ROWS, COLUMNS = 24, 80
"""The request wants a size; that of a person's terminal goes through the tunnel."""

CROWDED: Final = "The container may have as many exec sessions as it can: end one, or try again in a minute."
"""For a 409 whose code is not known: what Azure says of too many sessions is documented nowhere."""


def open_exec(session: Session, ref: GroupRef) -> tuple[str, Secret]:
    """A WebSocket's address and its password. A 200 does not mean that the container still runs.

    The address is to be used verbatim; the password includes its ``[[EOM]]``. Repeating the call after a
    lost connection is safe: a session nobody connects to ends by itself.
    """
    from azure.mgmt.containerinstance.models import ContainerExecRequest, ContainerExecRequestTerminalSize

    size = ContainerExecRequestTerminalSize(rows=ROWS, cols=COLUMNS)
    request = ContainerExecRequest(command=SHELL, terminal_size=size)
    try:
        answer = session.call(
            f"open an exec session in {ref.name}",
            lambda: session.ask(
                lambda: session.groups_of(ref).containers.execute_command(
                    ref.resource_group, ref.name, ref.container, request, cls=keep
                )
            ),
        )
    except RefusedError as error:
        raise ExecRefusedError(error.message, remedy=error.hint) from error
    except AzureError as error:
        if error.http_status == 409 and not error.hint:
            error.hint = CROWDED
        raise
    body = json_of(answer)
    address, password = body.get("webSocketUri"), body.get("password")
    if not isinstance(address, str) or not _leads_somewhere(address) or not isinstance(password, str):
        raise ExecRefusedError("Azure answered the exec request without a WebSocket address", remedy="Try again.")
    return address, Secret(password)


def _leads_somewhere(address: str) -> bool:
    """Whether it is the address of a WebSocket over TLS, with nothing in it that an address of Azure's has not."""
    try:
        parts = urlsplit(address)
        host, _ = (parts.hostname or "").encode("idna"), parts.port  # both raise for what can be none
    except ValueError:
        return False
    plain = address.isascii() and address.isprintable() and not {" ", "\\"} & set(address)
    return plain and parts.scheme == "wss" and host != b"" and "@" not in parts.netloc


def logs(session: Session, ref: GroupRef, *, tail: int | None = None, timestamps: bool = False) -> str:
    """What the container has printed since it last started, standard output and error merged.

    At most 4 MB of a running container, 16 KB or 1000 lines of a stopped one (service limits).
    """
    answer = session.call(
        f"read the logs of {ref.name}",
        lambda: session.ask(
            lambda: session.groups_of(ref).containers.list_logs(
                ref.resource_group, ref.name, ref.container, tail=tail, timestamps=timestamps or None, cls=keep
            )
        ),
    )
    content = json_of(answer).get("content")
    return content if isinstance(content, str) else ""
