"""The end of the process: what may be said only when nothing can come between the word and the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final, NoReturn

_LAST: Final[list[Callable[[], None]]] = []


def at_the_very_end(action: Callable[[], None]) -> None:
    """Do it when the verb has succeeded and all output is written; the process ends with the next system call."""
    _LAST.append(action)


def leave(status: int) -> NoReturn:
    """End the process with this status; its streams are flushed."""
    if status == 0 and _LAST:
        for action in _LAST:
            action()
        # The interpreter takes a while to tidy up, and who is killed in that while has not succeeded.
        os._exit(status)
    sys.exit(status)
