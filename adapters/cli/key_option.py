"""``--public-key``: the files of the keys that a log is checked with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

PUBLIC_KEYS: Final = click.option(
    "--public-key",
    "keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Also check what is signed: a file that `audit key` wrote. Repeatable, for several people or a changed key.",
)
