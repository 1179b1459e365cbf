"""Where the log is, and what stands beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from statemachine.errors import LogError

APPLICATION: Final = "devpod-provider-aci"
FILE_NAME: Final = "events.jsonl"
VARIABLE: Final = "ACI_EVENT_LOG"
TORN: Final = "torn"


def default_path(environ: Mapping[str, str]) -> Path:
    """The file ``ACI_EVENT_LOG`` names, else one in the platform's folder for state.

    Never in a DevPod folder: those are deleted with the workspace. Behind every symbolic link, because of what
    stands beside the log. Raises LogError for a user without a home.
    """
    named = environ.get(VARIABLE, "").strip()
    try:
        if named:
            path = Path(named).expanduser()
        else:
            from platformdirs import user_state_path

            path = user_state_path(APPLICATION, appauthor=False) / FILE_NAME
        path = Path(os.path.realpath(path))
    except RuntimeError as error:
        raise _no_place(str(error)) from error
    except OSError as error:  # a folder that was deleted around us
        raise _no_place(f"{named} in this folder: {error.strerror}") from error
    if not path.name:
        raise _no_place(f"{named} is a folder")
    return path


def _no_place(why: str) -> LogError:
    return LogError(f"there is no place for the event log: {why}", remedy=f"Set {VARIABLE} to the path of a file.")


def torn_path(log: Path, seq: int, moment: str, attempt: int = 0) -> Path:
    """Where an unfinished last line is put; ``attempt`` tells files of the same second apart."""
    suffix = f"-{attempt}" if attempt else ""
    return log.with_name(f"{log.name}.{TORN}-{seq}-{moment}{suffix}")


def blobs_path(log: Path, kind: str) -> Path:
    """The folder of private documents that events point to by digest."""
    return log.with_name(log.name + ".d") / kind
