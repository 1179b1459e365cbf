"""Private documents beside the log, named by their own hash: too large, or too private, for a line of it.

An event keeps the digest, so the chain protects the document as well.
"""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Final

from eventlog.disk import Disk
from eventlog.failures import explained
from eventlog.paths import blobs_path

_KIND: Final = re.compile(r"[a-z][a-z0-9-]*\Z")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")


def put(log_path: Path, kind: str, data: bytes, *, disk: Disk | None = None) -> str:
    """Keep a document; its SHA-256, which ``get`` takes. When this returns it survives a power cut.

    Raises LogError when the disk refuses.
    """
    disk = disk or Disk()
    digest = sha256(data).hexdigest()
    path = _path(log_path, kind, digest)
    with explained(path, "written"):
        if _read(path) == data:
            return digest
        disk.replace(path, data)
    return digest


def get(log_path: Path, kind: str, digest: str) -> bytes | None:
    """The document; None when it is gone, or is not what its name says any more. Raises LogError."""
    if not _DIGEST.match(digest):
        return None
    path = _path(log_path, kind, digest)
    with explained(path, "read"):
        data = _read(path)
    return data if data is not None and sha256(data).hexdigest() == digest else None


def _path(log_path: Path, kind: str, digest: str) -> Path:
    if not _KIND.match(kind):
        raise ValueError(f"{kind!r} is not a kind of document")
    return blobs_path(Path(os.path.realpath(log_path)), kind) / digest


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
