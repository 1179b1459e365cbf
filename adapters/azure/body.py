"""How much of an answer is read, and for how long: a proxy may send one that never ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from azure.core.exceptions import HttpResponseError, ServiceResponseTimeoutError

from adapters.azure.budget import left

BODY_MOST: Final = 32 << 20
"""Bytes, unpacked. The largest answer is a container's log: 4 MB, of which JSON's escapes can make several."""


def bound_body(response: Any, **_: object) -> None:
    """A ``requests`` hook: reading the body ends when it is larger than any answer, or when the budget is used up.

    Raises HttpResponseError for a body that is too large, ServiceResponseTimeoutError for one that is too slow: the
    read timeout below us begins anew with each byte.
    """
    pieces = response.iter_content

    def bounded(*arguments: Any, **keywords: Any) -> Iterator[bytes]:
        size = 0
        for piece in pieces(*arguments, **keywords):
            size += len(piece)
            if size > BODY_MOST:
                response.close()
                raise HttpResponseError(f"an answer of more than {BODY_MOST >> 20} MiB")
            if left() <= 0 and size > len(piece):  # what comes at once is an answer, however late
                response.close()
                raise ServiceResponseTimeoutError("no time left")
            yield piece

    response.iter_content = bounded
