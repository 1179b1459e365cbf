"""The key of the pseudonyms: made once, kept beside the log for its owner only, never an argument or a variable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from eventlog.disk import Disk, is_open_to_others
from statemachine.errors import LogError

SIZE: Final = 32
FILE_NAME: Final = "redact.key"


def key_path(log: Path) -> Path:
    """Where the key of a log's pseudonyms is."""
    return log.with_name(log.name + ".d") / FILE_NAME


def redaction_key(path: Path, *, make: bool = True) -> bytes:
    """The key in a file; a new one if there is none and ``make`` allows it.

    Raises LogError when it cannot be read or written, is no key, or others may read it.
    """
    try:
        found = _read(path)
        if found is None and make:
            # Two exports at once must end with one key, and a crash with none or all of it.
            Disk().create_once(path, os.urandom(SIZE))
            found = _read(path)
    except OSError as error:
        raise LogError(f"the key {path} cannot be used: {error.strerror}", remedy="Check that path.") from error
    if found is None:
        raise LogError(f"there is no key {path}", remedy="Name the file of the key to pseudonymise with.")
    if len(found) != SIZE:
        raise LogError(f"{path} is not a key of {SIZE} bytes", remedy="Restore it, or move it away to make a new one.")
    return found


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            if is_open_to_others(os.fstat(file.fileno())):
                raise LogError(
                    f"other users can read the key {path}", remedy=f"Take that from them: `chmod 600 {path}`."
                )
            return file.read(SIZE + 1)
    except FileNotFoundError:
        return None
