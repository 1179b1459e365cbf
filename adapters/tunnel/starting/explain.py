"""Why a session did not become a tunnel: one line and a remedy, from what it printed and how it was closed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from adapters.tunnel.channel.websocket import ChannelClosedError, NothingRanError
from statemachine.errors import ExecRefusedError, HelperMismatchError, NoPlaceError, NoShellError, TunnelError

QUOTED_MOST: Final = 300

_REASONS: Final = {
    "absent": "not there",
    "closed": "not writable",
    "foreign": "holds a folder of somebody else's under our name",
    "full": "full or not writable",
    "mkdir": "no folder can be made there without mkdir, which the image lacks",
    "mode": "chmod fails there, or is not in the image",
    "noexec": "mounted noexec",
    "printf": "writable, but the shell has no printf",
    "memory": "no memory file",
}
ENDED: Final = (
    "Look at why its main process ended (`devpod-provider-aci logs -w NAME`), then start the workspace again"
    " (`devpod up`)."
)
TOO_LONG: Final = 1009
_LET_GO: Final = frozenset({1001, 1006, TOO_LONG, 1012, 1013, 1014})
"""What a server says that goes away, is too busy, or takes no message so long (RFC 6455, and IANA's registry of codes):
nothing of its process.
"""
_PROMPTS: Final = ("#", "$", "%")
_RESTART: Final = "Stop and start the workspace to get rid of it."
_SHELL_SILENT: Final = (
    "Try again; if it stays so, see that the image's /bin/sh starts without asking for anything and "
    "that nothing in the container writes to its terminals without end."
)
_MEMORY: Final = (
    'Mount an empty folder, for example with "mounts": ["type=volume,target=/devpod-tunnel"] in devcontainer.json, '
    "or use an image with a writable /tmp that is not mounted noexec, or with python3 or perl."
)
# What container runtimes print instead of starting a process in a container that has ended.
_NOT_RUNNING: Final = re.compile(
    r"(container|task|process|sandbox)\b.{0,60}\b(not running|not found|has (exited|stopped|ended|terminated))"
    r"|in a (stopped|paused|exited) (container|state)|not in a running state",
    re.IGNORECASE,
)


class CutShortError(ExecRefusedError):
    """The connection broke before the helper spoke: worth another try."""

    too_long = False
    """Whether a message that was too long is said to be the reason."""


class SilentError(NoShellError):
    """A session in which nothing at all was said: the container may have ended, which another exec call would tell."""


def quoted(heard: bytes) -> str:
    """The end of what a terminal printed, safe to show: one line, no control characters."""
    text = heard.decode("utf-8", "replace")
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", " ", text)  # colours and the like: only their letters would show
    shown = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(shown.split())[-QUOTED_MOST:]


_BETWEEN: Final = rb"(?:[\r\n ]|\x1b\[[0-9;?]*[ -/]*[@-~])*"
"""What a line editor puts between two characters where a line is full."""


def without_echo(heard: bytes, messages: Iterable[bytes]) -> bytes:
    """What a terminal printed besides the echo of the messages typed, the last of which may have come in part only."""
    partial: bytes | None = None
    for message in messages:
        # Message by message: the shell's own words may stand between two of them.
        heard, found = re.subn(_echo_of(message), b"", heard, count=1)
        if not found and partial is None:
            partial = message.strip()
    for length in range(len(partial or b""), 0, -1):
        cut = re.search(rb"(?<![A-Za-z0-9])" + _echo_of((partial or b"")[:length]) + _BETWEEN + rb"\Z", heard)
        if cut:
            return heard[: cut.start()]
    return heard


def _echo_of(text: bytes) -> bytes:
    return _BETWEEN.join(re.escape(bytes([char])) for char in text if char not in b" \r\n")


def closed_early(closed: ChannelClosedError, text: str, *, started: bool) -> TunnelError:
    """The session was closed before the helper spoke; ``started``: although a shell had answered already."""
    began = started or _is_prompt(text)
    if closed.code == 1006 and (began or not text):
        return CutShortError(f"the exec session broke before the helper spoke ({closed})")
    if began and (closed.code in _LET_GO or not started):
        cut = CutShortError(f"the exec session was ended before the helper spoke ({closed})")
        cut.too_long = closed.code == TOO_LONG
        return cut
    if started:
        return HelperMismatchError(
            f"the helper in the container ended before it spoke ({closed}): {text}", remedy=_RESTART
        )
    if closed.code == 1008:
        return NothingRanError(f"the exec endpoint refused the session's password ({closed})")
    if _NOT_RUNNING.search(text):
        said = f"{closed}: {text}"
        return NothingRanError(f"the container has ended, so no process can be started in it ({said})", remedy=ENDED)
    if text:
        return NoShellError(f"/bin/sh could not be used ({closed}): {text}")
    return NothingRanError(f"the exec session was closed before a process ran ({closed})")


def _is_prompt(text: str) -> bool:
    """Whether a shell printed only its prompt; a back end that cannot start a shell prints words instead."""
    return text.endswith(_PROMPTS) or (text != "" and not any(map(str.isalpha, text)))


def no_answer(what: str, text: str) -> NoShellError:
    """The session stays open and says nothing of use; ``what`` completes "/bin/sh …"."""
    if text:
        return NoShellError(f"/bin/sh {what}; it printed: {text}", remedy=_SHELL_SILENT)
    return SilentError(f"/bin/sh {what}; it printed nothing", remedy=_SHELL_SILENT)


def no_place(tried: Sequence[tuple[str, str]]) -> NoPlaceError:
    """Nothing in the container takes the helper; each place with the shell's word for the reason."""
    places = ", ".join(f"{quoted(place.encode()) or '?'} ({_REASONS.get(why, why)})" for place, why in tried)
    without = "" if any(why == "memory" for _, why in tried) else ", and there is no python3 or perl to do without one"
    return NoPlaceError(f"no folder in the container takes an executable file: {places}{without}", remedy=_MEMORY)
