"""Upcasting: brings an event's data that an older version of this program wrote to the form this version reads.

Lines are never rewritten: old data is brought up to date each time it is decoded, one version at a time. To
change what a field of an event means: raise ``VERSION`` of its type, add the row for the version before to
``UPCASTERS``, and add a log with the new version to the golden files. A new field with a default needs none
of this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from statemachine.events import Event

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes an event's data of one version and gives that of the next."""

UPCASTERS: Final[dict[tuple[str, int], Upcaster]] = {}
"""By type and the version that is taken. Empty as long as every type is at version 1."""

Decode = Callable[[bytes | msgspec.Raw], Event]

_parse: Final = msgspec.json.Decoder(dict[str, Any]).decode


def reader(kind: type[Event], name: str, schema: int, decode: Decode) -> Decode:
    """How to read data of version ``schema`` of a type: ``decode`` itself where that is the present one.

    The reader raises msgspec.ValidationError for data that is not what its version promises.
    """
    if schema == kind.VERSION:
        return decode

    def read(data: bytes | msgspec.Raw) -> Event:
        return msgspec.convert(_risen(_parse(data), name, schema, kind.VERSION), kind)

    return read


def known(kinds: Mapping[str, type[Event]], name: str, schema: int) -> type[Event] | None:
    """The type of an event; None for one, or a version of one, that only a newer version of this program knows."""
    kind = kinds.get(name)
    return kind if kind is not None and schema <= kind.VERSION else None


def _risen(data: dict[str, Any], name: str, schema: int, target: int) -> dict[str, Any]:
    for version in range(schema, target):
        step = UPCASTERS.get((name, version))
        if step is None:
            raise msgspec.ValidationError(f"version {version} of it was never written")
        try:
            data = step(data)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise msgspec.ValidationError(f"it is not version {version} of it: {error!r}") from error
    return data


def missing(kinds: Mapping[str, type[Event]]) -> list[tuple[str, int]]:
    """The rows ``UPCASTERS`` ought to have for these types and has not."""
    return [
        (name, version)
        for name, kind in kinds.items()
        for version in range(1, kind.VERSION)
        if (name, version) not in UPCASTERS
    ]
