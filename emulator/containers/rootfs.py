"""The root file system of an image: a folder as it is, or a tarball that is unpacked once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

_unpacking = threading.Lock()


class RootfsError(Exception):
    """What an image was mapped to is no root file system."""


def root_folder(source: str, cache: Path) -> str:
    """The folder with the image's files; a tarball (any that ``tar`` reads) is unpacked below ``cache``.

    Waits for ``tar``, so not to be called in an event loop. Raises RootfsError.
    """
    path = Path(source)
    if path.is_dir():
        return str(path)
    if not path.is_file():
        raise RootfsError(f"{source} is neither a folder nor a tarball")
    seen = path.stat()
    key = f"{path.resolve()}\0{seen.st_size}\0{seen.st_mtime_ns}"
    folder = cache / hashlib.sha256(key.encode()).hexdigest()[:16]
    with _unpacking:
        if not folder.is_dir():
            cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            _unpack(path, folder)
    return str(folder)


def _unpack(tarball: Path, folder: Path) -> None:
    # Devices are made afresh for every container, and only root could make them here.
    unwanted = [f"--exclude={prefix}{name}/*" for prefix in ("", "./") for name in ("dev", "proc", "sys")]
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as name:
        made = Path(name) / "root"
        made.mkdir(mode=0o755)
        command = ["tar", "-x", "-p", "-f", str(tarball), "-C", str(made), *unwanted]
        if os.geteuid() == 0:
            command.append("--numeric-owner")
        try:
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        except FileNotFoundError as problem:
            raise RootfsError("a tarball as an image needs the program tar") from problem
        except subprocess.CalledProcessError as problem:
            said = problem.stderr.strip().splitlines()
            raise RootfsError(f"{tarball} cannot be unpacked: {said[0] if said else problem}") from problem
        if any((made / mark).exists() for mark in ("oci-layout", "manifest.json")):
            raise RootfsError(f"{tarball} holds an image's layers: use what `docker export` or `podman export` writes")
        shutil.move(made, folder)
