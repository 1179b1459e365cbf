"""Small root file systems, made in a moment of what this computer has: for containers with files of their own."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
GROUP = "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n"
FOLDERS = ("bin", "dev", "etc", "home/user", "lib64", "proc", "root", "run", "sys", "tmp", "usr/bin", "var/tmp")
TOOLS = ("cat", "chmod", "id", "mkdir", "mv", "rm", "sha256sum", "sleep", "tee")
"""What a test's commands and the tunnel use; no decoder of anything is among them."""


def skeleton(root: Path) -> Path:
    """Folders, a user and a group."""
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc" / "passwd").write_text(PASSWD)
    (root / "etc" / "group").write_text(GROUP)
    (root / "home" / "user").chmod(0o777)
    return root


def add_busybox(root: Path, applets: Iterable[str] | None = None) -> Path:
    """Busybox and links for its applets (all of them if not named), as Alpine has them."""
    program = shutil.which("busybox")
    if program is None or _interpreted(Path(program).read_bytes()):
        pytest.skip("needs a static busybox (Debian's busybox-static)")
    skeleton(root)
    shutil.copy(program, root / "bin" / "busybox")
    if applets is None:
        listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
        applets = listed.stdout.split()
    for name in applets:
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    return root


def add_programs(root: Path, programs: Iterable[str], folder: str = "bin") -> Path:
    """Programs of this computer with the libraries they need."""
    skeleton(root)
    for name in programs:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"needs {name}")
        shutil.copy(Path(found).resolve(), root / folder / name)
        for library in _libraries(found):
            place = root / library.lstrip("/")
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(library).resolve(), place)
    return root


@cache
def _libraries(program: str) -> list[str]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+)", listed)


def link_shell(root: Path, program: str) -> Path:
    """Make a program /bin/sh."""
    (root / "bin" / "sh").symlink_to(program)
    return root


def _interpreted(elf: bytes) -> bool:
    """Whether a 64-bit program has a PT_INTERP header: whether it is dynamic."""
    start, size, count = (struct.unpack_from(kind, elf, at)[0] for kind, at in (("<Q", 32), ("<H", 54), ("<H", 56)))
    return any(struct.unpack_from("<I", elf, start + n * size)[0] == 3 for n in range(count))
