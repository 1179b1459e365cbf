"""An exact byte pipe over the terminal WebSocket that is Container Instances' only way in.

Names are loaded when they are first used: a command over a running holder needs little of this.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from adapters.tunnel.spec import HOLDER_TUNING, CommandSpec, ExecEndpoint, ExecOpener, TtySize, Tuning, Voice

if TYPE_CHECKING:
    from adapters.tunnel.channel.websocket import NothingRanError
    from adapters.tunnel.direct import run_command
    from adapters.tunnel.holder.call import ask_holder, run_through_holder, stop_holder
    from adapters.tunnel.holder.hold import hold
    from adapters.tunnel.starting.helperfile import Helper, load_helper

__all__ = [
    "HOLDER_TUNING",
    "CommandSpec",
    "ExecEndpoint",
    "ExecOpener",
    "Helper",
    "NothingRanError",
    "TtySize",
    "Tuning",
    "Voice",
    "ask_holder",
    "hold",
    "load_helper",
    "run_command",
    "run_through_holder",
    "stop_holder",
]

_HOMES = {
    "Helper": "starting.helperfile",
    "NothingRanError": "channel.websocket",
    "ask_holder": "holder.call",
    "hold": "holder.hold",
    "load_helper": "starting.helperfile",
    "run_command": "direct",
    "run_through_holder": "holder.call",
    "stop_holder": "holder.call",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"adapters.tunnel.{home}"), name)
