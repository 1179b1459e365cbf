"""What DevPod passes in and expects back: environment, options, run options, answers and the manifests."""

from adapters.devpod.identity import Target, target
from adapters.devpod.plan import RunPlan, machine_plan, plan
from adapters.devpod.run_options import RunOptions, labels_document, labels_of, parse_run_options
from adapters.devpod.settings import Resolved, Settings, parse, resolved

__all__ = [
    "Resolved",
    "RunOptions",
    "RunPlan",
    "Settings",
    "Target",
    "labels_document",
    "labels_of",
    "machine_plan",
    "parse",
    "parse_run_options",
    "plan",
    "resolved",
    "target",
]
