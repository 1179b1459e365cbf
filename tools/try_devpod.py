"""A shell in which the real DevPod works on the emulator, without internet: ``python -m tools.try_devpod [COMMAND …]``.

With a home, a provider and a small project of its own; all of it is gone when the shell, or COMMAND, ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from emulator.testing import running_emulator
from tests.e2e.provider import Provider
from tests.e2e.registry import registry
from tests.e2e.test_devpod import Devpod, image

SHELL = ["bash", "--norc"] if shutil.which("bash") else ["sh"]


def inside(devpod: Devpod, command: list[str]) -> int:
    """Run the command in the project, then delete what it left: its connections would outlive the emulator."""
    env = devpod.env | {"TERM": os.environ.get("TERM", "dumb"), "PS1": "(emulator) $ "}
    try:
        return subprocess.run(command, env=env, cwd=devpod.user.home / "project", check=False).returncode
    finally:
        for workspace in json.loads(devpod.ok("list", "--output", "json")) or []:
            devpod("delete", workspace["id"], "--force")


def main() -> int:
    """The status of COMMAND; says so where there is no DevPod."""
    program = shutil.which("devpod")
    if program is None:
        sys.exit("try-devpod: needs the devpod binary on PATH (https://devpod.sh)")
    signal.signal(signal.SIGINT, lambda *_: None)  # the command's business
    home = Path(tempfile.mkdtemp(prefix="dpaci-"))  # short, because a socket's path may have 107 bytes
    (home / "run").mkdir(mode=0o700)
    try:
        with (
            registry(Path(program).resolve()) as host,
            # DevPod sets up what it takes for a container: that must not be this computer.
            running_emulator("fast", images=[image(host)], isolation="namespaces") as azure,
        ):
            devpod = Devpod(Provider(home, azure.env), host)
            devpod.add("provider.yaml")
            devpod.workspace()
            status = inside(devpod, sys.argv[1:] or SHELL)
            return status if sys.argv[1:] else 0  # how a shell's last command went is no failure of ours
    except RuntimeError as problem:
        sys.exit(f"try-devpod: {problem}".rstrip())
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
