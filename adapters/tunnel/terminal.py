"""The caller's own terminal, when a command has one at its other end: raw meanwhile, and its size passed on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from adapters.tunnel.loop import Loop
from adapters.tunnel.signals import signals_noted
from adapters.tunnel.spec import TtySize


def terminal_size(fd: int) -> TtySize:
    """The size of the terminal at ``fd``; 24 by 80 when it has none."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return TtySize(24, 80)
    return TtySize(rows or 24, columns or 80)


@contextlib.contextmanager
def terminal_given_over(fd: int, loop: Loop, on_resize: Callable[[TtySize], None]) -> Iterator[None]:
    """Make the terminal at ``fd`` transparent for the far one, and as it was afterwards."""
    if not os.isatty(fd):
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(fd)
    tty.setraw(fd, termios.TCSADRAIN)
    try:
        with signals_noted(loop, lambda _: on_resize(terminal_size(fd)), (signal.SIGWINCH,)):
            yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
