"""An exact byte pipe over the terminal WebSocket that is Container Instances' only way in.

Names are loaded when they are first used: a command over a running holder needs little of this.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from adapters.tunnel.spec import HOLDER_TUNING, CommandSpec, ExecEndpoint, ExecOpener, TtySize, Tuning

if TYPE_CHECKING:
    from adapters.tunnel.direct import run_command
    from adapters.tunnel.helperfile import Helper, load_helper
    from adapters.tunnel.holder import hold
    from adapters.tunnel.holdercall import ask_holder, run_through_holder, stop_holder
    from adapters.tunnel.websocket import NothingRanError

__all__ = [
    "HOLDER_TUNING",
    "CommandSpec",
    "ExecEndpoint",
    "ExecOpener",
    "Helper",
    "NothingRanError",
    "TtySize",
    "Tuning",
    "ask_holder",
    "hold",
    "load_helper",
    "run_command",
    "run_through_holder",
    "stop_holder",
]

_HOMES = {
    "Helper": "helperfile",
    "NothingRanError": "websocket",
    "ask_holder": "holdercall",
    "hold": "holder",
    "load_helper": "helperfile",
    "run_command": "direct",
    "run_through_holder": "holdercall",
    "stop_holder": "holdercall",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"adapters.tunnel.{home}"), name)
