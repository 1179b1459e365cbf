"""A process that ships, forks for each attempt so that nothing is imported twice, and is killed on the way.

``python -m tests.adapters.ship.killed LOG CONTAINER SEED``: with seed 0 each attempt kills itself (SIGKILL)
before or after a request; with another seed attempts are killed by their parent at random times. The last
attempt is left alone.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from azure.core.pipeline.transport import RequestsTransport

from adapters.ship.blob import Container
from adapters.ship.local import LocalLog
from adapters.ship.place import place
from adapters.ship.send import ship

BLOCK, MOST = 2_500, 3
STRIKES = ((0, "after"), (1, "before"), (0, "before"), (1, "after"), (2, "before"))
"""How many requests are let through first, and on which side of the next one the process dies."""


class Striking(RequestsTransport):
    """Kills this process before or after a request is sent, counting only those that change something."""

    def __init__(self, left: int, moment: str) -> None:
        super().__init__()
        self.left, self.moment = left, moment

    def send(self, request: Any, **options: Any) -> Any:
        strikes = request.method == "PUT" and self.left == 0
        self.left -= request.method == "PUT"
        if strikes and self.moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        response = super().send(request, **options)
        if strikes:
            os.kill(os.getpid(), signal.SIGKILL)
        return response


def attempt(log: Path, url: str, transport: Any) -> None:
    store = Container(place(url, os.environ), transport=transport)
    ship(LocalLog(log, own=True), store, block=BLOCK, most_blocks=MOST)


def forked(log: Path, url: str, transport: Any, *, after: float | None = None) -> bool:
    """Whether an attempt in a child process was killed."""
    child = os.fork()
    if child == 0:
        try:
            attempt(log, url, transport)
        except BaseException as error:
            print("FAILED", error, flush=True)
            os._exit(1)
        os._exit(0)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("an attempt failed")
    return os.WIFSIGNALED(status)


def main(log: Path, url: str, seed: int) -> None:
    dice = random.Random(seed)
    if seed:
        # At any time: the parent does not know what the child is doing.
        killed = sum(forked(log, url, RequestsTransport(), after=dice.uniform(0, 0.15)) for _ in range(20))
    else:
        # On both sides of every request that changes something; the next attempt resumes behind it.
        killed = 0
        while forked(log, url, Striking(*STRIKES[killed % len(STRIKES)])):
            killed += 1
    attempt(log, url, RequestsTransport())
    print(f"killed {killed}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
