"""Signed checkpoints: an event of the log's own that vouches for every line before it.

Signing is asked for (``audit seal``), or, once a log has a key, done by the append that finds many unsealed events
or that rolls. What was sealed last is also kept beside the key, so that cutting the log back is seen.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from eventlog.disk import Disk
from eventlog.failures import explained, warn
from eventlog.files.read import open_plain
from eventlog.lines import layout
from eventlog.lines.codec import UNREADABLE, CheckpointSigned
from eventlog.lines.tombstone import SegmentsArchived, SegmentsExpired
from eventlog.lines.tombstone import signed_text as tombstone_text
from eventlog.paths import blobs_path
from eventlog.replay import Entry
from eventlog.sealing.seals import Seals
from statemachine.errors import LogError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EVERY: Final = 1_000
"""Unsealed events after which an append signs, in a log that has a key."""

_MOST: Final = 4096
"""Bytes of the note of what was sealed last; it has never been half as long."""
_BEGIN: Final = "devpod-provider-aci event log"
_PROMISE: Final = re.compile(rf"{_BEGIN} key ([0-9a-f]{{16}}) sealed ([0-9]{{1,18}}) ([0-9a-f]{{64}})(?: .+)?")
_CONTEXT: Final = b"devpod-provider-aci event log checkpoint 1\n"


class Sealed(msgspec.Struct, frozen=True):
    """What was sealed last."""

    seq: int = 0
    """The last line that is vouched for."""
    head: str = layout.GENESIS
    """Its hash."""
    key: str = ""


class BadSealError(LogError):
    """What was sealed last cannot be read, because it was changed."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is not what this program wrote", remedy="Seal the log again: `audit seal`.")


class Trust(msgspec.Struct, frozen=True):
    """What an auditor was given: a public key, and what had been sealed when it was given out."""

    public: bytes
    sealed: Sealed = Sealed()


def signed_text(count: int, head: str, key: str) -> bytes:
    """What a checkpoint's signature is over. The head stands for all lines before it, and so for the log."""
    return b"%b%d\n%b\n%b\n" % (_CONTEXT, count, head.encode(), key.encode())


class _Kept(Sealed, frozen=True):
    """The same in a file, where a changed bit would accuse the log."""

    sum: str = ""


def _sum(sealed: Sealed) -> str:
    return sha256(f"{sealed.seq} {sealed.head} {sealed.key}".encode()).hexdigest()[:16]


def last_path(log: Path) -> Path:
    """Where a log keeps what was sealed last."""
    return blobs_path(log, "keys") / "sealed"


def last_sealed(log: Path) -> Sealed | None:
    """What was sealed last; None for a log that never was. Raises LogError."""
    path = last_path(log)
    # Not waiting for ever, as for a pipe, in every append.
    with open_plain(Disk(), path) as fd, explained(path, "read"):
        if fd is None:
            return None
        data = Disk().read_at(fd, _MOST, 0)
    try:
        kept = msgspec.json.decode(data, type=_Kept)
    except UNREADABLE as error:
        raise BadSealError(path) from error
    # One of an earlier version has no sum.
    if kept.sum and kept.sum != _sum(kept):
        raise BadSealError(path)
    return Sealed(kept.seq, kept.head, kept.key)


def remember(log: Path, sealed: Sealed) -> None:
    """Keep what was sealed last, in one step; the log itself has it as well. Raises LogError."""
    path = last_path(log)
    kept = _Kept(sealed.seq, sealed.head, sealed.key, _sum(sealed))
    with explained(path, "written"):
        Disk().replace(path, msgspec.json.encode(kept), durable=False)


def public_text(public: Ed25519PublicKey, key: str, sealed: Sealed) -> str:
    """The file for the auditor: PEM, below a line that says what had been sealed by then."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return f"{_BEGIN} key {key} sealed {sealed.seq} {sealed.head}\n{pem}"


def trust_in(text: str) -> Trust:
    """What ``public_text`` wrote; a bare PEM will do. Raises LogError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    before, mark, pem = text.partition("-----BEGIN")
    try:
        public = load_pem_public_key(f"{mark}{pem}".encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise LogError("that is no public key", remedy="Give the file that `audit key` wrote.") from error
    if not isinstance(public, Ed25519PublicKey):
        raise LogError("that is a key of another kind than Ed25519", remedy="Give the file that `audit key` wrote.")
    return Trust(public.public_bytes_raw(), _promised(before, public))


def _promised(before: str, public: Ed25519PublicKey) -> Sealed:
    """What had been sealed, as the text before a key says. Raises LogError for what it would not say."""
    from eventlog.sealing.keys import key_id

    # Programs that texts go through add such marks, and empty lines.
    line = before.strip("\ufeff \t\r\n")
    if not line:
        return Sealed()
    found = _PROMISE.fullmatch(line)
    if found and found[1] == key_id(public):
        return Sealed(int(found[2]), found[3], found[1])
    # To take the key alone would drop what its owner promised.
    raise LogError("the line before that public key is not what `audit key` wrote", remedy="Ask for the file again.")


class SignedSeals(Seals):
    """Checks every checkpoint against the keys that are trusted: one that no such key signed is an error."""

    def __init__(self, trust: list[Trust]) -> None:
        super().__init__()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        from eventlog.sealing.keys import key_id

        keys = [Ed25519PublicKey.from_public_bytes(one.public) for one in trust]
        self._keys = {key_id(key): key for key in keys}
        for one in trust:
            if one.sealed.seq:
                self.knows(one.sealed.seq, one.sealed.head, f"event {one.sealed.seq} had been sealed", given=True)

    def look(self, entry: Entry, head: str, digest: str) -> str:
        """As ``Seals``."""
        try:
            if entry.type == CheckpointSigned.__name__:
                return self._checkpoint(msgspec.json.decode(entry.data, type=CheckpointSigned), entry.seq, head)
            if entry.type in (SegmentsArchived.__name__, SegmentsExpired.__name__):
                return self._tombstone(entry, head)
        except UNREADABLE as error:
            return f"is no record of this program: {error}"
        return ""

    def _tombstone(self, entry: Entry, head: str) -> str:
        data = bytes(entry.data)
        signed = msgspec.json.decode(data, type=_Signed)
        text = tombstone_text(entry.type, entry.schema, entry.seq, head, data)
        wrong = self._signature(signed.key, signed.signature, text)
        if not wrong:
            self.signed = entry.seq - 1
            if entry.type == SegmentsExpired.__name__ and entry.schema <= SegmentsExpired.VERSION:
                self.expired = msgspec.json.decode(data, type=SegmentsExpired)
        return wrong

    def _checkpoint(self, event: CheckpointSigned, seq: int, head: str) -> str:
        if (event.count, event.head) != (seq - 1, head):
            return "is a checkpoint of other lines than those before it"
        wrong = self._signature(event.key, event.signature, signed_text(event.count, event.head, event.key))
        if not wrong:
            self.signed = event.count
        return wrong

    def _signature(self, key: str, signature: str, text: bytes) -> str:
        from cryptography.exceptions import InvalidSignature

        public = self._keys.get(key)
        if public is None:
            return f"is signed with key {key}, which is not one of those given"
        try:
            public.verify(bytes.fromhex(signature), text)
        except (InvalidSignature, ValueError):
            return f"has a signature that key {key} did not make"
        return ""

    def verdict(self) -> str:
        """As ``Seals``."""
        if found := super().verdict():
            return found
        if not self.signed:
            self.line = 0
            return f"begins a log that no key of those given ({', '.join(self._keys)}) ever sealed"
        return ""


class _Signed(msgspec.Struct):
    key: str = ""
    signature: str = ""


def noted(log: Path) -> Sealed | None:
    """What was sealed last, for ``is_due``; None for a log that never was, or where that cannot be read."""
    try:
        return last_sealed(log)
    except BadSealError:
        # Sealing writes it anew.
        return Sealed(-EVERY)
    except LogError:
        return None


def is_due(log: Path, sealed: Sealed | None, seq: int) -> bool:
    """Whether there are so many unsealed events up to one that it is time for a checkpoint, in a log that has a key."""
    if sealed is None:
        return False
    if seq <= sealed.seq:
        warn(f"the event log {log} ends before event {sealed.seq}, which had been sealed; `verify` says more")
        return False
    return seq - sealed.seq > EVERY
