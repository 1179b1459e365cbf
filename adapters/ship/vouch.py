"""Whether the logs in a container are those that were signed: many logs, and the keys of many people.

A key file does not say which log it belongs to. So a log is vouched for by the keys that signed checkpoints in it. A
log that no given key signed, and a key that signed none of the logs, are both reported: somebody who rewrites a log
has to sign it with another key, and leaves both behind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from adapters.ship.line import Line
from eventlog.lines.codec import LOG_SUBJECT, CheckpointSigned
from eventlog.lines.tombstone import SegmentsArchived, SegmentsExpired
from eventlog.replay import decode_entry
from eventlog.sealing.checkpoint import Sealed, SignedSeals, Trust

_SIGNED: Final = frozenset(kind.__name__ for kind in (CheckpointSigned, SegmentsArchived, SegmentsExpired))
"""Events that vouch for everything before them."""
_OWN: Final = f'"subject":"{LOG_SUBJECT}"'.encode()


class _Key(msgspec.Struct):
    key: str


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """What signatures say of one log."""

    sealed: int
    """Seq of the last event that a given key vouches for; 0 for none."""
    keys: tuple[str, ...]
    """Short names of the keys that did."""
    wrong: str = ""
    """What is wrong, as the rest of a sentence that begins with an event or the log."""


class Voucher:
    """Looks at the lines of many logs as they pass."""

    def __init__(self, trust: Mapping[str, Trust]) -> None:
        """``trust``: what an auditor was given, by the name of its file."""
        self._trust = trust
        self._keys: dict[str, str] = {}
        """Files by the short names of their keys."""
        for name, one in trust.items():
            self._keys[key_name(one)] = name
        self._logs: dict[str, _Log] = {}

    def look(self, writer: str, line: Line) -> None:
        """Take the next line of a log into account; its place in the chain has been checked."""
        log = self._logs.get(writer)
        if log is None:
            log = self._logs[writer] = _Log(self._trust.values())
        log.look(line)

    def verdict(self, writer: str) -> Vouched:
        """What is to be said of one log, when all its lines have passed."""
        log = self._logs.get(writer)
        if log is None:
            return Vouched(sealed=0, keys=(), wrong="holds nothing that a key could vouch for")
        wrong = log.wrong
        for key in sorted(log.keys):
            promised = self._trust[self._keys[key]].sealed
            if not wrong and promised.seq and not log.has(promised):
                wrong = f"event {promised.seq}, which had been sealed, is missing, or another one than it was"
        if not wrong and not log.keys:
            wrong = f"no key of those given ({', '.join(self._keys)}) vouches for it"
        return Vouched(sealed=log.seals.signed, keys=tuple(sorted(log.keys)), wrong=wrong)

    def unused(self) -> list[str]:
        """The files whose keys signed nothing in any of the logs."""
        used = {key for log in self._logs.values() for key in log.keys}
        return [name for key, name in self._keys.items() if key not in used]


class _Log:
    def __init__(self, trust: Collection[Trust]) -> None:
        # Which of them a log has to keep is known when its keys are.
        self.seals = SignedSeals([Trust(one.public) for one in trust])
        self.keys: set[str] = set()
        self.wrong = ""
        self._hashes = dict.fromkeys((one.sealed.seq for one in trust), "")
        """Of the lines that key files name."""
        self._head = ""

    def has(self, promised: Sealed) -> bool:
        """Whether a line is there as it was when it was sealed, or a tombstone says that it expired."""
        found = self._hashes[promised.seq]
        return found == promised.head or (not found and self.seals.is_gone(promised.seq, promised.head))

    def look(self, line: Line) -> None:
        if _OWN in line.raw and not self.wrong:
            entry = decode_entry(line.raw)
            if entry.subject == LOG_SUBJECT:
                found = self.seals.look(entry, self._head, line.hash)
                if found:
                    self.wrong = f"event {line.seq} {found}"
                elif entry.type in _SIGNED:
                    self.keys.add(msgspec.json.decode(entry.data, type=_Key).key)
        if line.seq in self._hashes:
            self._hashes[line.seq] = line.hash
        self._head = line.hash


def key_name(trust: Trust) -> str:
    """The short name of a key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from eventlog.sealing.keys import key_id

    return key_id(Ed25519PublicKey.from_public_bytes(trust.public))
