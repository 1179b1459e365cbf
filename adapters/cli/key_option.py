"""``--public-key``: the files of the keys that a log is checked with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from eventlog import Verdict

PUBLIC_KEYS: Final = click.option(
    "--public-key",
    "keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Also check what is signed: a file that `audit key` wrote. Repeatable, for several people or a changed key.",
)


def verified(path: Path, keys: tuple[Path, ...], *, archive: Path | None = None) -> Verdict:
    """What checking a log finds, its chain and, where keys are given, its signatures.

    Raises LogError, also for a file that is no key.
    """
    from eventlog import verify

    if not keys:
        return verify(path, archive=archive)
    from eventlog.sealing.seal import read_trust
    from eventlog.verify import verify_signed

    return verify_signed(path, [read_trust(key) for key in keys], archive=archive)
