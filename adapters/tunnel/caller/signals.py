"""Signals, served in the loop: a process that is told to end first ends its command in the container."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Final

from adapters.tunnel.loop import Loop

ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


@contextlib.contextmanager
def signals_noted(loop: Loop, on_signal: Callable[[int], None], numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    """Serve signals in the loop instead of dying of them; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        # A signal that the caller ignores (nohup) stays ignored.
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, lambda got, _: loop.from_thread(lambda: on_signal(got)))
    wake = signal.set_wakeup_fd(loop.wake_fd, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wake)
        for number, handler in before.items():
            signal.signal(number, handler)
