"""Lines for people go to stderr: stdout belongs to DevPod's protocol."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import Final, TextIO

_DEBUG_LEVELS: Final = frozenset({"debug", "trace"})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
UNWRITTEN: Final = 1
"""Exit status when standard output cannot be written; click's own when nobody reads it."""
_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def fill_closed_streams() -> None:
    """Put /dev/null in the place of standard streams that the caller closed; before any other file is opened.

    The next file would get the number: a command's output would go into the event log.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003  # the call's own signature
            setattr(sys, name, os.fdopen(number, mode))


def replace_unencodable() -> None:
    """Print a question mark for what the encoding of standard output does not have, such as a name under cp1252.

    An encoding that takes any bytes through, as the C locale's does, stays as it is.
    """
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def report_if_unwritable(error: BaseException) -> bool:
    """Whether an error that nobody took for another is that standard output cannot be written; then it is said."""
    if not isinstance(error, OSError) or error.filename is not None or error.errno not in _FULL:
        return False
    say(f"error: standard output cannot be written: {error.strerror}")
    return True


def flush_streams(status: int) -> int:
    """Write what is still held back, and give the exit status: at the interpreter's own end it would be a traceback."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            discard_pending(stream)
            if stream is sys.stdout:
                # A verb that failed has said so already.
                if status == 0:
                    report_if_unwritable(error)
                status = status or UNWRITTEN
    return status


def discard_pending(stream: TextIO) -> None:
    """Send what is still in the buffer of a stream, and cannot be written, nowhere."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # a device and no path of ours
        os.dup2(nowhere.fileno(), stream.fileno())


def debugging(environ: Mapping[str, str]) -> bool:
    """Whether DevPod was called with ``--debug`` or a log level that asks for traces (pkg/provider/env.go)."""
    return environ.get("DEVPOD_DEBUG", "").lower() == "true" or (
        environ.get("DEVPOD_LOG_LEVEL", "").lower() in _DEBUG_LEVELS
    )


def say(text: str) -> None:
    """One line for the person who waits, with nothing in it that a terminal obeys: names come from elsewhere."""
    if not text.isprintable():
        from eventlog.table import printable

        text = printable(text)
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        # Nobody listens any more, or the disk is full; the work goes on and its record is in the log.
        return


def trace(text: str) -> None:
    """One line of debugging, with its time in UTC: DevPod's own beside it is local."""
    say(f"{datetime.now(UTC):%H:%M:%S.%f}Z {text}")


def tracer(environ: Mapping[str, str]) -> Callable[[str], None] | None:
    """Where debugging goes; None where nobody asked for it."""
    return trace if debugging(environ) else None
