"""Builds the tunnel's helper while the wheel is built, so that every install carries one made from its source."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class HelperBuildHook(BuildHookInterface[Any]):
    """Compiles ``adapters/tunnel/helper`` in place; the wheel takes the result as an artifact."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before the wheel (or the editable install) is put together."""
        folder = Path(self.root) / "adapters" / "tunnel" / "helper"
        runpy.run_path(str(folder / "build.py"))["build"](folder)
