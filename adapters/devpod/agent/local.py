"""What a DevPod binary on this computer is. Reading it takes a quarter of a second, so the answer is kept."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

_ELF_AMD64: Final = (b"\x7fELF\x02\x01", b"\x3e\x00")
"""How such a file begins, and what follows its 18th byte (elf(5))."""
_PATIENCE: Final = 10.0


class Binary(msgspec.Struct, frozen=True):
    """A binary, as long as its file is the same one."""

    version: str = ""
    """As it says itself; empty when it does not."""
    sha256: str = ""
    """Empty unless it is one for Linux on amd64."""
    size: int = -1
    changed: int = -1
    """When the file was changed last, in nanoseconds."""


def known(path: Path, cache: Path, *, run: bool = True) -> Binary:
    """What the binary at ``path`` is; nothing known when it cannot be read. Raises nothing.

    Only who may ``run`` it learns its version.
    """
    try:
        status = path.stat()
    except OSError:
        return Binary()
    kept = _kept(cache)
    binary = kept.get(str(path))
    if binary is None or (binary.size, binary.changed) != (status.st_size, status.st_mtime_ns):
        version = _version(path) if run else ""
        binary = Binary(version, _digest(path), status.st_size, status.st_mtime_ns)
        _keep(cache, {name: each for name, each in kept.items() if Path(name).exists()} | {str(path): binary})
    return binary


def is_ours_alone(path: Path) -> bool:
    """Whether a file, in a folder that others may have been the first to make, can only be what we put there."""
    try:
        file, folder = path.lstat(), path.parent.lstat()
    except OSError:
        return False
    if os.name == "nt":  # temporary files are below the user's own profile
        return stat.S_ISREG(file.st_mode)
    right_kinds = stat.S_ISREG(file.st_mode) and stat.S_ISDIR(folder.st_mode)
    return right_kinds and all(each.st_uid == os.getuid() and not each.st_mode & 0o022 for each in (file, folder))


def _version(path: Path) -> str:
    import subprocess

    quiet = os.environ | {"DEVPOD_DISABLE_TELEMETRY": "true"}
    try:
        said = subprocess.run(
            [path, "version"], capture_output=True, stdin=subprocess.DEVNULL, env=quiet, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.decode(errors="replace").strip() if said.returncode == 0 else ""


def _digest(path: Path) -> str:
    import hashlib

    begin, machine = _ELF_AMD64
    try:
        with path.open("rb") as file:
            head = file.read(20)
            if not head.startswith(begin) or head[18:20] != machine:
                return ""
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _kept(cache: Path) -> dict[str, Binary]:
    try:
        return msgspec.json.decode(cache.read_bytes(), type=dict[str, Binary])
    except (OSError, msgspec.DecodeError):
        return {}


def _keep(cache: Path, binaries: dict[str, Binary]) -> None:
    """A cache that cannot be written costs time only."""
    draft = cache.with_name(f"{cache.name}.{os.getpid()}")
    with suppress(OSError):
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.encode(binaries))
        draft.chmod(0o600)
        draft.replace(cache)
