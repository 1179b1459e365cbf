"""Calling the program as people and programs do."""

from __future__ import annotations

from collections.abc import Callable

Call = Callable[..., tuple[int, str, str]]
"""Takes the words of a call; gives its exit status, and what it wrote to stdout and stderr."""
