"""The helper's build: the same bytes wherever it is made, and small enough to be typed into a shell."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HELPER = Path(__file__).parents[3] / "adapters" / "tunnel" / "helper"
LARGEST = 96 * 1024

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None,
    reason="the compiler that pins the bytes is not installed (pip install ziglang, or the extra dev)",
)


def built(folder: Path, **environ: str) -> tuple[bytes, str]:
    """The helper made from a copy of its sources in ``folder``, and the hash beside it."""
    folder.mkdir(parents=True)
    for source in [*HELPER.glob("*.[ch]"), HELPER / "build.py"]:
        shutil.copy(source, folder)
    program = [sys.executable, folder / "build.py", folder / "made"]
    subprocess.run(program, cwd=folder.anchor, env=os.environ | environ, check=True, capture_output=True)
    made = folder / "made" / "devpod-aci-helper"
    return made.read_bytes(), made.with_name(f"{made.name}.sha256").read_text(encoding="ascii")


def test_two_folders_give_the_same_bytes(tmp_path):
    first, said = built(tmp_path / "one")
    second, said_too = built(tmp_path / "a longer name" / "two")
    assert first == second
    assert said == said_too
    assert len(first) <= LARGEST
    for path in (tmp_path, HELPER):
        assert str(path).encode() not in first


@pytest.mark.skipif(not os.environ.get("ACI_SLOW_TESTS"), reason="compiles a C library; ACI_SLOW_TESTS=1 runs it")
@pytest.mark.timeout(600)
def test_a_compiler_that_remembers_nothing_gives_the_same_bytes(tmp_path):
    caches = {f"ZIG_{kind}_CACHE_DIR": str(tmp_path / kind) for kind in ("GLOBAL", "LOCAL")}
    assert built(tmp_path / "one", **caches) == built(tmp_path / "two")
