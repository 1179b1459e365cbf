"""The caller's own terminal, when a command has one at its other end: raw meanwhile, and its size passed on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Final

from adapters.tunnel.caller.signals import signals_noted
from adapters.tunnel.loop import Loop
from adapters.tunnel.spec import TtySize

LOOK: Final = 0.2
"""Seconds between two looks whether a terminal that others have is ours again."""


def terminal_size(fd: int) -> TtySize:
    """The size of the terminal at ``fd``; 24 by 80 when it has none."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return TtySize(24, 80)
    return TtySize(rows or 24, columns or 80)


def come_to_the_foreground(fd: int) -> None:
    """Stop, as a background process that reads its terminal is stopped, until we are in the foreground.

    The holder that reads the terminal for us is in another session: the kernel would not stop it, and it would take
    keys meant for others. Nothing happens where there is no terminal.
    """
    if _others_have(fd):
        # In a group that nobody looks after the signal is lost; then there is nobody to read instead of us either.
        with contextlib.suppress(OSError):
            os.killpg(os.getpgrp(), signal.SIGTTIN)


def _others_have(fd: int) -> bool:
    """Whether the keys typed into the terminal at ``fd`` are meant for another job of the same shell."""
    try:
        return os.tcgetpgrp(fd) != os.getpgrp()
    except OSError:
        return False


@contextlib.contextmanager
def terminal_shared(fd: int, loop: Loop, on_turn: Callable[[bool], None]) -> Iterator[None]:
    """Tells whether the terminal at ``fd`` is ours to read, each time that changes: Ctrl-Z gives it to the shell.

    Who reads it himself is stopped with that. The holder that reads it for us would go on, and take half of the keys.
    """
    if not os.isatty(fd):
        yield
        return
    ours = True

    def look() -> None:
        turn(now=not _others_have(fd))
        if not ours:
            loop.after(LOOK, look)

    def turn(*, now: bool) -> None:
        nonlocal ours
        if now != ours:
            ours = now
            on_turn(now)

    def noted(number: int) -> None:
        if number == signal.SIGTSTP:
            turn(now=False)
            handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, handler)
        look()

    with signals_noted(loop, noted, (signal.SIGTSTP, signal.SIGCONT)):
        yield


@contextlib.contextmanager
def terminal_given_over(fd: int, loop: Loop, on_resize: Callable[[TtySize], None]) -> Iterator[Callable[[], None]]:
    """Gives a function that puts the terminal at ``fd`` into raw mode; the block restores its modes at the end.

    Until the function is called keys still make signals here, so that a wait for a connection can be interrupted.
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
            # TCSANOW, not TCSADRAIN: output may be held up (Ctrl-S), and would never drain.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(fd, termios.TCSANOW, before)
