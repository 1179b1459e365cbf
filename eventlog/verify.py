"""Checking a whole log: every line is as it was written, and follows the one before."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from eventlog.disk import Disk, is_open_to_others
from eventlog.files.pieces import Active, Kept, Piece, Sealed, View, open_view
from eventlog.files.tail import TOO_LONG
from eventlog.lines import layout
from eventlog.lines.codec import LOG_SUBJECT, UNREADABLE, TornTailSetAside, own_event_of
from eventlog.lock import stillness
from eventlog.paths import TORN
from eventlog.replay import Entry, decode_entry
from eventlog.sealing.seals import Seals
from statemachine.errors import LogDamagedError, LogError

if TYPE_CHECKING:
    from eventlog.retention.gaps import Gaps
    from eventlog.sealing.checkpoint import Trust


_TOMBSTONE: Final = (b'"type":"SegmentsExpired"', b'"kept_sha256":"')
"""Either is in no other line; a changed one has one of them still."""


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
    expired: int = 0
    """Seq up to which events expired, as a tombstone in the log says; those that are kept of them are good lines."""
    tombstone: int = 0
    """Seq of that tombstone."""
    archived: int = 0
    """Events that were read from an archive, because they are not here."""
    warnings: tuple[str, ...] = ()


class _Check:
    """The chain so far."""

    def __init__(self, seals: Seals, gaps: Gaps) -> None:
        self.seq = 0
        self.events = 0
        self.head = layout.GENESIS
        self.reason = ""
        self.aside: dict[str, str] = {}
        """Files with unfinished lines, and the SHA-256 of what is in them."""
        self.seals = seals
        self.gaps = gaps

    def block(self, lines: list[bytes], data: bytes) -> bool:
        """Whether some lines (with their newlines) all continue the chain, with nothing in them to look at.

        If not, nothing was done, and ``line`` has to be asked of each.
        """
        alike = {line[: len(layout.START)] for line in lines} == {layout.START}
        digests = layout.hashes(lines, self.head) if alike else []
        seqs = range(self.seq + 1, self.seq + 1 + len(lines))
        try:
            data.decode()
            entries = [decode_entry(line) for line in lines] if digests else []
        except UNREADABLE:
            return False
        if [entry.seq for entry in entries] != list(seqs) or LOG_SUBJECT in {entry.subject for entry in entries}:
            return False
        for seq, digest in zip(seqs, digests, strict=True):
            self.seals.passes(seq, digest)
        self.seq += len(lines)
        self.events += len(lines)
        self.head = digests[-1]
        return True

    def line(self, line: bytes) -> bool:
        """Whether a line continues the chain; if not, ``reason`` says why."""
        digest = layout.follows(line, self.head)
        if digest:
            return self._content(line, digest)
        if not layout.is_shaped(line):
            self.reason = "is not a line of an event log, or was changed"
        elif layout.digest_of(line) != layout.hash_in(line):
            self.reason = "was changed after it was written: its hash is not the hash of its bytes"
        elif (seq := _seq_of(line)) > self.seq + 1:
            self.reason = self.gaps.refusal(self.seq, seq, line)
            if not self.reason:
                self.seq, self.head = seq - 1, layout.prev_in(line)
                return self._content(line, layout.hash_in(line))
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
            self.reason = self._own(record) or self.gaps.look(record) or self.seals.look(record, self.head, digest)
            if self.reason:
                return False
        self.seals.passes(record.seq, digest)
        self.seq += 1
        self.events += 1
        self.head = digest
        return True

    def _own(self, record: Entry) -> str:
        """What is wrong with an event of the log's own in itself."""
        try:
            own = own_event_of(record.type, record.schema, record.data, record.seq)
        except LogDamagedError as error:
            return f"is no record of this program: {error.message}"
        if isinstance(own, TornTailSetAside):
            self.aside[own.file] = own.sha256
        return ""


def verify(path: Path, *, disk: Disk | None = None, seals: Seals | None = None, archive: Path | None = None) -> Verdict:
    """Check every line; stops at the first bad one.

    A log that does not exist, or is empty, is fine, and so is one whose older events expired, if a tombstone in it
    says so. What is missing is read from a folder with an ``archive``, if one is given. Lines missing at the very end
    cannot be seen from the file alone; ``seals`` knows what was signed, and looks for it. Raises LogError when a file
    cannot be read.
    """
    # What is about segments that left is imported here, for every call of the program imports this module.
    from eventlog.retention.archive import filled, lacking
    from eventlog.retention.gaps import Gaps

    disk = disk or Disk()
    seals = seals or Seals()
    path = Path(os.path.realpath(path))
    # Before the log is looked at: what was sealed by now is in it.
    noted = _what_was_sealed(path, seals)
    with open_view(disk, path, whatever=True) as view:
        for segment in view.beside:
            seals.knows(segment.last, segment.head, f"{segment.path.name} beside it goes up to event {segment.last}")
        pieces, archived = (view.pieces, []) if archive is None else filled(disk, view, archive)
        gaps = Gaps(pieces, kept=view.kept, archived=archived)
        check = _Check(seals, gaps)
        stop = _walk(pieces, view.active, check)
        if stop.good:
            stop = _judged(stop, pieces, view.active, check)
        if gaps.unexplained:
            stop = _changed_tombstone(pieces, view.active, check) or stop
        warnings = noted + _warnings(path, view, check)
        if archive is not None:
            warnings += tuple(f"{archive} lacks events {first} to {last}" for first, last in lacking(pieces))
    whole = stop.good and not stop.torn
    unfinished = f"is unfinished ({stop.torn} bytes); the next append sets it aside"
    return Verdict(
        ok=whole,
        events=check.events,
        line=None if whole else stop.number + 1,
        file="" if whole or stop.torn else stop.file,
        reason="" if whole else unfinished if stop.torn else check.reason,
        head=check.head,
        torn=stop.torn,
        expired=gaps.found.event.last if gaps.found else 0,
        tombstone=gaps.found.record.seq if gaps.found else 0,
        archived=sum(piece.segment.last - piece.base for piece in archived),
        signed=check.seals.signed,
        unsealed=check.seq - check.seals.signed if check.seals.signed else check.events,
        warnings=warnings,
    )


def verify_signed(path: Path, trust: list[Trust], *, archive: Path | None = None) -> Verdict:
    """Check every line, and every checkpoint and tombstone against the keys. Raises LogError."""
    from eventlog.sealing.checkpoint import SignedSeals

    return verify(path, seals=SignedSeals(trust), archive=archive)


class _Stop(msgspec.Struct, frozen=True, gc=False):
    """Where checking stopped."""

    good: bool
    """Because all lines were gone through."""
    file: str
    number: int
    """Good lines of that file."""
    torn: int = 0


def _walk(pieces: list[Piece], active: Active | None, check: _Check) -> _Stop:
    """Check line by line, up to the first bad one."""
    at, number, file = 0, 0, ""
    for piece in pieces:
        file = "" if piece is active else piece.path.name
        check.gaps.enter(piece)
        at, number, good = _lines(piece, 0, 0, check)
        if good and isinstance(piece, Sealed) and not isinstance(piece, Kept):
            good = _ends_as_named(piece, check)
        if not good:
            return _Stop(good=False, file=file, number=number)
    if active is None or active.size() <= at:
        return _Stop(good=True, file=file, number=number)
    # Unfinished, or being written at this moment: look again when nobody writes.
    with stillness(active.fd):
        at, number, good = _lines(active, at, number, check)
        return _Stop(good, file, number, active.size() - at if good else 0)


def _judged(stop: _Stop, pieces: list[Piece], active: Active | None, check: _Check) -> _Stop:
    """What is to be said of a log all of whose lines are good: of its beginning, and of its end."""
    check.reason = check.gaps.verdict()
    if check.reason:
        return _Stop(good=False, file="" if pieces[0] is active else pieces[0].path.name, number=0)
    check.reason = check.seals.verdict()
    if check.reason:
        number = stop.number if check.seals.line is None else check.seals.line
        # What stands behind the last whole line is then what was left by a cut, and nothing that merely is unfinished.
        return _Stop(good=False, file=stop.file, number=number)
    return stop


def _changed_tombstone(pieces: list[Piece], active: Active | None, check: _Check) -> _Stop | None:
    """The line that was a tombstone before it was changed: then that is the bad one, and not the gap it explained.

    So is the line where a file cannot be read any further, for the tombstone may be behind it.
    """
    unread: _Stop | None = None
    for piece in pieces:
        number, file = 0, "" if piece is active else piece.path.name
        try:
            for _, data in piece.blocks():
                for line in layout.lines_of(data):
                    if any(part in line for part in _TOMBSTONE) and not layout.is_whole(line[:-1]):
                        check.reason = "was changed after it was written: it is the tombstone of events that expired"
                        return _Stop(good=False, file=file, number=number)
                    number += 1
        except LogDamagedError as error:
            if unread is None and not isinstance(piece, Kept):
                check.reason = f"cannot be read: {error.message}"
                unread = _Stop(good=False, file=file, number=number)
    return unread


def _lines(piece: Piece, at: int, number: int, check: _Check) -> tuple[int, int, bool]:
    """Check lines from an offset on; the offset behind the last good block, how many lines are good, and if all."""
    line_is_good = check.line
    try:
        for start, data in piece.blocks(at):
            at = start
            lines = layout.lines_of(data)
            if check.block(lines, data):
                number += len(lines)
            else:
                for line in lines:
                    if not line_is_good(line[:-1]):
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
        check.gaps.ends(check.seq, check.head)
        return True
    check.reason = f"is missing: by the name of {piece.path.name} it goes up to event {piece.segment.last}"
    return False


def _seq_of(line: bytes) -> int:
    """The position a line says it has; 0 if that cannot be read."""
    try:
        return decode_entry(line).seq
    except UNREADABLE:
        return 0


def _what_was_sealed(path: Path, seals: Seals) -> tuple[str, ...]:
    """Have what the file beside the key says looked for; a warning if that file is no good."""
    from eventlog.sealing.checkpoint import last_path, last_sealed

    try:
        sealed = last_sealed(path)
    except LogError as error:
        return (str(error),)
    if sealed is not None and sealed.seq:
        beside = last_path(path).relative_to(path.parent)
        why = f"event {sealed.seq} had been sealed, as {beside} says; was that on purpose, `audit seal` begins anew"
        seals.knows(sealed.seq, sealed.head, why)
    return ()


def _digest(file: Path) -> str:
    """The SHA-256 of a file; empty for what cannot be read."""
    try:
        return sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _warnings(path: Path, view: View, check: _Check) -> tuple[str, ...]:
    from eventlog.retention.steps import is_unfinished

    found: list[str] = []
    aside = check.aside.keys() - check.gaps.aside
    if view.active and is_open_to_others(os.fstat(view.active.fd)):
        found.append(f"{path.name} can be read or written by other users; the next append takes that away")
    # Not by a pattern: the log's own name may hold what means something in one.
    kept = {entry.name for entry in path.parent.glob("*") if entry.name.startswith(f"{path.name}.{TORN}-")}
    found.extend(
        f"{name} is not mentioned in the log: an append died while setting it aside" for name in sorted(kept - aside)
    )
    found.extend(f"{name} was set aside and is gone" for name in sorted(aside - kept))
    found.extend(
        f"{name} is not what was set aside: it was changed"
        for name in sorted(aside & kept)
        if _digest(path.with_name(name)) != check.aside[name]
    )
    if is_unfinished(path):
        found.append("an expiry was begun and not finished; the next `audit expire` or `audit archive` does the rest")
    if check.seals.unchecked:
        known = f"events that were known to be sealed and expired: {check.seals.unchecked}"
        found.append(f"{known}; only the archive can show what they were")
    return tuple(found)
