r"""The shape of a line: where its parts stand, so that most questions need slices and not a parser.

::

    {"specversion":"1.0","id":"<36>","time":"<27>","type":"…","subject":"…","seq":7,"schema":1,
     "source":"…","actor":{…},"correlation":"…","data":{…},"prev":"<64 hex>","hash":"<64 hex>"}\n

``hash`` is SHA-256 over the line as written, without the member ``hash``: everything before ``,"hash":``
and the closing brace. ``prev`` is the hash of the line before. Bytes are never encoded again to check them,
so fields that only a newer version knows stay under the hash.
"""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from typing import Final

START: Final = b'{"specversion":"1.0","id":"'
"""How every line begins; a file that begins otherwise is not an event log."""

GENESIS: Final = "0" * 64
"""``prev`` of the first line."""

MAX_LINE: Final = 1 << 20
"""Bytes of the longest line, newline included; CloudEvents promises delivery only up to 64 KiB."""

_PREV: Final = b',"prev":"'
_HASH: Final = b'","hash":"'
_END: Final = b'"}'
_NO_BYTES: Final = sha256()
"""To be copied: OpenSSL looks for its SHA-256 anew for each object that is made, which costs most behind a sync."""
_HASH_AT: Final = -(64 + len(_END))
_CUT: Final = _HASH_AT - len(_HASH) + 1
_PREV_AT: Final = _CUT - 65
_ENDS_AT: Final = _PREV_AT - len(_PREV)
MIN_LINE: Final = len(START) - _PREV_AT + len(_PREV)


def seal(body: bytes) -> tuple[bytes, str]:
    """The finished line, newline included, and its hash, from the line as an object without the member ``hash``."""
    state = _NO_BYTES.copy()
    state.update(body)
    digest = state.hexdigest()
    return b"".join((body[:-1], b',"hash":"', digest.encode(), b'"}\n')), digest


def follows(line: bytes, head: str) -> str:
    """The hash of a line (without its newline) that is whole and has ``head`` as its ``prev``; else nothing.

    One comparison for all of it, because verifying is what a replay spends its time on.
    """
    digest = sha256(line[:_CUT] + b"}").hexdigest()
    return digest if line.endswith(f',"prev":"{head}","hash":"{digest}"}}'.encode()) and line.startswith(START) else ""


def lines_of(block: bytes) -> list[bytes]:
    """The lines of a block, newlines included; split in a third of the time that ``split`` takes."""
    return BytesIO(block).readlines()


def hashes(lines: list[bytes], head: str) -> list[str]:
    """The hashes of some lines (with their newlines), if each has the hash of the one before as its ``prev``.

    Empty if one of them does not; ``follows`` tells which. Hashing a whole block at a time halves the cost.
    """
    found = [sha256(line[: _CUT - 1] + b"}").hexdigest() for line in lines]
    middle = '","hash":"'
    wanted = '"}\n,"prev":"'.join(map(middle.join, pairwise([head, *found])))
    ends = b"".join([line[_ENDS_AT - 1 :] for line in lines])
    return found if ends == f',"prev":"{wanted}"}}\n'.encode() else []


def digest_of(line: bytes) -> str:
    """The hash a line (without its newline) ought to have."""
    return sha256(line[:_CUT] + b"}").hexdigest()


def hash_in(line: bytes) -> str:
    """The hash a line (without its newline) says it has."""
    return line[_HASH_AT:-2].decode("latin-1")


def prev_in(line: bytes) -> str:
    """The hash a line (without its newline) says the line before it has."""
    return line[_PREV_AT : _PREV_AT + 64].decode("latin-1")


def is_shaped(line: bytes) -> bool:
    """Whether the fixed parts are where they belong; what is between them is not looked at."""
    return (
        len(line) >= MIN_LINE
        and line.startswith(START)
        and line.endswith(_END)
        and line[_HASH_AT - len(_HASH) : _HASH_AT] == _HASH
        and line[_PREV_AT - len(_PREV) : _PREV_AT] == _PREV
    )


def is_whole(line: bytes) -> bool:
    """Whether a line (without its newline) has its shape, and its hash is that of its bytes."""
    return is_shaped(line) and digest_of(line) == hash_in(line)


def starts_like_ours(head: bytes) -> bool:
    """Whether a file with these first bytes can be an event log: empty, torn in its first line, or whole.

    One byte may be another one: that is damage to our line, and no other program's file.
    """
    begun = head[: len(START)].rstrip(b"\0")
    if START.startswith(begun):
        return begun == START or b"\n" not in head
    return len(begun) == len(START) and sum(one != other for one, other in zip(begun, START, strict=True)) == 1
