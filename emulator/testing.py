"""For tests: an emulator as a process of its own, and a small client of its control API."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit


class ControlError(Exception):
    """The emulator refused a control request."""


class World:
    """What happens to groups without the client's doing."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def _do(self, what: str, group: str, **more: Any) -> None:
        self._control.call("POST", f"world/{what}", {"group": group, **more})

    def kill(self, group: str, container: str | None = None, signal: int = 9) -> None:
        """Kill the main process of one container, or of all."""
        more = {"container": container} if container else {}
        self._do("kill", group, signal=signal, **more)

    def evict(self, group: str) -> None:
        """A Spot eviction; the platform starts the group again by itself."""
        self._do("evict", group)

    def delete(self, group: str) -> None:
        """Somebody else deletes the group."""
        self._do("delete", group)

    def stop(self, group: str) -> None:
        """Somebody else stops the group."""
        self._do("stop", group)

    def start(self, group: str) -> None:
        """Somebody else starts the group."""
        self._do("start", group)

    def restart(self, group: str) -> None:
        """Somebody else restarts the group."""
        self._do("restart", group)

    def stuck(self, group: str, *, stuck: bool = True) -> None:
        """The group stays in transition for ever, or no longer."""
        self._do("stuck", group, stuck=stuck)

    def tags(self, group: str, tags: dict[str, str]) -> None:
        """Somebody else replaces the tags."""
        self._do("tags", group, tags=tags)


class Control:
    """A synchronous client of ``/_emulator/``; one connection for each call."""

    def __init__(self, url: str, token: str, ca_file: str) -> None:
        self._address = urlsplit(url)
        self._token = token
        self._context = ssl.create_default_context(cafile=ca_file)
        self.world = World(self)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One control request; raises ``ControlError`` with the emulator's words."""
        if method == "GET" and body:
            path += "?" + urlencode(body)
            body = None
        connection = http.client.HTTPSConnection(
            self._address.hostname or "", self._address.port, context=self._context, timeout=60
        )
        try:
            headers = {"Authorization": f"Bearer {self._token}"}
            data = None if body is None else json.dumps(body)
            connection.request(method, f"{self._address.path}/{path}", data, headers)
            response = connection.getresponse()
            answer = json.loads(response.read() or b"null")
        finally:
            connection.close()
        if response.status != 200:
            raise ControlError(answer["error"] if answer else str(response.status))
        return answer

    def set_fault(self, operation: str = "*", **rule: Any) -> int:
        """Put a fault in force (see docs/emulator.md); returns its number."""
        return int(self.call("POST", "faults", {"operation": operation, **rule})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force and how often each was hit."""
        return list(self.call("GET", "faults")["faults"])

    def clear(self, number: int | None = None) -> None:
        """Remove one fault, or all."""
        self.call("DELETE", "faults", None if number is None else {"id": number})

    def mark(self) -> int:
        """The number of the newest request, to count from."""
        return int(self.call("GET", "requests", {"since": 1 << 60})["last"])

    def requests(self, operation: str = "", since: int = 0) -> list[dict[str, Any]]:
        """The journal, optionally of one operation and after a ``mark``."""
        query: dict[str, Any] = {"since": since}
        if operation:
            query["operation"] = operation
        return list(self.call("GET", "requests", query)["requests"])

    def exec_options(self, **options: Any) -> dict[str, Any]:
        """Change options of section ``exec`` for sessions issued from now on."""
        return dict(self.call("PATCH", "exec", options))

    def link_options(self, **options: Any) -> dict[str, Any]:
        """Change the line (needs ``link={"enabled": True}`` at start)."""
        return dict(self.call("PATCH", "link", options))

    def change(self, section: str, **options: Any) -> dict[str, Any]:
        """Change options of section ``timings``, ``control`` or ``limits``."""
        return dict(self.call("PATCH", section, options))

    def permissions(
        self, *, denied: list[str] | None = None, allowed: list[str] | None = None, client_id: str | None = None
    ) -> None:
        """What the principal (or all) may not do, and may do: globs over actions."""
        body: dict[str, Any] = {"denied": denied, "allowed": allowed, "client_id": client_id}
        self.call("POST", "permissions", {k: v for k, v in body.items() if v is not None})

    def revoke_tokens(self) -> None:
        """Every token minted so far becomes invalid."""
        self.call("POST", "tokens/revoke", {})

    def registration(self, state: str) -> None:
        """Set the provider's registration state, e.g. ``NotRegistered``."""
        self.call("POST", "registration", {"state": state})

    def sessions(self) -> dict[str, Any]:
        """Open exec sessions, issued tickets, drops so far."""
        return dict(self.call("GET", "sessions"))

    def cut_sessions(self, group: str = "") -> int:
        """Cut the sockets of all open exec sessions, now."""
        return int(self.call("POST", "sessions/cut", {"group": group} if group else {})["cut"])

    def health(self) -> dict[str, Any]:
        """Liveness, and the isolation level in use."""
        return dict(self.call("GET", "health"))


class Running:
    """An emulator process."""

    def __init__(self, process: subprocess.Popen[bytes], env: dict[str, str], state: Path) -> None:
        self.process = process
        self.env = env
        self.state = state
        self.url = env["AZURE_RESOURCE_MANAGER_URL"]
        self.ca_file = env["SSL_CERT_FILE"]
        self.subscription_id = env["AZURE_SUBSCRIPTION_ID"]
        self.control = Control(env["ACI_EMULATOR_CONTROL_URL"], env["ACI_EMULATOR_CONTROL_TOKEN"], self.ca_file)

    def kill(self) -> None:
        """SIGKILL: what an emulator that crashes leaves behind is nothing, too."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM and wait; returns the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@contextlib.contextmanager
def running_emulator(preset: str = "instant", *, verbose: bool = False, **options: Any) -> Iterator[Running]:
    """An emulator with these settings (``exec={"cap": 10}``, …), ended on leaving the block."""
    with tempfile.TemporaryDirectory(prefix="aci-emu-") as folder:
        state = Path(folder)
        env_file, errors_file = state / "env", state / "stderr"
        command = [
            sys.executable,
            "-m",
            "emulator",
            "serve",
            "--preset",
            preset,
            "--config",
            "-",
            "--state-dir",
            str(state / "state"),
            "--env-file",
            str(env_file),
            "--die-with-parent",
        ]
        package_parent = str(Path(__file__).resolve().parents[1])
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH", "")])),
        }
        with errors_file.open("wb") as errors:
            process = subprocess.Popen(
                command + (["--verbose"] if verbose else []),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=None if verbose else errors,
                env=environment,
                start_new_session=True,
            )
        if process.stdin is not None:
            with process.stdin as settings:
                settings.write(json.dumps(options).encode())
        deadline = time.monotonic() + 30
        while not env_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError("the emulator did not start: " + errors_file.read_text())
            time.sleep(0.01)
        running = Running(process, _read_env(env_file), state / "state")
        try:
            yield running
        finally:
            running.stop()


def _read_env(file: Path) -> dict[str, str]:
    lines = file.read_text().splitlines()
    return {name: shlex.split(value)[0] if value else "" for name, _, value in (line.partition("=") for line in lines)}
