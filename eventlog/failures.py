"""What a failed system call means for the person who has to act on it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from statemachine.errors import LogError

_REMEDIES: Final = {
    errno.ENOSPC: "Free some space on that disk, and try again.",
    errno.EDQUOT: "Free some of your quota on that disk, and try again.",
    errno.EFBIG: "Raise the limit on the size of files, or set ACI_EVENT_LOG to a path on another disk.",
    errno.EIO: "Check the disk: it reports an error.",
    errno.EISDIR: "Set ACI_EVENT_LOG to a file.",
    errno.ENOLCK: "Set ACI_EVENT_LOG to a path on a file system that can lock files.",
}


@contextmanager
def explained(path: Path, verb: str) -> Iterator[None]:
    """Turn an OSError into a LogError that says what could not be done, why, and what to do."""
    try:
        yield
    except OSError as error:
        raise log_error(path, verb, error) from error


def log_error(path: Path, verb: str, error: OSError) -> LogError:
    """The LogError for an OSError."""
    why = os.strerror(error.errno) if error.errno else str(error)
    remedy = _REMEDIES.get(error.errno or 0)
    return LogError(f"the event log {path} cannot be {verb}: {why}", remedy=remedy)


def not_a_file(path: Path) -> LogError:
    """The error for a folder, a pipe or a device under the log's name."""
    kind = "a directory" if path.is_dir() else "not a regular file"
    return LogError(f"the event log {path} is {kind}", remedy="Set ACI_EVENT_LOG to a file.")


def warn(message: str) -> None:
    """Say something that is no error; goes to stderr unless the program set up logging otherwise."""
    import logging

    logging.getLogger("eventlog").warning(message)
