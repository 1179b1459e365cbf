"""This computer: its clock, its processes, its folders, and who is using it."""

from __future__ import annotations

import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from statemachine.events import Owner


class SystemClock:
    """The computer's own clock; satisfies ``statemachine.ports.Clock``."""

    def now(self) -> datetime:
        """The time of day, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class LocalProcesses:
    """The processes of this computer; satisfies ``statemachine.ports.Processes``."""

    def me(self) -> Owner:
        """This process."""
        return Owner(host=host(), pid=os.getpid(), started=_started(os.getpid()))

    def alive(self, owner: Owner) -> bool:
        """Whether that process still runs here; a process of another host counts as gone."""
        if owner.host != host():
            return False
        try:
            os.kill(owner.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return _started(owner.pid) == owner.started


def is_folder(path: Path) -> bool:
    """Whether it is one, as far as this user can tell: ``Path.is_dir`` raises for what may not be looked at."""
    try:
        return path.is_dir()
    except OSError:
        return False


def host() -> str:
    """The computer's name."""
    return socket.gethostname()


def user() -> str:
    """The operating system's name for the user, or its number where it has no name."""
    if os.name == "nt":
        return os.environ.get("USERNAME", "")
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _started(pid: int) -> str:
    """What tells a process from a later one with the same number: boot id and start time in ticks (proc(5)).

    Empty where there is no /proc; then the number alone must do.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else f"{boot[:8]}-{fields[19]}"
