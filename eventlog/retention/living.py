"""Which lines of a part of the log are still needed behind it: those that the states of living workspaces depend on.

A workspace is over when nothing of it is in Azure and nothing of it is open; its lines are needed no more. Of one
that lives, everything since it was created or adopted is kept, as it was written, but for commands that have ended.
So its history folds to the same state from the kept lines alone, and still says who made it. Only why an
earlier workspace of the same name had failed, when it was deleted, is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from eventlog.lines.codec import LOG_SUBJECT
from eventlog.lines.upcast import known
from eventlog.replay import Entry, decode_entry
from statemachine import events as e
from statemachine.states import State
from statemachine.table import TABLE


class _Command(msgspec.Struct, gc=False):
    command: str


_command: Final[Callable[[bytes | msgspec.Raw], _Command]] = msgspec.json.Decoder(_Command).decode


class _Life:
    """One workspace since it was last absent."""

    __slots__ = ("last", "lines", "opened", "state", "strange")

    def __init__(self) -> None:
        self.state = State.ABSENT
        self.lines: dict[int, bytes] = {}
        """By seq: those that count."""
        self.last: tuple[int, bytes] = (0, b"")
        """Whatever the last one was, for it gives the workspace its version."""
        self.opened: dict[str, int] = {}
        """Commands that run, with the seq of the line that says so."""
        self.strange = False
        """Whether it has events that this version cannot follow: then everything of it is kept."""

    def take(self, line: bytes, entry: Entry) -> bool:
        """Take the next event; False when the workspace is over."""
        self.last = (entry.seq, line)
        kind = known(e.EVENT_TYPES, entry.type, entry.schema)
        state = None if kind is None else TABLE.get(kind, {}).get(self.state)
        if kind is None or state is None:
            self.strange = True
        elif kind is e.CommandOpened:
            command = _command(entry.data).command
            self.lines.pop(self.opened.get(command, 0), None)
            self.opened[command] = entry.seq
        elif kind is e.CommandClosed and not self.strange:
            self.lines.pop(self.opened.pop(_command(entry.data).command, 0), None)
            return state is not State.ABSENT or bool(self.opened)
        self.lines[entry.seq] = line
        self.state = state or self.state
        return self.strange or self.state is not State.ABSENT or bool(self.opened)


class Living:
    """Goes through a stretch of the log line by line."""

    def __init__(self) -> None:
        self._lives: dict[str, _Life] = {}

    def take(self, line: bytes, entry: Entry) -> None:
        """Take the next line, without its newline. Raises msgspec.MsgspecError."""
        if entry.subject == LOG_SUBJECT:
            return
        life = self._lives.get(entry.subject)
        if life is None:
            life = self._lives[entry.subject] = _Life()
        if not life.take(line, entry):
            del self._lives[entry.subject]

    def subjects(self) -> list[str]:
        """The workspaces that live, by name."""
        return sorted(self._lives)

    def lines(self) -> list[bytes]:
        """The lines to keep, in the order of the log."""
        # A command that outlived its workspace and then ended kept an earlier life; without it, that life is over.
        again = Living()
        for line in self._lines():
            again.take(line, decode_entry(line))
        return again._lines()  # of this very class

    def _lines(self) -> list[bytes]:
        kept: dict[int, bytes] = {}
        for life in self._lives.values():
            kept |= life.lines
            seq, line = life.last
            kept[seq] = line
        return [kept[seq] for seq in sorted(kept)]
