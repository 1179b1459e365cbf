"""Finding people in text: which names a log knows, and one pattern that finds any of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from unicodedata import normalize
from urllib.parse import quote

COMMON: Final = frozenset(
    {"", "root", "vscode", "node", "codespace", "user", "dev", "nobody", "app", "runner", "localhost", "admin", "home"}
)
"""Names that stand for nobody. They are replaced where a person belongs, but not searched for elsewhere."""

PEOPLE: Final[tuple[tuple[str, ...], ...]] = (
    ("actor",),
    ("data", "owner", "host"),
    ("data", "owner", "started"),
    ("data", "user"),
    ("data", "origin"),
)
"""Where a record names a person or a person's computer; of an object, every text in it. ``started`` begins with
the number of the computer's boot."""

_SHORT: Final = 3
"""Shorter names, and numbers, are found as whole words only, or they would be found everywhere."""

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_Trie = dict[str, Any]


def named(record: dict[str, Any]) -> Iterator[str]:
    """The names in one record, each also in the shorter forms that people and programs use for it."""
    for path in PEOPLE:
        found: Any = record
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        for text in _texts(found):
            for name in forms(text):
                if name.lower() not in COMMON:
                    yield name


def forms(text: str) -> Iterator[str]:
    r"""``user:ada@corp.example`` is also ``ada``; so are ``CORP\ada`` and, of a computer, ``ada.corp.example``."""
    bare = text.partition(":")[2] if re.match(r"(user|app|object):", text) else text
    yield bare
    if "@" in bare:
        yield bare.partition("@")[0]
    elif "\\" in bare:
        yield bare.rpartition("\\")[2]
    elif "." in bare and not re.fullmatch(r"[\d.]+", bare):
        yield bare.partition(".")[0]


def pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """What finds any of the names, whatever their case; None for no names.

    A tree of common beginnings, so that ten thousand names cost little more than ten.
    """
    anywhere: _Trie = {}
    words: _Trie = {}
    for name in set().union(*map(_spellings, names)):
        node = words if len(name) < _SHORT or name.isdigit() else anywhere
        for letter in name:
            node = node.setdefault(letter, {})
        node[""] = {}
    parts = []
    if anywhere:
        parts.append(_branch(anywhere))
    if words:
        parts.append(rf"(?<![^\W_]){_branch(words)}(?![^\W_])")
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None


def _spellings(name: str) -> set[str]:
    """The ways to write a name that a pattern which ignores case does not take for one another.

    Letters with marks are one character or two (file names on macOS), and not every letter has one partner: the lower
    case of a Turkish capital I with a dot has two characters. In an address in an error text there are percent signs,
    and Azure leaves the hyphens out where it says that a principal was not found.
    """
    found = {name.lower()}
    if not name.isascii():
        found = {normalize(form, text) for form in ("NFC", "NFD") for text in (name, name.lower(), name.upper())}
    elif _GUID.fullmatch(name):
        found.add(name.lower().replace("-", ""))
    return found | {quote(text, safe="") for text in found}


def _branch(trie: _Trie) -> str:
    """A tree as an expression that prefers longer names."""
    text = ""
    while len(trie) == 1 and "" not in trie:
        letter, trie = next(iter(trie.items()))
        text += re.escape(letter)
    rest = [re.escape(letter) + _branch(below) for letter, below in sorted(trie.items()) if letter]
    if not rest:
        return text
    return f"{text}(?:{'|'.join(rest)}){'?' if '' in trie else ''}"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
