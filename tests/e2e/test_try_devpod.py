"""``make devpod``: what docs/emulator.md says to type there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.provider import ROOT

pytestmark = [
    pytest.mark.skipif(shutil.which("devpod") is None, reason="needs the devpod binary on PATH"),
    pytest.mark.timeout(600),
]
PAGE = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")


def steps() -> list[str]:
    """The commands of the page; those that wait for somebody to type are left out."""
    block = next(block for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) if "make devpod" in block)
    commands = [line.partition("#")[0].strip() for line in block.splitlines()]
    return [line for line in commands[1:] if line not in ("devpod ssh project", "exit")]


def test_what_the_page_says_to_type(tmp_path: Path) -> None:
    script = tmp_path / "script"
    # DevPod's own race ends one `up` in some with EOF, see test_devpod.py.
    typed = [f"{line} || {line} || {line}" if " up " in line else line for line in steps()]
    script.write_text("\n".join(["set -ex", *typed, 'echo "HOME is $HOME"', "exit 7"]))
    done = subprocess.run(
        [sys.executable, "-m", "tools.try_devpod", "sh", str(script)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stdout + done.stderr
    assert "hello from the project" in done.stdout
    home = re.search(r"HOME is (\S+)", done.stdout)
    assert home is not None
    assert not Path(home[1]).exists()
