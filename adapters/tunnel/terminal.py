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


def come_to_the_foreground(fd: int) -> None:
    """Stop, as whoever reads a terminal in the background does, until we are asked for. Nothing where there is none.

    The holder that reads it for us is of another session, which nothing would keep from the keys meant for others.
    """
    with contextlib.suppress(OSError):
        # In a group that nobody looks after the signal is lost; then there is nobody to read instead of us either.
        if os.tcgetpgrp(fd) != os.getpgrp():
            os.killpg(os.getpgrp(), signal.SIGTTIN)


@contextlib.contextmanager
def terminal_given_over(fd: int, loop: Loop, on_resize: Callable[[TtySize], None]) -> Iterator[Callable[[], None]]:
    """Gives a function that makes the terminal at ``fd`` transparent for the far one; as it was afterwards.

    Until it is called keys are still signals here: who waits for a connection can leave.
    """
    if not os.isatty(fd):
        yield lambda: None
        return
    import termios
    import tty

    before = termios.tcgetattr(fd)
    begun = False

    def begin() -> None:
        nonlocal begun
        begun = True
        with contextlib.suppress(termios.error):  # it has been closed: SIGHUP is on its way
            tty.setraw(fd, termios.TCSANOW)
        on_resize(terminal_size(fd))

    def noted(number: int) -> None:
        # SIGTSTP is for nobody: stopped we would leave the keys to two readers. After a stop that nobody can refuse
        # the shell that started us has made the terminal its own.
        if begun and number == signal.SIGCONT:
            begin()
        elif begun and number == signal.SIGWINCH:
            on_resize(terminal_size(fd))

    with signals_noted(loop, noted, (signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP)):
        try:
            yield begin
        finally:
            # Not when the output has drained: somebody may have stopped to read it.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(fd, termios.TCSANOW, before)
