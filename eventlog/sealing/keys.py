"""The key that signs checkpoints: in the keyring of the system where there is one, else in a private file.

It is never an argument of a program, and never in the environment. ``cryptography`` and ``keyring`` are imported
only when something is to be signed or checked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eventlog.disk import Disk, is_open_to_others
from eventlog.failures import explained, warn
from eventlog.paths import APPLICATION, blobs_path
from statemachine.errors import LogError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SEED: Final = 32
_RING: Final = "the keyring of this system"
_VARIABLE: Final = "ACI_EVENT_LOG_KEY"
"""``file`` keeps the key out of the keyring."""


class Key:
    """A key pair."""

    def __init__(self, private: Ed25519PrivateKey, place: str) -> None:
        self._private = private
        self.place = place
        """Where it is kept, for people."""
        self.public = private.public_key()
        self.id = key_id(self.public)

    def sign(self, text: bytes) -> str:
        """The signature of some text."""
        return self._private.sign(text).hex()


def key_id(public: Ed25519PublicKey) -> str:
    """A short name of a key: the beginning of its hash."""
    return sha256(public.public_bytes_raw()).hexdigest()[:16]


def key_file(log: Path) -> Path:
    """Where the key of a log is, if no keyring has it."""
    return blobs_path(log, "keys") / "ed25519"


def load(log: Path) -> Key | None:
    """The key of a log; None when it has none yet. Raises LogError."""
    file = key_file(log)
    with explained(file, "read"):
        if file.exists():
            if is_open_to_others(file.stat()):
                warn(f"{file} could be read by other users: take it for known to them")
            return _key(file.read_bytes(), str(file))
    ring = _keyring()
    if ring is None:
        return None
    with _unlocked():
        kept = ring.get_password(APPLICATION, _account(log))
    try:
        return _key(bytes.fromhex(kept), _RING) if kept else None
    except ValueError:
        raise _no_key(_RING) from None


def make(log: Path) -> Key:
    """A new key for a log that has none. Raises LogError."""
    seed = os.urandom(SEED)
    ring = _keyring()
    if ring is not None:
        with _unlocked():
            ring.set_password(APPLICATION, _account(log), seed.hex())
        return _key(seed, _RING)
    file = key_file(log)
    with explained(file, "written"):
        Disk().create_once(file, seed)
        # Ours, or that of a process that made one at the same time.
        return _key(file.read_bytes(), str(file))


def _key(seed: bytes, place: str) -> Key:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if len(seed) != SEED:
        raise _no_key(place)
    return Key(Ed25519PrivateKey.from_private_bytes(seed), place)


def _no_key(place: str) -> LogError:
    return LogError(f"the key in {place} is not one of this program", remedy="Bring it back, or make a new one.")


@contextmanager
def _unlocked() -> Iterator[None]:
    """Say what to do when there is a keyring and it does not answer, because it is locked, dismissed or broken."""
    try:
        yield
    except Exception as error:
        # Behind the library are those of many systems, each with errors of its own.
        raise LogError(
            f"{_RING} cannot be used: {str(error) or type(error).__name__}",
            remedy=f"Unlock it; or set {_VARIABLE}=file to keep the key of the event log in a private file.",
        ) from error


def _account(log: Path) -> str:
    return f"event log {sha256(os.fsencode(os.path.realpath(log))).hexdigest()[:16]}"


def _keyring() -> Any:  # the library is optional, and has no type when it is not there
    """The keyring of this system; None without one, or without the library."""
    if os.environ.get(_VARIABLE) == "file":
        return None
    try:
        import keyring
    except ImportError:
        return None
    with _unlocked():
        backend = keyring.get_keyring()
        # Those of priority below one are empty, or keep passwords as text.
        return backend if backend.priority >= 1 else None
