"""shell: a person's terminal in the container."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import click

from adapters.cli.command import recorded
from adapters.cli.compose import session
from adapters.cli.unicode_text import unicode_text
from adapters.cli.workspace_option import WORKSPACE, environment

if TYPE_CHECKING:
    from adapters.tunnel import TtySize

LOGIN: Final = "if command -v bash >/dev/null 2>&1; then exec bash -l; else exec sh -l; fi"
PASSED: Final = ("TERM", "COLORTERM", "LANG", "LANGUAGE")
"""What programs need to know of a terminal and of who reads it; LC_* as well."""
IUTF8: Final = 0x4000
"""Of ``c_iflag``, on Linux and macOS alike; Python's termios has no name for it."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--user",
    type=unicode_text,
    default="",
    metavar="NAME",
    help="Who to be in the container; the image's own user if not given.",
)
@WORKSPACE
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
def shell(user: str, workspace: str | None, words: tuple[str, ...]) -> int:
    """Open an interactive shell in the container, or run COMMAND there, with a real terminal.

    Without a terminal here, at both ends, COMMAND has none there.
    """
    import shlex

    from adapters.tunnel import CommandSpec

    current = session(environment(workspace))
    text = shlex.join(words) or LOGIN
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return recorded(current, text, user, "shell", CommandSpec(command=text, user=user))
    spec = CommandSpec(
        command=_with_modes(text), user=user, env=dict(_passed(current.environ)), tty=_size(sys.stdin.fileno())
    )
    return recorded(current, text, user, "shell", spec)


def _passed(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if value and (name in PASSED or name.startswith("LC_")):
            yield name, value


def _size(fd: int) -> TtySize:
    from adapters.tunnel.caller.terminal import terminal_size

    return terminal_size(fd)


def _with_modes(text: str) -> str:
    """The text behind a line that gives the far terminal what a program there cannot guess of this one.

    A container without stty does without: whoever edits lines by himself, as bash does, asks neither.
    """
    import termios

    modes = termios.tcgetattr(sys.stdin.fileno())
    words = ["iutf8"] if modes[0] & IUTF8 else []
    erase = modes[6][termios.VERASE]
    if isinstance(erase, bytes) and erase not in (b"\0", b"\xff"):
        words += ["erase", _caret(erase[0])]
    return f"stty {' '.join(words)} 2>/dev/null; {text}" if words else text


def _caret(key: int) -> str:
    if key == 0x7F:
        return "'^?'"
    return f"'^{chr(key + 64)}'" if key < 0x20 else f"'{chr(key)}'"
