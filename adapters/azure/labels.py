"""The labels document, carried in the group itself so that another computer can adopt the workspace.

A tag holds 256 characters and DevPod's labels can be longer, so they travel as an environment variable.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from typing import Final

VARIABLE: Final = "DEVPOD_ACI_LABELS"

ENVIRONMENT_LIMIT: Final = 30 * 1024
"""Bytes of all names and values together. The service's own limit is not documented; this is below the
32 KiB that the strictest reading of it allows."""

DOCUMENT_LIMIT: Final = 16 * 1024 * 1024
"""A document that unpacks to more than this was not written by us."""


def pack(labels: bytes, environment: Iterable[tuple[str, str]]) -> str:
    """The variable's value, or an empty string where it would make the environment too large."""
    if not labels:
        return ""
    value = base64.b64encode(zlib.compress(labels, 9)).decode("ascii")
    size = sum(len(name.encode()) + len(text.encode()) for name, text in environment)
    return value if size + len(VARIABLE) + len(value) <= ENVIRONMENT_LIMIT else ""


def unpack(value: str) -> bytes:
    """What ``pack`` packed; empty for anything else, since whoever may edit the group may edit this too."""
    try:
        unpacker = zlib.decompressobj()
        labels = unpacker.decompress(base64.b64decode(value, validate=True), DOCUMENT_LIMIT)
    except (binascii.Error, zlib.error, ValueError):
        return b""
    return labels if unpacker.eof else b""
