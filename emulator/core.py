"""The emulator: the parts every request handler needs, in one object."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path

from emulator.containers.container import Place
from emulator.exec.sessions import Sessions
from emulator.faults import Faults
from emulator.images import Catalogue
from emulator.journal import Journal
from emulator.lifecycle import Lifecycle
from emulator.model import Store
from emulator.settings import Settings
from emulator.throttle import Throttle
from emulator.tokens import Tokens


@dataclass
class Emulator:
    """Built once by the server; handlers get it beside each call."""

    settings: Settings
    state: Path
    place: Place
    random: random.Random
    store: Store
    tokens: Tokens
    journal: Journal
    faults: Faults
    images: Catalogue
    sessions: Sessions
    lifecycle: Lifecycle
    throttle: Throttle
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    control_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    registration: str = "Registered"
    exec_port: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def background(self, work: Coroutine[None, None, None]) -> None:
        """Run something beside the requests; ended with the emulator."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
