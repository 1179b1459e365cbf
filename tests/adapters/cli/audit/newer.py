"""A log that a newer version of this program wrote."""

from __future__ import annotations

from tests.adapters.ship.logs import chained

OWNER = {"host": "new", "pid": 1, "started": "1"}
ACTOR = {"user": "eve", "host": "new", "azure": ""}
ASKED = {
    "owner": OWNER,
    "group": {"subscription": "s", "resource_group": "r", "name": "n", "container": "c"},
    "facts": {"image": "i", "location": "eastus", "cpu": 1.0, "memory_gb": 1.0},
}
EVENTS = [
    {"subject": "shop", "type": "CreateRequested", "schema": 9, "data": {}},
    {"subject": "shop", "type": "Created", "data": {}},
    {"subject": "api", "type": "CreateRequested", "data": ASKED},
    {"subject": "api", "type": "Created", "data": {}},
    {"subject": "api", "type": "StopRequested", "schema": 9, "data": {}},
    {"subject": "api", "type": "Stopped", "data": {}},
]
"""Of intents of a newer shape nothing is known here, so what follows them makes no sense."""


def log() -> bytes:
    """Its lines."""
    return chained([one | {"actor": ACTOR} for one in EVENTS])
