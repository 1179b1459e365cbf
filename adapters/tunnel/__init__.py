"""An exact byte pipe over the terminal WebSocket that is Container Instances' only way in."""

from adapters.tunnel.direct import run_command
from adapters.tunnel.spec import CommandSpec, ExecEndpoint, ExecOpener, Tuning, TtySize

__all__ = ["CommandSpec", "ExecEndpoint", "ExecOpener", "TtySize", "Tuning", "run_command"]
