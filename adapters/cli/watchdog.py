"""Beside a machine's create stands a process that deletes what the create began, should that not do so itself.

DevPod forgets a machine whose create did not end well, and never asks for its end. `create` clears up after itself, but
a killed one cannot, nor one that Azure stopped answering: its container group would run, and be billed, until somebody
reads the log. When DevPod forgets a machine it removes the machine's folder (DeleteMachineFolder in
pkg/workspace/workspace.go). As long as the folder is there, DevPod's next call continues what was begun, and the
watchdog does nothing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.cli.console import say
from adapters.cli.leaving import at_the_very_end

if TYPE_CHECKING:
    from subprocess import Popen

FORGETS_WITHIN: Final = 20.0
"""Seconds in which DevPod removes the folder once a create has failed."""
POLL_SECONDS: Final = 0.2

LOOKS: Final = (5.0, 10.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds before each delete; after the first ones, as long as none has succeeded."""
FIRST_LOOKS: Final = 2
"""Made in any case: the killed process may have sent a request that Azure shows only in a while."""

_SETTLED: Final = b"."


@contextmanager
def watched(environ: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Have what is begun in the block deleted if this process is killed, be it after the block and at its very end.

    DevPod goes by the exit status alone: it forgets a machine whose create was killed, whatever had been done by then.
    A block that fails has cleared up after itself, or calls what it is given: then that is done here too, later. Does
    nothing for a machine that DevPod keeps no folder of.
    """
    folder = environ.get("MACHINE_FOLDER", "")
    watchdog = _started(Path(folder).absolute(), environ) if folder and Path(folder).is_dir() else None
    left_behind: list[bool] = []
    try:
        yield lambda: left_behind.append(True)
    except Exception:
        if watchdog and not left_behind:
            watchdog.communicate(_SETTLED)
        raise
    if watchdog:
        at_the_very_end(lambda: _settle(watchdog))


def _settle(watchdog: Popen[bytes]) -> None:
    with suppress(OSError):  # it may have been killed itself
        os.write(watchdog.stdin.fileno() if watchdog.stdin else -1, _SETTLED)


def _started(folder: Path, environ: Mapping[str, str]) -> Popen[bytes] | None:
    """The watchdog; None where the computer starts no more processes, for that is no reason not to create."""
    import subprocess  # start, stop and status live beside create, and need none of it

    try:
        # It shares none of our streams, for DevPod waits until those are closed, and gets no signal of our group.
        return subprocess.Popen(
            [sys.executable, "-m", "adapters.cli.watchdog", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=dict(environ),
        )
    except OSError as problem:
        say(f"warning: should this create be killed, nobody deletes what it began: {problem.strerror}")
        return None


def main() -> None:
    """Wait for the word that all is well, or for the end of who would say it."""
    folder = Path(sys.argv[1])
    if sys.stdin.buffer.read() == _SETTLED or not _forgotten(folder):
        return
    from adapters.cli.main import run

    gone = False
    for number, pause in enumerate(LOOKS):
        if gone and number >= FIRST_LOOKS:
            return
        time.sleep(pause)
        if folder.exists():
            return  # somebody has made a machine of the same name
        gone = run(["delete"]) == 0


def _forgotten(folder: Path) -> bool:
    until = time.monotonic() + FORGETS_WITHIN
    while folder.exists():
        if time.monotonic() >= until:
            return False
        time.sleep(POLL_SECONDS)
    return True


if __name__ == "__main__":
    main()
