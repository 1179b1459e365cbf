"""Another ACI: the emulator behind a door that rewords what it says.

A second implementation differs in words, letter case, headers and statuses, not in what happens. So this is a
proxy over TLS with a certificate of its own; ``reword`` changes each answer on its way to the provider.
"""

from __future__ import annotations

import http.client
import json
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emulator.testing import Running
from emulator.tls import make

HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive", "date", "server")


@dataclass
class Said:
    """One answer on its way; ``body`` is JSON's value, or text where it was no JSON."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def group(self) -> dict[str, Any] | None:
        """The container group in it, if that is what it holds."""
        whole = isinstance(self.body, dict) and "properties" in self.body and "containergroups/" in self.path.lower()
        return self.body if whole else None


Reword = Callable[[Said], None]


@contextmanager
def second_aci(azure: Running, reword: Reword) -> Iterator[dict[str, str]]:
    """The environment that leads the provider through the door."""
    upstream = urlsplit(azure.env["AZURE_RESOURCE_MANAGER_URL"])
    trust = ssl.create_default_context(cafile=azure.ca_file)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            line = http.client.HTTPSConnection(upstream.hostname or "", upstream.port, context=trust, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            # The emulator's addresses are made of the host it was asked for: they lead through the door, too.
            try:
                line.request(self.command, self.path, content, headers)
                answer = line.getresponse()
                data = answer.read()
            finally:
                line.close()
            said = Said(
                self.command,
                urlsplit(self.path).path,
                answer.status,
                {name.lower(): value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP},
                _read(data),
            )
            reword(said)
            self._say(said)

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):
                return self._pass
            raise AttributeError(name)

        def _say(self, said: Said) -> None:
            text = said.body if isinstance(said.body, str) else json.dumps(said.body)
            data = b"" if said.body is None else text.encode()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is for what went wrong."""

    with tempfile.TemporaryDirectory(prefix="second-") as name:
        folder = Path(name)
        context, ca_file = make(folder, "127.0.0.1")
        bundle = folder / "both.pem"
        bundle.write_bytes(ca_file.read_bytes() + Path(azure.ca_file).read_bytes())
        server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield {
                **azure.env,
                "AZURE_RESOURCE_MANAGER_URL": f"https://127.0.0.1:{server.server_address[1]}",
                "REQUESTS_CA_BUNDLE": str(bundle),
                "SSL_CERT_FILE": str(bundle),
            }
        finally:
            server.shutdown()
            server.server_close()


def _read(data: bytes) -> Any:
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def all_of(*rewords: Reword) -> Reword:
    """One after the other."""

    def every(said: Said) -> None:
        for reword in rewords:
            reword(said)

    return every


def upper_case(said: Said) -> None:
    """States, names and tags in capitals."""
    _spell(said, str.upper)


def lower_case(said: Said) -> None:
    """States, names and tags in small letters."""
    _spell(said, str.lower)


def _spell(said: Said, case: Callable[[str], str]) -> None:
    if isinstance(said.body, dict) and "status" in said.body:
        said.body["status"] = case(said.body["status"])
    group = said.group
    if group is None:
        return
    group |= {name: case(group[name]) for name in ("id", "name", "type", "location") if name in group}
    group["tags"] = {case(name): value for name, value in (group.get("tags") or {}).items()}
    properties = group["properties"]
    properties["provisioningState"] = case(properties["provisioningState"])
    views = [properties.get("instanceView") or {}]
    for container in properties["containers"]:
        container["name"] = case(container["name"])
        views.append((container["properties"].get("instanceView") or {}).get("currentState") or {})
    for view in views:
        if "state" in view:
            view["state"] = case(view["state"])


OPERATION = "azure-asyncoperation"


def location_only(said: Said) -> None:
    """The specification's header instead of the recorded one."""
    if address := said.headers.pop(OPERATION, ""):
        said.headers["location"] = address


def no_operation(said: Said) -> None:
    """Nothing to follow at all."""
    said.headers.pop(OPERATION, None)


def no_ids(said: Said) -> None:
    """No request id, no throttle headers."""
    for name in [name for name in said.headers if name.startswith("x-ms-")]:
        del said.headers[name]


def unlisted_status(said: Said) -> None:
    """Other successes than the SDK's table knows."""
    if said.method == "PUT" and said.status == 201:
        said.status = 202
    elif said.status == 204:
        said.status, said.body = 200, {}


def nested(said: Said) -> None:
    """The error proper inside another one."""
    if said.status >= 400 and isinstance(said.body, dict) and "error" in said.body:
        inner = {"code": said.body["error"].get("code"), "message": "See the code."}
        said.body = {"error": {"code": "Conflict", "message": "The request failed.", "details": [inner]}}


def html_errors(said: Said) -> None:
    """Errors by somebody in between who does not speak JSON."""
    if said.status >= 400:
        said.headers["content-type"] = "text/html"
        said.body = f"<html><h1>{said.status}</h1></html>"


def no_container_view(said: Said) -> None:
    """Only the group says how it is."""
    for container in said.group["properties"]["containers"] if said.group else ():
        container["properties"].pop("instanceView", None)


def no_view_once_stopped(said: Said) -> None:
    """A stopped group shows that it is there and deployed, and nothing else."""
    properties = said.group["properties"] if said.group else {}
    if (properties.get("instanceView") or {}).get("state", "").lower() == "stopped":
        for view in (properties, *(container["properties"] for container in properties["containers"])):
            view.pop("instanceView", None)


def no_tags(said: Said) -> None:
    """Tags are not given back."""
    if said.group:
        said.group["tags"] = None


def more(said: Said) -> None:
    """Fields nobody knows, and one of another type than the SDK's models say."""
    if said.group:
        said.group["futures"] = {"a": [1]}
        said.group["properties"] |= {"quantum": None, "provisioningTimeoutInSeconds": "soon"}
        for container in said.group["properties"]["containers"]:
            container["properties"]["probes"] = [{}]


def other_states(said: Said) -> None:
    """Provisioning goes through the other words, and ends in one that is none of the two final ones."""
    group = said.group
    if group is None:
        return
    properties = group["properties"]
    words = {"Pending": "Accepted", "Creating": "Repairing"}
    if (properties.get("instanceView") or {}).get("state") == "Running":
        words["Succeeded"] = "Unhealthy"
    properties["provisioningState"] = words.get(properties["provisioningState"], properties["provisioningState"])
