"""The lines typed into the container's shell, and the helper as text that ``printf`` understands.

Everything here works in dash, bash, busybox ash, zsh and ksh, interactive, whatever their prompts do:
printable ASCII, no exclamation mark, no tab, lines below what busybox's line editor takes (1024) and far
below a terminal's 4095 bytes. Answers are computed from pieces, so that no echo of a line can be mistaken
for its answer.
"""

from __future__ import annotations

import base64
import gzip
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

LINE_MOST: Final = 900
UPLOAD_LINE: Final = 960
PLACES: Final = '"${TMPDIR:-/tmp}" /tmp /dev/shm /run /var/tmp "$HOME" /var/run "${PWD:-.}"'
_LAST_PLACES: Final = '/dev "$@"'
"""Tried when no other will do: a container's /dev is a small file system in memory, "$@" the other mounts."""
_FOLDER: Final = '"$d/.devpod-aci-${EUID:-`id -u 2>/dev/null`}"'
_LOCAL: Final = ("overlay", "ext?", "xfs", "btrfs", "tmpfs", "zfs", "virtiofs", "fuse.fuse-overlayfs")
"""File systems of this container alone. On a share of many, somebody else could put a helper of theirs."""


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

    def places_tried(self, heard: bytes) -> list[tuple[str, str]]:
        """Which places the shell has tried in vain, and its word for the reason; each place once."""
        found = re.findall(rb"\[devpod-aci:no:%d:([a-z]+):([^\]\r\n]*)\]" % self.sum, heard)
        return list({place.decode("utf-8", "replace"): why.decode() for why, place in reversed(found)}.items())[::-1]


def _whole(program: str, digest: str) -> str:
    """A shell's test that this is our helper, to the last byte; an empty file would succeed in everything but this."""
    return f'[ "$("{program}" check {digest} 2>/dev/null)" = whole ]'


SOBER: Final = b" set +efuC;unalias -a\n"
"""Off with what a start-up file may have set: to end at a failure, to overwrite nothing, words of another meaning."""


def start_line(build: str, nonce: Nonce) -> bytes:
    """Become the helper if it is there, else say ``need``. A leading blank keeps it out of histories.

    A link may lead to a folder of ours that others may write.
    """
    have = _whole(f"$p/{build}", build)
    line = (
        f" stty -echo 2>/dev/null;e=$(({nonce.first}+{nonce.second}));for d in {PLACES};do p={_FOLDER};"
        f'[ -h "$p" ]||{{ [ -O "$p" ]&&{have}&&{{ echo "[devpod-aci:have:$e]";'
        f'exec "$p/{build}" relay {nonce.word};}};}};done;echo "[devpod-aci:need:$e]"\n'
    )
    return line.encode("ascii")


def place_lines(build: str, digest: str, nonce: Nonce) -> list[bytes]:
    """Find a folder of ours where files can be executed, say ``pack`` or ``send``, read the helper, become it.

    ``pack`` where there are programs for ``packed_text``; ``send``, where there are none or where they have
    failed, wants ``upload_text``. Each folder that will not do is told with the reason: ``places_tried`` reads that.
    A failed transfer says ``bad`` and goes on to the next folder. When there is none left, a server that runs without
    a file is looked for; then ``none``.
    """
    local = "|".join(f"*\\ {kind},*" for kind in _LOCAL)
    mounts = (
        f" e=$(({nonce.first}+{nonce.second}));set --;while read -r x d f o x;do "
        f'case "$d $f,$o," in /proc*|/sys*|*,ro,*|*,noexec,*);;{local})set -- "$@" "$d";;esac;done</proc/mounts'
    )
    tell = (
        ' dpa_no(){ echo "[devpod-aci:no:$e:$1:$d]";};dpa_has(){ command -v $1 >/dev/null 2>&1;};'
        "m=closed;dpa_has mkdir||m=mkdir;k=;dpa_has awk&&dpa_has base64&&dpa_has gzip&&k=1"
    )
    have = _whole(f"$p/{build}", digest)
    own = (
        f" dpa_own(){{ p={_FOLDER};t=$p/{nonce.word};"
        '[ -d "$d" ]||{ dpa_no absent;return 1;};(umask 77;mkdir "$p") 2>/dev/null;'
        '[ -d "$p" ]||[ -h "$p" ]||{ dpa_no $m;return 1;};'
        'h=1;[ -O "$p" ]&&h=;[ -h "$p" ]&&h=1;[ "$h" ]&&{ dpa_no foreign;return 1;};'
        f'{have}&&exec "$p/{build}" relay {nonce.word};'
        '(echo :>"$t") 2>/dev/null||{ dpa_no full;return 1;};chmod 700 "$t" 2>/dev/null||{ dpa_no mode;return 1;};'
        "[ $k ]||dpa_has printf||{ dpa_no printf;return 1;};"
        '"$t" 2>/dev/null||{ rm -f "$t";dpa_no noexec;return 1;};}'
    )
    get = (
        ' dpa_get(){ if [ $k ];then k=;echo "[devpod-aci:pack:$e]";'
        "awk '/^[.]$/{exit}{print}'|base64 -d 2>/dev/null|gzip -dc 2>/dev/null>\"$t\";"
        'else echo "[devpod-aci:send:$e]";'
        'while IFS= read -r l&&case $l in .)false;;esac;do printf "$l";done>"$t";fi;'
        f'{_whole("$t", digest)}||{{ echo "[devpod-aci:bad:$e]";return 1;}};'
        f'mv -f "$t" "$p/{build}"&&t=$p/{build};exec "$t" relay {nonce.word};}}'
    )
    go = (
        f' for d in {PLACES} {_LAST_PLACES};do dpa_own&&{{ dpa_get||dpa_get||rm -f "$t";}};done;'
        "for x in /proc/[0-9]*;do "
        f'[ -O $x ]&&{{ read -r c<$x/comm;}} 2>/dev/null&&[ "$c" = devpod-aci ]&&'
        f"{_whole('$x/exe', digest)}&&exec $x/exe relay {nonce.word};done;"
        'echo "[devpod-aci:none:$e]"'
    )
    return [line.encode("ascii") + b"\n" for line in (mounts, tell, own, get, go)]


_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ,:;=+_@#^~/<>[]{}()|&*?$")
_OCTAL_DIGITS: Final = frozenset(b"01234567")


def packed_text(data: bytes) -> bytes:
    """``data`` as lines for ``base64`` and ``gzip``, ended by a line with a full stop: a third of ``upload_text``."""
    text = base64.b64encode(gzip.compress(data, mtime=0))
    return b"\n".join([*(text[at : at + LINE_MOST] for at in range(0, len(text), LINE_MOST)), b".", b""])


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
