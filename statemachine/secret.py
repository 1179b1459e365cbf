"""A secret is a type: it can be used, but not printed, logged, pickled or serialised by accident."""

from __future__ import annotations

import re
from typing import Final, NoReturn, final

MASK: Final = "********"
SHORT: Final = 8
"""A secret with at least as many characters is masked inside longer words too: it is no part of one by chance."""


@final
class Secret:
    """A text that must not leave the process except towards the service it is meant for.

    ``repr``, ``str`` and ``format`` give a mask; ``reveal`` is the only way to the value, so every use
    can be found by searching for that word. JSON and msgspec encoders refuse the type.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself; hand it straight to the call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")


def scrub(text: str, *secrets: Secret) -> str:
    """``text`` with every occurrence of the given secrets masked.

    For texts we did not write ourselves, such as an error body that may quote what it was sent. A short secret is
    masked as a word of its own only: a variable may be ``e`` or ``on``, and the text must stay readable.
    """
    for secret in secrets:
        value = secret.reveal()
        if len(value) >= SHORT:
            text = text.replace(value, MASK)
        elif len(value) > 1:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", MASK, text)
    return text
