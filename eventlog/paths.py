"""Where the log is, and what stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

APPLICATION: Final = "devpod-provider-aci"
FILE_NAME: Final = "events.jsonl"
VARIABLE: Final = "ACI_EVENT_LOG"
TORN: Final = "torn"


def default_path(environ: Mapping[str, str]) -> Path:
    """The file ``ACI_EVENT_LOG`` names, else one in the platform's folder for state.

    Never in a DevPod folder: those are deleted with the workspace.
    """
    named = environ.get(VARIABLE, "").strip()
    if named:
        return Path(named).expanduser()
    from platformdirs import user_state_path

    return user_state_path(APPLICATION, appauthor=False) / FILE_NAME


def torn_path(log: Path, seq: int, moment: str, attempt: int = 0) -> Path:
    """Where an unfinished last line is put; ``attempt`` tells files of the same second apart."""
    suffix = f"-{attempt}" if attempt else ""
    return log.with_name(f"{log.name}.{TORN}-{seq}-{moment}{suffix}")


def blobs_path(log: Path, kind: str) -> Path:
    """The folder of private documents that events point to by digest."""
    return log.with_name(log.name + ".d") / kind
