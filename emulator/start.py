"""Entry point of the console script: the emulator's packages are an extra, which an installation may lack."""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    """Run the command line; one line says so where a package of the extra is missing."""
    try:
        command = import_module("emulator.cli").main
    except ModuleNotFoundError as error:
        sys.exit(
            f"error: the emulator needs the Python package {error.name}, which is not installed."
            " Install this program with its extra: `uv tool install '.[emulator]'` in its checkout."
        )
    command(prog_name="devpod-provider-aci-emulator")
