"""The lines typed into the container's shell, and the helper as text that ``printf`` understands.

Everything here works in dash, bash, busybox ash, zsh and ksh, interactive, whatever their prompts do:
printable ASCII, no exclamation mark, no tab, lines well below a terminal's 4095 bytes. Answers are
computed from pieces, so that no echo of a line can be mistaken for its answer.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

LINE_MOST: Final = 900
UPLOAD_LINE: Final = 960
PLACES: Final = '"${TMPDIR:-/tmp}" /tmp /dev/shm /run /var/tmp "$HOME" /var/run .'
_FOLDER: Final = '"$d/.devpod-aci-${EUID:-`id -u 2>/dev/null`}"'


def _part() -> int:
    return 100_000_000 + secrets.randbelow(900_000_000)


@dataclass(frozen=True)
class Nonce:
    """Fresh numbers of one bootstrap: two summands whose sum only a shell can print, and a word the helper turns."""

    first: int = field(default_factory=_part)
    second: int = field(default_factory=_part)
    word: str = field(default_factory=lambda: f"a{secrets.token_hex(8)}z")

    @property
    def sum(self) -> int:
        """What the shell computes; below 2**31, which is all some shells can count."""
        return self.first + self.second

    def said(self, word: str) -> bytes:
        """The shell's answer ``word``."""
        return b"[devpod-aci:%s:%d]" % (word.encode(), self.sum)

    def relay(self) -> bytes:
        """The helper's first words once the terminal is transparent."""
        return b"[devpod-aci:relay:%s]" % self.word[::-1].encode()

    def failed(self) -> bytes:
        """How the helper begins to say that it cannot go on."""
        return b"[devpod-aci:failed:%s:" % self.word[::-1].encode()


def start_line(build: str, nonce: Nonce) -> bytes:
    """Become the helper if it is there, else say ``need``. A leading blank keeps it out of histories."""
    line = (
        f" stty -echo 2>/dev/null;e=$(({nonce.first}+{nonce.second}));for d in {PLACES};do p={_FOLDER};"
        f'[ -O "$p" ]&&"$p/{build}" check {build} 2>/dev/null&&{{ echo "[devpod-aci:have:$e]";'
        f'exec "$p/{build}" relay {nonce.word};}};done;echo "[devpod-aci:need:$e]"\n'
    )
    return line.encode("ascii")


def upload_line(build: str, digest: str, nonce: Nonce) -> bytes:
    """Find a folder of ours where files can be executed, say ``send``, read the helper, become it.

    A failed transfer says ``bad`` and goes on to the next folder; when there is none left, ``none``.
    """
    line = (
        f" e=$(({nonce.first}+{nonce.second}));for d in {PLACES};do p={_FOLDER};t=$p/{nonce.word};"
        '(umask 77;mkdir "$p") 2>/dev/null;[ -O "$p" ]&&[ -d "$p" ]||continue;[ -h "$p" ]&&continue;'
        '(echo :>"$t"&&chmod 700 "$t"&&"$t") 2>/dev/null||{ rm -f "$t" 2>/dev/null;continue;};'
        'echo "[devpod-aci:send:$e]";while IFS= read -r l&&case $l in .)false;;esac;do printf "$l";done>"$t";'
        f'"$t" check {digest} 2>/dev/null||{{ rm -f "$t";echo "[devpod-aci:bad:$e]";continue;}};'
        f'mv -f "$t" "$p/{build}"&&t=$p/{build};exec "$t" relay {nonce.word};done;echo "[devpod-aci:none:$e]"\n'
    )
    return line.encode("ascii")


_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ,:;=+_@#^~/<>[]{}()|&*?$")
_OCTAL_DIGITS: Final = frozenset(b"01234567")


def upload_text(data: bytes) -> bytes:
    """``data`` as lines that ``printf`` turns back into it, ended by a line with a full stop.

    Escapes have one digit where that is unambiguous; a digit after one is escaped itself, because
    shells disagree on how many digits belong to an escape that begins with a nought.
    """
    lines: list[bytes] = []
    line = bytearray()
    after_escape = False
    for value in data:
        if value in _PLAIN and not (after_escape and value in _OCTAL_DIGITS):
            line.append(value)
            after_escape = False
        elif value == 0x25:
            line += b"%%"
            after_escape = False
        else:
            line += b"\\%o" % value
            after_escape = value < 0o100
        if len(line) >= UPLOAD_LINE:
            lines.append(bytes(line))
            line.clear()
            after_escape = False
    if line:
        lines.append(bytes(line))
    lines.append(b".")
    return b"\n".join(lines) + b"\n"
