"""What DevPod passes in and expects back: environment, options, run options, answers and the manifests."""

from __future__ import annotations

from adapters.devpod.identity import Target, target
from adapters.devpod.option import Mode
from adapters.devpod.plan import RunPlan, machine_plan, plan
from adapters.devpod.run_options import labels_document, labels_of, parse_run_options
from adapters.devpod.settings import Settings, parse, resolved

__all__ = [
    "RunPlan",
    "Settings",
    "Target",
    "labels_document",
    "labels_of",
    "machine_plan",
    "parse",
    "parse_run_options",
    "plan",
    "render",
    "resolved",
    "target",
]


def render(mode: Mode, program: str = "devpod-provider-aci", version: str = "") -> str:
    """A provider manifest; see ``manifest.render``, which most invocations should not pay for importing."""
    from adapters.devpod.manifest import render as rendering

    return rendering(mode, program, version)
