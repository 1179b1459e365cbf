"""Sealing a log: signing a checkpoint, giving out the public key, and reading one that was given out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from eventlog.disk import Disk
from eventlog.failures import explained
from eventlog.files.pieces import Kept, Piece, open_view
from eventlog.files.read import lines_with
from eventlog.files.tail import Tail
from eventlog.lines import layout
from eventlog.lines.codec import CheckpointSigned, encode
from eventlog.lines.tombstone import SegmentsArchived, SegmentsExpired
from eventlog.lines.tombstone import signed_text as tombstone_text
from eventlog.sealing import keys
from eventlog.sealing.checkpoint import (
    BadSealError,
    Sealed,
    Trust,
    last_path,
    last_sealed,
    public_text,
    remember,
    signed_text,
    trust_in,
)
from statemachine.errors import BusyError, LogError
from statemachine.events import name_of

if TYPE_CHECKING:
    from eventlog.log import EventLog
    from statemachine.ports import Recorded


def ensure_key(log: Path) -> keys.Key:
    """The key of a log; made, if it has none. Raises LogError, which also says that one was lost."""
    key = keys.load(log)
    try:
        sealed = last_sealed(log)
    except BadSealError:
        if key is None:
            raise
        sealed = None
    remedy = f"Bring the key back; or remove the file {last_path(log)}, and tell the auditor why."
    if key is None:
        if sealed is not None:
            raise LogError("this event log was sealed with a key that is not there any more", remedy=remedy)
        return keys.make(log)
    if sealed is not None and sealed.key not in ("", key.id):
        raise LogError(f"the key in {key.place} is not the one this event log was sealed with", remedy=remedy)
    return key


def seal(log: EventLog) -> Recorded:
    """Sign a checkpoint of all lines there are. Raises LogError, ImportError without ``cryptography``."""
    key = ensure_key(log.path)
    made: list[CheckpointSigned] = []

    def checkpoint(tail: Tail) -> CheckpointSigned:
        signature = key.sign(signed_text(tail.seq, tail.hash, key.id))
        made.append(CheckpointSigned(count=tail.seq, head=tail.hash, key=key.id, signature=signature))
        return made[-1]

    recorded = log.note(checkpoint)
    remember(log.path, Sealed(made[-1].count, made[-1].head, key.id))
    return recorded


def ensure_continued(log: Path) -> None:
    """Make sure that what was sealed last is still in the log, before anything but ``seal`` vouches for what is there.

    Signing notes anew what was sealed, and with the old note goes what shows that an older copy was put in the log's
    place. Raises LogError.
    """
    try:
        sealed = last_sealed(log)
    except BadSealError:
        # Sealing writes it anew.
        return
    if sealed is None or sealed.seq < 1:
        return
    with open_view(Disk(), log) as view:
        piece = next((piece for piece in reversed(view.pieces) if piece.base < sealed.seq), None)
        if isinstance(piece, Kept) or (piece is not None and _has(piece, sealed)):
            return
    raise LogError(
        f"event {sealed.seq} of the event log {log}, which had been sealed, is not there any more",
        remedy="`verify` says more; was that on purpose, `audit seal` begins anew.",
    )


def _has(piece: Piece, sealed: Sealed) -> bool:
    wanted = b'","seq":%d,"schema":' % sealed.seq
    return any(
        layout.is_whole(line) and layout.hash_in(line) == sealed.head
        for _, data in piece.blocks()
        for _, line in lines_with(wanted, data)
    )


def ensure_signable(log: Path) -> None:
    """Make sure that ``sign`` may sign, before anything is done that it is to be about. Raises as ``sign``."""
    ensure_continued(log)
    ensure_key(log)


def sign(log: EventLog, event: SegmentsArchived | SegmentsExpired) -> Recorded:
    """Append an event about segments, signed in its place; ``ensure_signable`` comes before.

    Raises LogError, BusyError, ImportError without ``cryptography``.
    """
    key = ensure_key(log.path)
    made: list[Sealed] = []

    def signed(tail: Tail) -> SegmentsArchived | SegmentsExpired:
        # Somebody moved the log away, and this is the next one: no check of it would ever be passed again.
        if any(one.last > tail.seq for one in event.segments):
            raise BusyError(f"the event log {log.path} is another one than it was", remedy="Try again.")
        unsigned = replace(event, key=key.id, signature="")
        made.append(Sealed(tail.seq, tail.hash, key.id))
        text = tombstone_text(name_of(event), event.VERSION, tail.seq + 1, tail.hash, encode(unsigned))
        return replace(unsigned, signature=key.sign(text))

    recorded = log.note(signed)
    # It vouches for all lines before it, as a checkpoint does.
    remember(log.path, made[-1])
    return recorded


def public_key(log: Path) -> str:
    """The text to give to the auditor; makes a key if there is none. Raises LogError."""
    key = ensure_key(log)
    sealed = last_sealed(log)
    if sealed is None:
        sealed = Sealed(key=key.id)
        remember(log, sealed)
    return public_text(key.public, key.id, sealed)


def read_trust(file: Path) -> Trust:
    """A public key that ``public_key`` gave out. Raises LogError."""
    with explained(file, "read"):
        data = file.read_bytes()
    try:
        return trust_in(data.decode())
    except UnicodeDecodeError as error:
        raise LogError(f"{file} is no public key", remedy="Give the file that `audit key` wrote.") from error
    except LogError as error:
        # Several may be given at once.
        raise LogError(f"{file}: {error.message}", remedy=error.hint) from error
