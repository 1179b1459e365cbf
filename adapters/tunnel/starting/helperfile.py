"""The helper as it was built: its bytes, held against the hash that the build put beside them."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from statemachine.errors import HelperMismatchError

_FOLDER = Path(__file__).parents[1] / "helper"
NAME = "devpod-aci-helper"


@dataclass(frozen=True)
class Helper:
    """A verified helper."""

    data: bytes
    digest: str

    @property
    def build(self) -> str:
        """The name its file has in a container."""
        return self.digest[:16]


def read(folder: Path) -> Helper:
    """Read and verify; raises HelperMismatchError with what to do, and OSError where no more files can be opened."""
    try:
        data = (folder / NAME).read_bytes()
        wanted = (folder / f"{NAME}.sha256").read_text(encoding="ascii").split()[0]
    except (OSError, UnicodeDecodeError, IndexError) as problem:
        if isinstance(problem, OSError) and problem.errno in (errno.EMFILE, errno.ENFILE):
            raise  # it may well be there
        raise HelperMismatchError(
            f"the tunnel's helper is not built ({folder / NAME})",
            remedy="Run `make helper` in a checkout, or install devpod-provider-aci again.",
        ) from problem
    digest = hashlib.sha256(data).hexdigest()
    if digest != wanted:
        raise HelperMismatchError(f"the tunnel's helper has SHA-256 {digest[:16]}… but was built as {wanted[:16]}…")
    return Helper(data, digest)


@cache
def load_helper() -> Helper:
    """The helper that belongs to this installation."""
    return read(_FOLDER)
