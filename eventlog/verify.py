"""Checking a whole log: every line is as it was written, and follows the one before."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from eventlog import layout
from eventlog.codec import LOG_SUBJECT, TornTailSetAside
from eventlog.disk import Disk, is_open_to_others
from eventlog.failures import explained
from eventlog.lock import stillness
from eventlog.paths import TORN
from eventlog.read import blocks, open_plain
from eventlog.replay import UNREADABLE, decode_entry
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
    torn: int = 0
    """Bytes of an unfinished last line: no damage, the next append sets them aside."""
    warnings: tuple[str, ...] = ()


class _Check:
    """The chain so far."""

    def __init__(self) -> None:
        self.seq = 0
        self.head = layout.GENESIS
        self.reason = ""
        self.aside: set[str] = set()

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
        if record.subject == LOG_SUBJECT and record.type == TornTailSetAside.__name__:
            self.aside.add(msgspec.json.decode(record.data, type=TornTailSetAside).file)
        self.seq += 1
        self.head = digest
        return True


def verify(path: Path, *, disk: Disk | None = None) -> Verdict:
    """Check every line; stops at the first bad one.

    A log that does not exist, or is empty, is fine. Lines missing at the very end cannot be seen from the
    file alone. Raises LogError when the file cannot be read at all.
    """
    disk = disk or Disk()
    path = Path(os.path.realpath(path))
    check = _Check()
    with open_plain(disk, path) as fd:
        if fd is None:
            return Verdict(ok=True, events=0)
        at, good = _lines(disk, fd, path, 0, check)
        torn = 0
        if good and _size(fd, path) > at:
            # Unfinished, or being written at this moment: look again when nobody writes.
            at, good, torn = _settled(disk, fd, path, at, check)
        warnings = _warnings(path, os.fstat(fd), check.aside)
    if not good:
        bad = check.seq + 1
        return Verdict(
            ok=False,
            events=check.seq,
            line=bad,
            reason=check.reason,
            head=check.head,
            warnings=warnings,
        )
    reason = f"is unfinished ({torn} bytes); the next append sets it aside" if torn else ""
    return Verdict(
        ok=not torn,
        events=check.seq,
        line=check.seq + 1 if torn else None,
        reason=reason,
        head=check.head,
        torn=torn,
        warnings=warnings,
    )


def _lines(disk: Disk, fd: int, path: Path, at: int, check: _Check) -> tuple[int, bool]:
    """Check lines from an offset on; the offset behind the last good block, and whether no line was bad."""
    line_is_good = check.line
    try:
        for start, data in blocks(disk, fd, path, at):
            at = start
            for line in data[:-1].split(b"\n"):
                if not line_is_good(line):
                    return at, False
            at += len(data)
    except LogDamagedError:
        check.reason = f"is {TOO_LONG}"
        return at, False
    return at, True


def _settled(disk: Disk, fd: int, path: Path, at: int, check: _Check) -> tuple[int, bool, int]:
    with stillness(fd):
        at, good = _lines(disk, fd, path, at, check)
        return at, good, _size(fd, path) - at


def _size(fd: int, path: Path) -> int:
    with explained(path, "read"):
        return os.fstat(fd).st_size


def _warnings(path: Path, status: os.stat_result, aside: set[str]) -> tuple[str, ...]:
    found: list[str] = []
    if is_open_to_others(status):
        found.append(f"{path.name} can be read or written by other users; the next append takes that away")
    kept = {entry.name for entry in path.parent.glob(f"{path.name}.{TORN}-*")}
    found.extend(
        f"{name} is not mentioned in the log: an append died while setting it aside" for name in sorted(kept - aside)
    )
    found.extend(f"{name} was set aside and is gone" for name in sorted(aside - kept))
    return tuple(found)
