"""The files in this repository that are made from the table of options."""

from __future__ import annotations

from adapters.devpod.manifest import FILES, render
from adapters.devpod.reference import reference


def generated() -> dict[str, str]:
    """Each file's path in the repository, and its text."""
    return {**{name: render(mode) for mode, name in FILES.items()}, "docs/options.md": reference()}
