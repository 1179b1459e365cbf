"""How a back end reads the one string it is given as a command."""

from __future__ import annotations

import shlex


def split_command(mode: str, command: str) -> list[str]:
    """The argv of an exec ``command``: the whole string, its words, or a shell's words."""
    if mode == "split":
        return command.split() or [command]
    if mode == "shell":
        try:
            return shlex.split(command) or [command]
        except ValueError:
            return command.split()
    return [command]
