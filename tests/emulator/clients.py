"""A client that meets the emulator as the Azure SDK and a browserless WebSocket do."""

from __future__ import annotations

import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import requests
from azure.identity import ClientSecretCredential
from azure.mgmt.containerinstance import ContainerInstanceManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from emulator.testing import Running
from tests.waiting import PATIENCE, until

KEEP = ["/bin/sh", "-c", "echo started; while :; do sleep 1; done"]


def container(name: str = "main", **properties: Any) -> dict[str, Any]:
    """A container of a PUT body."""
    base: dict[str, Any] = {
        "image": "debian:12",
        "command": KEEP,
        "resources": {"requests": {"cpu": 1, "memoryInGB": 1}},
    }
    return {"name": name, "properties": {k: v for k, v in (base | properties).items() if v is not None}}


def body(*containers: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """A PUT body."""
    given: dict[str, Any] = {"osType": "Linux", "containers": list(containers or (container(),))}
    given |= properties
    return {"location": "westeurope", "properties": {k: v for k, v in given.items() if v is not None}}


class Shell:
    """The client's end of an exec socket, reading whole streams rather than frames."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws
        self.seen = b""
        self.frames: list[bytes | str] = []

    def send(self, data: bytes | str) -> None:
        self.ws.send(data)

    def _take(self, timeout: float) -> bool:
        try:
            frame = self.ws.recv(timeout=timeout)
        except ConnectionClosed:
            return False
        self.frames.append(frame)
        self.seen += frame if isinstance(frame, bytes) else frame.encode()
        return True

    def until(self, mark: bytes, timeout: float = PATIENCE) -> bytes:
        deadline = time.monotonic() + timeout
        while mark not in self.seen:
            if not self._take(max(0.01, deadline - time.monotonic())):
                raise AssertionError(f"closed before {mark!r}: {self.seen[-500:]!r}")
        head, _, self.seen = self.seen.partition(mark)
        return head

    def rest(self, timeout: float = PATIENCE) -> bytes:
        deadline = time.monotonic() + timeout
        while self._take(max(0.01, deadline - time.monotonic())):
            pass
        return self.seen

    def raw(self) -> None:
        """Raw mode, the way a client must do it: wait for a marker no echo can contain."""
        self.send(b"stty raw -echo; printf 'REA%s' DY\n")
        self.until(b"READY")

    def read_by(self, command: str) -> None:
        """Start a command that reads what comes next. Not before: the shell would take it for its own."""
        self.send(f"printf 'GO%s' ES; {command}\n".encode())
        self.until(b"GOES")

    @property
    def close_code(self) -> int | None:
        return self.ws.close_code


@dataclass
class Azure:
    """Clients of one emulator."""

    emulator: Running
    count: int = 0
    shells: list[ClientConnection] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        env, verify = self.emulator.env, {"connection_verify": self.emulator.ca_file}
        self.credential = ClientSecretCredential(
            env["AZURE_TENANT_ID"],
            env["AZURE_CLIENT_ID"],
            env["AZURE_CLIENT_SECRET"],
            authority=self.emulator.url,
            disable_instance_discovery=True,
            **verify,
        )
        common: dict[str, Any] = {"base_url": self.emulator.url, "polling_interval": 0.02, "retry_total": 0, **verify}
        sub = self.emulator.subscription_id
        self.aci = ContainerInstanceManagementClient(self.credential, sub, **common)
        self.resources = ResourceManagementClient(self.credential, sub, **common)
        self.http = requests.Session()
        self.http.verify = self.emulator.ca_file
        self.http.trust_env = False
        token = self.credential.get_token("https://management.azure.com/.default").token
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.resources.resource_groups.create_or_update("rg", {"location": "westeurope"})

    @property
    def rg(self) -> str:
        return f"/subscriptions/{self.emulator.subscription_id}/resourceGroups/rg"

    def cg(self, name: str, tail: str = "") -> str:
        return f"{self.rg}/providers/Microsoft.ContainerInstance/containerGroups/{name}{tail}"

    def call(self, method: str, path: str, *, version: str = "2023-05-01", **more: Any) -> requests.Response:
        url = path if path.startswith("https") else self.emulator.url + path
        if "api-version" not in url and version:
            more["params"] = {"api-version": version, **more.get("params", {})}
        return self.http.request(method, url, timeout=PATIENCE, **more)

    def name(self) -> str:
        self.count += 1
        return f"group{self.count}"

    def group(self, *containers: dict[str, Any], **properties: Any) -> str:
        """A running group of its own; returns its name."""
        name = self.name()
        self.aci.container_groups.begin_create_or_update("rg", name, body(*containers, **properties)).result()
        return name

    def ticket(self, group: str, command: str = "/bin/sh", where: str = "main") -> Any:
        request = {"command": command, "terminalSize": {"rows": 24, "cols": 80}}
        return self.aci.containers.execute_command("rg", group, where, request)

    def open(self, uri: str, password: str | bytes | None, **more: Any) -> Shell:
        context = ssl.create_default_context(cafile=self.emulator.ca_file)
        # This client reads and writes in two threads. Before Python 3.13 that races with the session tickets
        # TLS 1.3 sends after its handshake: a write then waits for ever.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        ws = self.stack.enter_context(
            connect(uri, ssl=context, compression=None, max_size=None, proxy=None, close_timeout=1, **more)
        )
        self.shells.append(ws)
        if password is not None:
            ws.send(password)
        return Shell(ws)

    def shell(self, group: str, command: str = "/bin/sh") -> Shell:
        ticket = self.ticket(group, command)
        return self.open(ticket.web_socket_uri, ticket.password)

    def close(self) -> None:
        self.stack.close()
        self.http.close()
        self.aci.close()
        self.resources.close()
        self.credential.close()


eventually = until
"""What the tests here say."""
