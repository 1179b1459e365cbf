"""What somebody can do who can write the files of a log: change lines, and make all later hashes anew."""

from __future__ import annotations

import msgspec

from eventlog.lines import layout


def rehash(lines: list[bytes], start: int, *, first: int = 1) -> bytes:
    """The lines with hashes and numbers made anew from one of them on, as anybody can.

    ``first`` is the number of the first line; if that is not 1, what it follows stays as it is.
    """
    made = lines[:start]
    head = layout.hash_in(lines[start - 1][:-1]) if start else layout.GENESIS
    if start == 0 and first > 1:
        head = msgspec.json.decode(min(lines, key=lambda line: int(msgspec.json.decode(line)["seq"])))["prev"]
    for index in range(start, len(lines)):
        record = msgspec.json.decode(lines[index])
        record["seq"], record["prev"] = index + first, head
        del record["hash"]
        line, head = layout.seal(msgspec.json.encode(record))
        made.append(line)
    return b"".join(made)
