"""Calling the program as people and programs do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Call = Callable[..., tuple[int, str, str]]
"""Takes the words of a call; gives its exit status, and what it wrote to stdout and stderr."""


def objects(out: str) -> list[dict[str, Any]]:
    """What a call with ``--json`` printed."""
    return [json.loads(line) for line in out.splitlines()]
