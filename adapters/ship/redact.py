"""Pseudonyms for people: one person has the same one everywhere, and only with the key can it be traced back.

Hashes are replaced too. The log's own are taken over the original names, so with them anybody could
try names until one fits; the same goes for digests of a command or of labels, and for signatures over hashes
once the signer's public key is known.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final
from unicodedata import normalize

import msgspec

from adapters.ship.line import Line
from adapters.ship.names import PEOPLE, forms, named, pattern
from eventlog.lines.codec import OWN_TYPES
from statemachine.events import EVENT_TYPES

PREFIX: Final = "anon-"
_LETTERS: Final = "bcdfghjklmnpqrstvwxz"
"""No vowels and no digits, so that no pseudonym happens to spell a name or a number."""
_LENGTH: Final = 14

UNTOUCHED: Final = frozenset({"specversion", "id", "time", "type", "seq", "schema"})
"""Parts of a record that are never about a person."""

SEALS: Final = frozenset({("data", "key"), ("data", "signature")})
"""Where a checkpoint or a tombstone says which key signed it, and how."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_NULL: Final = "0" * 64
_SIGN: Final = r"[\w\u0300-\u036f.!#%+'^~-]"
"""In an address before the ``@``; letters of any language, and marks that belong to the letter before them."""
_LABEL: Final = r"[\w\u0300-\u036f-]{1,63}"

IN_TEXT: Final = (
    # Without a limit, a long text without an address would be gone through once for each of its letters.
    # Guests are called ada_mail.example#EXT#@corp.example by Entra ID; an address in another has %40 in it.
    re.compile(rf"(?!'){_SIGN}{{1,128}}(?:@|%40){_LABEL}(?:\.{_LABEL}){{1,9}}", re.IGNORECASE),
    # Azure: The client 'ada@corp.example' with object id '0a1b…' does not have authorization to …
    re.compile(r"(?<=client ')[^']+(?=')|(?<=object id ')[^']+(?=')|(?<=principal ')[^']+(?=')", re.IGNORECASE),
    re.compile(r"(?<=/home/)[^/\s\"':]+|(?<=/Users/)[^/\s\"':]+|(?<=\\Users\\)[^\\\s\"':]+"),
)
"""People in texts that others wrote, whom the log may not know by name."""


class Redactor:
    """Replaces the people of some logs in their records."""

    def __init__(self, key: bytes, names: Iterable[str] = ()) -> None:
        self._key = key
        self._names = pattern(names)
        self.pseudonym = lru_cache(100_000)(self._pseudonym)
        self._text = lru_cache(100_000)(self._hunt)

    def record(self, record: dict[str, Any]) -> dict[str, Any]:
        """A record without people; everything else stays as and where it is."""
        return {
            name: value if name in UNTOUCHED else self._walk(value, (name,), person=False)
            for name, value in record.items()
        }

    def log(self, log: str) -> str:
        """The name of a log, which is the beginning of a hash."""
        return self._digits(f"log {log}")[: len(log)]

    def _walk(self, value: object, path: tuple[str, ...], *, person: bool) -> object:
        person = person or path in PEOPLE
        if isinstance(value, str):
            if path in SEALS:
                return self._hidden(value)
            return self._person(value) if person else self._text(value)
        if isinstance(value, dict):
            return {
                name if name in FIELDS else self._text(name): self._walk(below, (*path, name), person=person)
                for name, below in value.items()
            }
        if isinstance(value, list):
            return [self._walk(below, path, person=person) for below in value]
        return value

    def _person(self, text: str) -> str:
        bare = next(forms(text))
        kind = text[: len(text) - len(bare)]
        return kind + self.pseudonym(bare) if bare else text

    def _hunt(self, text: str) -> str:
        if _DIGEST.match(text):
            return text if text == _NULL else self._digits(f"digest {text}")
        # A pseudonym holds nothing that could be taken for a name, so the order does not matter.
        for found in (*IN_TEXT, self._names):
            if found is not None:
                text = found.sub(self._named, text)
        return text

    def _named(self, found: re.Match[str]) -> str:
        return found[0] if found[0].startswith(PREFIX) else self.pseudonym(found[0])

    def _pseudonym(self, name: str) -> str:
        number = self._keyed(f"name {normalize('NFC', name.lower())}")
        letters = ""
        for _ in range(_LENGTH):
            number, at = divmod(number, len(_LETTERS))
            letters += _LETTERS[at]
        return PREFIX + letters

    def _hidden(self, text: str) -> str:
        """Digits in the place of a text, as many as it had characters; the same for the same text."""
        blocks = (self._digits(f"{at} {text}") for at in range(0, len(text), 64))
        return "".join(blocks)[: len(text)]

    def _digits(self, text: str) -> str:
        """As long as a digest, and in its alphabet, but without the letters: ``ada`` and ``dad`` are hexadecimal."""
        return f"{self._keyed(text):078d}"[-64:]

    def _keyed(self, text: str) -> int:
        return int.from_bytes(hmac.digest(self._key, text.encode(), "sha256"), "big")


def names_in(lines: Iterable[Line]) -> set[str]:
    """Everybody who is named in the lines.

    A redactor has to know them all first: somebody may be mentioned long before the line that shows it is a person.
    """
    found: set[str] = set()
    for line in lines:
        found.update(named(line.record()))
    return found


def _fields(kind: type[msgspec.Struct]) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        yield field.encode_name
        for part in (field.type, *getattr(field.type, "__args__", ())):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                yield from _fields(part)


FIELDS: Final = frozenset(name for kind in (*EVENT_TYPES.values(), *OWN_TYPES.values()) for name in _fields(kind)) | {
    "user",
    "host",
    "azure",
}
"""Names of our own fields; only other keys of an object are searched for people."""
