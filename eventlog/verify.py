"""Checking a whole log: every line is as it was written, and follows the one before."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from eventlog import layout
from eventlog.codec import LOG_SUBJECT, TornTailSetAside
from eventlog.disk import Disk, is_open_to_others
from eventlog.lock import stillness
from eventlog.paths import TORN
from eventlog.pieces import Piece, Sealed, View, open_view
from eventlog.replay import UNREADABLE, decode_entry
from eventlog.seals import Seals
from eventlog.tail import TOO_LONG
from statemachine.errors import LogDamagedError


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a log."""

    ok: bool
    events: int
    """Good lines, from the first on."""
    line: int | None = None
    """The first bad line; None when there is none."""
    reason: str = ""
    """What is wrong with that line, as the rest of a sentence that begins with it."""
    head: str = layout.GENESIS
    """Hash of the last good line. Kept elsewhere, it shows later whether the end of the log was cut off."""
    file: str = ""
    """Name of the sealed segment that line is in; empty for the log's own file."""
    signed: int = 0
    """Seq up to which checkpoints with a known key vouch for the log."""
    unsealed: int = 0
    """Events behind that: whoever can write the file can cut them off without a trace."""
    torn: int = 0
    """Bytes of an unfinished last line: no damage, the next append sets them aside."""
    warnings: tuple[str, ...] = ()


class _Check:
    """The chain so far."""

    def __init__(self, seals: Seals) -> None:
        self.seq = 0
        self.events = 0
        self.head = layout.GENESIS
        self.reason = ""
        self.aside: set[str] = set()
        self.seals = seals

    def begin(self, line: bytes, base: int) -> bool:
        """Begin behind what is gone, if ``seals`` knows why it may be; whether it does."""
        if base and layout.is_shaped(line):
            self.reason = self.seals.begins(base, layout.prev_in(line))
            self.seq, self.head = base, layout.prev_in(line)
        return not self.reason

    def line(self, line: bytes) -> bool:
        """Whether a line continues the chain; if not, ``reason`` says why."""
        digest = layout.follows(line, self.head)
        if digest:
            return self._content(line, digest)
        if not layout.is_shaped(line):
            self.reason = "is not a line of an event log, or was changed"
        elif layout.digest_of(line) != layout.hash_in(line):
            self.reason = "was changed after it was written: its hash is not the hash of its bytes"
        elif self.seq:
            self.reason = "does not follow the line before: a line was removed, added or moved here"
        else:
            self.reason = "is not the first line of a log: the beginning is missing"
        return False

    def _content(self, line: bytes, digest: str) -> bool:
        try:
            line.decode()
            record = decode_entry(line)
        except UNREADABLE as error:
            self.reason = f"is no record of this program: {error}"
            return False
        if record.seq != self.seq + 1:
            self.reason = f"has seq {record.seq} where {self.seq + 1} belongs"
            return False
        if record.subject == LOG_SUBJECT:
            if record.type == TornTailSetAside.__name__:
                self.aside.add(msgspec.json.decode(record.data, type=TornTailSetAside).file)
            self.reason = self.seals.look(record, self.head, digest)
            if self.reason:
                return False
        self.seals.passes(record.seq, digest)
        self.seq += 1
        self.events += 1
        self.head = digest
        return True


def verify(path: Path, *, disk: Disk | None = None, seals: Seals | None = None) -> Verdict:
    """Check every line; stops at the first bad one.

    A log that does not exist, or is empty, is fine. Lines missing at the very end cannot be seen from the
    file alone; ``seals`` knows what was signed, and looks for it. Raises LogError when a file cannot be read.
    """
    disk = disk or Disk()
    path = Path(os.path.realpath(path))
    check = _Check(seals or Seals())
    with open_view(disk, path, whatever=True) as view:
        at, number, torn, good, file = 0, 0, 0, True, ""
        for piece in view.pieces:
            file = "" if piece is view.active else piece.path.name
            at, number, good = _lines(piece, 0, 0, check)
            if good and isinstance(piece, Sealed):
                good = _ends_as_named(piece, check)
            if not good:
                break
        if good and view.active and view.active.size() > at:
            # Unfinished, or being written at this moment: look again when nobody writes.
            with stillness(view.active.fd):
                at, number, good = _lines(view.active, at, number, check)
                torn = view.active.size() - at if good else 0
        warnings = _warnings(path, view, check.aside)
    if good:
        check.reason = check.seals.verdict()
        if check.reason:
            good, number = False, number if check.seals.line is None else check.seals.line
    if not good or torn:
        reason = f"is unfinished ({torn} bytes); the next append sets it aside" if torn else check.reason
        line, file = number + 1, "" if torn else file
    else:
        reason, line, file = "", None, ""
    return Verdict(
        ok=line is None,
        events=check.events,
        line=line,
        file=file,
        reason=reason,
        head=check.head,
        torn=torn,
        signed=check.seals.signed,
        unsealed=check.seq - check.seals.signed if check.seals.signed else check.events,
        warnings=warnings,
    )


def _lines(piece: Piece, at: int, number: int, check: _Check) -> tuple[int, int, bool]:
    """Check lines from an offset on; the offset behind the last good block, how many lines are good, and if all."""
    line_is_good = check.line
    try:
        for start, data in piece.blocks(at):
            at = start
            lines = data.split(b"\n")
            lines.pop()
            if not check.seq and not number and not check.begin(lines[0], piece.base):
                return at, number, False
            for line in lines:
                if not line_is_good(line):
                    return at, number, False
                number += 1
            at += len(data)
    except LogDamagedError as error:
        check.reason = f"is {TOO_LONG}" if TOO_LONG in error.message else f"cannot be read: {error.message}"
        return at, number, False
    return at, number, True


def _ends_as_named(piece: Sealed, check: _Check) -> bool:
    """Whether a segment holds what its name says: whole segments could be renamed."""
    if (check.seq, check.head) == (piece.segment.last, piece.segment.head):
        return True
    check.reason = f"is missing: by the name of {piece.path.name} it goes up to event {piece.segment.last}"
    return False


def _warnings(path: Path, view: View, aside: set[str]) -> tuple[str, ...]:
    found: list[str] = []
    if view.active and is_open_to_others(os.fstat(view.active.fd)):
        found.append(f"{path.name} can be read or written by other users; the next append takes that away")
    kept = {entry.name for entry in path.parent.glob(f"{path.name}.{TORN}-*")}
    found.extend(
        f"{name} is not mentioned in the log: an append died while setting it aside" for name in sorted(kept - aside)
    )
    found.extend(f"{name} was set aside and is gone" for name in sorted(aside - kept))
    return tuple(found)
