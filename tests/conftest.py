"""What holds for every test: none fails because the machine is busy, and a run says what the run before it said."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# Examples are the same in every run; `make test-slow` looks for others. How long one takes says nothing.
settings.register_profile(
    "ours",
    deadline=None,
    derandomize=not os.environ.get("ACI_SLOW_TESTS"),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("ours")

# A shell that runs the tests in the background has them ignore Ctrl-C, and whoever ignores it hands that down.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Keys that tests make belong beside their own logs, and not into the keyring of whoever runs them.
os.environ["ACI_EVENT_LOG_KEY"] = "file"
