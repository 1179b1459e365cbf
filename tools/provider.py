"""The provider as the benchmarks call it: a process for each verb, about one machine on an emulated Azure."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from emulator.testing import Running
from tools.figures import ROOT

PROGRAM: Final = [sys.executable, "-m", "adapters.cli"]


def environment(azure: Running, folder: Path, *, runtime: Path | None = None, **more: str) -> dict[str, str]:
    """What the provider is started with: its log is in ``folder``; its holders are in ``runtime``, or there too."""
    return {
        **os.environ,
        **azure.env,
        "ACI_EVENT_LOG": str(folder / "events.jsonl"),
        "AZURE_RESOURCE_GROUP": "bench",
        "AZURE_REGION": "westeurope",
        "MACHINE_ID": "bench",
        "XDG_RUNTIME_DIR": str(runtime or folder),
        "PYTHONPATH": str(ROOT),
        **more,
    }
