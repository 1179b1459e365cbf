"""Azurite, Microsoft's own emulator of Azure Storage: installed once into a cache, started for a test run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = "3.35.0"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's documented account; it opens nothing but an Azurite."""


def installed() -> Path | str:
    """Azurite's start file; or why there is none."""
    if (node := shutil.which("node")) is None or (npm := shutil.which("npm")) is None:
        return "Azurite needs node and npm"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "devpod-provider-aci-tests"
    folder = cache / f"azurite-{VERSION}"
    start = folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    if start.exists():
        return start
    draft = cache / f"azurite-{VERSION}.{os.getpid()}"
    draft.mkdir(parents=True)
    (draft / "package.json").write_text(json.dumps({"private": True, "dependencies": {"azurite": VERSION}}))
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev", "--loglevel=error"]
    answer = subprocess.run(command, cwd=draft, capture_output=True, text=True, check=False, timeout=150)
    if answer.returncode:
        shutil.rmtree(draft)
        return f"npm cannot install Azurite: {(answer.stderr.splitlines() or [''])[-1]}"
    try:
        draft.rename(folder)
    except OSError:
        # Another run was first.
        shutil.rmtree(draft)
    assert node
    return start


@contextmanager
def running(start: Path, log: Path, tls: Path | None = None) -> Iterator[str]:
    """The address of an Azurite that keeps everything in memory; with a certificate it takes Entra ID's tokens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["node", str(start), "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", str(port)]
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
