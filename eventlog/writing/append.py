"""The one way into the log: lock, look at the end, write one line, unlock, sync.

The sync comes behind the unlock, so that those who append at the same time share the disk's one flush instead of
queueing for one each. Nobody is told of an event before his own sync is over, and that brings everything before his
line to the disk as well: what was acknowledged never rests on what can get lost.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from eventlog.disk import PRIVATE_FILE, Disk, make_private
from eventlog.failures import log_error, not_a_file, warn
from eventlog.files.tail import Tail, read_tail
from eventlog.lines.codec import LOG_SUBJECT
from eventlog.writing.compose import Composer, Draft
from eventlog.writing.recover import set_aside
from eventlog.writing.roll import end_of, roll
from eventlog.writing.turn import STAYS_OPEN, Turn
from statemachine.errors import LogError
from statemachine.ports import Recorded

Check = Callable[[Tail, str, int], None]
"""Called in our turn with the end of the log, and what a subject's version should be; raises if it is not."""

Make = Callable[[Tail], Draft]

_PRIVATE: Final = stat.S_IFREG | PRIVATE_FILE


class Appender:
    """Appends events to one file."""

    def __init__(self, path: Path, composer: Composer, *, disk: Disk, patience: float, segment: int) -> None:
        self._path = path
        self._composer = composer
        self._disk = disk
        self._turn = Turn(path, disk, patience)
        self._segment = segment
        self.rolled = False
        """Whether an append sealed a segment since somebody last cared."""
        self._last: Tail | None = None
        """The end of the log behind what we wrote last, in the file that was open then."""
        self._subject = ""
        """Whose event that was."""
        self._opened = 0
        self._broken = ""

    def append(self, draft: Draft | Make, expected: int | None, check: Check) -> Recorded:
        """Write one event if the subject is as expected.

        An event that says something about the log is made in our turn, from its end. Raises LogError,
        LogDamagedError, TypeError, and what ``check`` raises.
        """
        if self._broken:
            raise LogError(self._broken, remedy="Check the disk, then start the command again.")
        try:
            return self._in_turn(draft, expected, check)
        except FileNotFoundError:
            return self._in_new_folder(draft, expected, check)
        except OSError as error:
            raise self._explained(error) from error

    def forget(self) -> None:
        """Close the file; the next append opens it again."""
        self._turn.forget()

    def prepare(self) -> None:
        """All of an append but the line: makes the file if need be. Raises LogError, LogDamagedError."""
        try:
            self._disk.make_folder(self._path.parent)
            with self._turn as turn:
                if turn.mode != _PRIVATE:
                    self._protect(turn.fd)
                self._end(turn.fd)
        except OSError as error:
            raise self._explained(error) from error

    def _in_new_folder(self, draft: Draft | Make, expected: int | None, check: Check) -> Recorded:
        try:
            self._disk.make_folder(self._path.parent)
            return self._in_turn(draft, expected, check)
        except OSError as error:
            raise self._explained(error) from error

    def _in_turn(self, draft: Draft | Make, expected: int | None, check: Check, *, may_roll: bool = True) -> Recorded:
        written = None
        with self._turn as turn:
            fd, tail = turn.fd, self._last
            if turn.mode != _PRIVATE:
                self._protect(fd)
            # What we wrote last nobody takes back, nor anything before it: the same length is the same log.
            if tail is None or tail.end != turn.size or self._opened != turn.opened:
                tail = self._end(fd)
            # At least one line in every file, however small a segment is to be.
            if tail.end < self._segment or not (may_roll and tail.end and self._roll(fd, tail)):
                made = draft if isinstance(draft, Draft) else draft(tail)
                if expected is not None and not (
                    expected == tail.seq and tail is self._last and made.subject == self._subject
                ):
                    check(tail, made.subject, expected)
                written = self._write(fd, tail, made)
                # Until the folder knows the file, nobody else's sync is worth anything.
                if not tail.end or not STAYS_OPEN:
                    self._sync_in_turn(fd, tail)
                    return written
        if written is None:
            self.rolled = True
            turn.forget()
            return self._in_turn(draft, expected, check, may_roll=False)
        try:
            self._disk.sync(turn.fd)
        except BaseException as error:
            self._not_synced(error, tail)
            raise
        return written

    def _roll(self, fd: int, tail: Tail) -> bool:
        # Others may have written lines that they have not synced yet, and what comes next is in another file.
        self._disk.sync(fd)
        return roll(self._disk, fd, self._path, tail)

    def _protect(self, fd: int) -> None:
        """Take the rights of others off what should be a file of ours alone."""
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise not_a_file(self._path)
        if not make_private(fd, status):
            warn(f"{self._path} can be read or written by other users, and only its owner can change that")

    def _end(self, fd: int) -> Tail:
        """The end of the log, once an unfinished line is out of the way."""
        tail = read_tail(self._disk, fd, self._path)
        if not tail.end:
            tail = end_of(self._disk, self._path, tail.size)
        if tail.end < tail.size:
            event = set_aside(self._disk, fd, self._path, tail, self._composer.stamp())
            warn(f"an unfinished last line of {self._path} was set aside in {event.file}")
            self._write(fd, tail, self._composer.draft(LOG_SUBJECT, event))
            self._sync_in_turn(fd, tail)
            return self._end(fd)
        return tail

    def _write(self, fd: int, tail: Tail, draft: Draft) -> Recorded:
        """Write a line; whatever interrupts that, the line is taken back."""
        line, recorded, behind = self._composer.line(draft, tail)
        try:
            self._disk.write_all(fd, line)
        except BaseException:
            self._take_back(fd, tail)
            raise
        self._last, self._subject, self._opened = behind, draft.subject, self._turn.opened
        return recorded

    def _sync_in_turn(self, fd: int, tail: Tail) -> None:
        """Bring the line behind a tail to the disk while nobody else can write; else take it back."""
        try:
            self._disk.sync(fd)
            if tail.end == 0:
                self._disk.sync_folder(self._path.parent)
        except BaseException as error:
            self._note(error)
            self._take_back(fd, tail)
            raise

    def _not_synced(self, error: BaseException, tail: Tail) -> None:
        """The line behind a tail did not get to the disk, and others may have written behind it by now."""
        opened, last = self._turn.opened, self._last
        self._note(error)
        with suppress(OSError, LogError), self._turn as turn:
            if turn.opened == opened and last and turn.size == last.end:
                self._take_back(turn.fd, tail)
            elif turn.opened == opened and isinstance(error, OSError):
                # Theirs follow ours and cannot be taken back. The system may have dropped our bytes and call
                # their syncs a success, so they are written once more, in place.
                self._disk.write_anew(turn.fd, tail.end, turn.size)
        self._turn.forget()

    def _take_back(self, fd: int, tail: Tail) -> None:
        """Cut the line behind a tail; should that fail, the next append sets aside what is unfinished of it."""
        self._last = None
        with suppress(OSError):
            self._disk.truncate(fd, tail.end)

    def _note(self, error: BaseException) -> None:
        """After a failed sync a second one of the same page may claim what is not so."""
        self._last = None
        if isinstance(error, OSError):
            self._broken = (
                f"the event log {self._path} could not be brought to the disk ({os.strerror(error.errno or 0)}),"
                " and nothing more is written to it by this process"
            )

    def _explained(self, error: OSError) -> LogError:
        if isinstance(error, IsADirectoryError):
            return not_a_file(self._path)
        return log_error(self._path, "written", error)
