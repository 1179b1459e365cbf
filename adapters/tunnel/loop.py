"""A small event loop: poll, timers, and a way to be woken from another thread."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import select
import time
from collections import deque
from collections.abc import Callable


class Loop:
    """Everything of the tunnel that waits, waits here."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: dict[int, tuple[int, Callable[[int], None]]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._soon: deque[Callable[[], None]] = deque()
        self._wake_read, self.wake_fd = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self.wake_fd, False)
        self.watch(self._wake_read, select.POLLIN, self._woken)

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call back when one of the events (or an error) happens; replaces an earlier watch."""
        known = self._watched.get(fd)
        self._watched[fd] = (events, callback)
        if known is None or known[0] != events:
            self._poll.register(fd, events)

    def forget(self, fd: int) -> None:
        """Stop watching, which must come before the descriptor is closed."""
        if self._watched.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, later."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._count), callback))

    def from_thread(self, callback: Callable[[], None]) -> None:
        """Call back in the loop; may be called from any thread."""
        self._soon.append(callback)
        try:
            os.write(self.wake_fd, b"\0")
        except (BlockingIOError, OSError):
            return  # full: it wakes up anyway; closed: nobody waits any more

    def step(self, most: float | None = None) -> None:
        """Wait for something and serve it."""
        now = time.monotonic()
        wait = most
        if self._timers:
            until = max(0.0, self._timers[0][0] - now)
            wait = until if wait is None else min(wait, until)
        for fd, events in self._poll.poll(None if wait is None else int(wait * 1000) + (wait > 0)):
            watched = self._watched.get(fd)
            if watched is not None:
                watched[1](events)
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    def close(self) -> None:
        """Release the loop's own descriptors."""
        self.forget(self._wake_read)
        wake, self.wake_fd = self.wake_fd, -1
        os.close(self._wake_read)
        os.close(wake)

    def _woken(self, _: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        while self._soon:
            self._soon.popleft()()
