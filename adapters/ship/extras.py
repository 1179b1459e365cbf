"""Packages only some people need: imported when used, and named in one line when they are not there."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Final

from statemachine.errors import UnsupportedError

EXTRA: Final = "ship"


def need(module: str, purpose: str) -> ModuleType:
    """A module of the extra ``ship``. Raises UnsupportedError that says how to get it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise UnsupportedError(
            f"{purpose} needs the Python package {missing.partition('.')[0]}, which is not installed",
            remedy=f"Install this program with its extra: `uv tool install '.[{EXTRA}]'` in its checkout.",
        ) from error
