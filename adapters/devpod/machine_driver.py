"""The driver that runs inside a machine, where the machine itself is the dev container.

Small POSIX shell programs, kept beside this file, because an image owes us nothing but ``/bin/sh``. The
manifest gives them to DevPod's agent as ``/bin/sh -c <text>``: as one string they would run in DevPod's
built-in shell instead of the image's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from adapters.devpod.options import in_manifest
from adapters.devpod.plan import MACHINE_MARK

DRIVER: Final[dict[str, str]] = {
    "targetArchitecture": "architecture",
    "findDevContainer": "find",
    "runDevContainer": "run",
    "startDevContainer": "start",
    "stopDevContainer": "stop",
    "deleteDevContainer": "delete",
    "commandDevContainer": "command",
}
"""DevPod's name for each call, and the program that answers it."""

_STATEFUL: Final = frozenset({"find", "run", "start", "stop", "delete"})
_FOLDER: Final = Path(__file__).with_name("machine")


def program(name: str) -> str:
    """The text of one program."""
    text = (_FOLDER / f"{name}.sh").read_text(encoding="utf-8")
    if name in _STATEFUL:
        text = (_FOLDER / "common.sh").read_text(encoding="utf-8") + text
    # DevPod's agent carries every provider option in its environment, set or not. Sessions must inherit no
    # secret, and Azure's own tools would take an empty AZURE_CLIENT_ID for an answer.
    options = " ".join(option.name for option in in_manifest("machine"))
    return text.replace("@OPTIONS@", options).replace("@MARK@", MACHINE_MARK)


def shell(name: str) -> list[str]:
    """The command that runs one program, as the manifest has it."""
    return ["/bin/sh", "-c", program(name)]
