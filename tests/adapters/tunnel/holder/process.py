"""Runs ``hold`` in a process of its own; passwords come from the test's process over a socket."""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
from pathlib import Path

from adapters.tunnel import HOLDER_TUNING, ExecEndpoint, Tuning, hold
from adapters.tunnel.holder import protocol
from statemachine.errors import AccessDeniedError
from statemachine.secret import Secret


def main() -> None:
    options = json.loads(sys.argv[1])
    trace = Path(options["path"]).with_suffix(".log")

    def opener() -> ExecEndpoint:
        if options["refuse"]:
            raise AccessDeniedError("not allowed", code="AuthorizationFailed", http_status=403)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(options["broker"])
            uri, password = sock.makefile().read().split()
        return ExecEndpoint(uri, Secret(password))

    def on_event(text: str) -> None:
        with trace.open("a") as file:
            file.write(f"{os.getpid()} {text}\n")

    def answer(question: object) -> object:
        if not isinstance(question, dict) or not isinstance(question.get("n"), int):
            raise ValueError(question)
        return {"twice": 2 * question["n"]}

    build = os.environ.get("DPACI_TEST_BUILD")
    if build:
        protocol.build = lambda: build

    files = os.environ.get("DPACI_TEST_FILES")
    if files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), int(files)))
    hold(
        Path(options["path"]), opener, idle_seconds=options["idle_seconds"], ca_file=options["ca_file"],
        on_event=on_event, tuning=Tuning(**options["tuning"]) if options["tuning"] else HOLDER_TUNING,
        answer=answer,
    )  # fmt: skip


if __name__ == "__main__":
    main()
