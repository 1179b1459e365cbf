"""A headless browser for tests: pictures, what it asked the network for, and how wide a page is."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROGRAM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DARK: Final = "--blink-settings=preferredColorScheme=0"
QUIET: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # Nothing outside is ever reached; what is asked for is still in the network log.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


@dataclass(frozen=True)
class Shot:
    """A picture, and the addresses that the page (not the browser itself) asked for."""

    picture: Picture
    asked: list[str]


@dataclass(frozen=True)
class Picture:
    """Pixels of an 8-bit RGB or RGBA picture."""

    width: int
    height: int
    rows: list[bytes]
    depth: int

    def pixel(self, x: int, y: int) -> tuple[int, ...]:
        return tuple(self.rows[y][x * self.depth : x * self.depth + 3])

    def colours(self) -> set[tuple[int, ...]]:
        """Of every fourth pixel of every fourth row."""
        return {self.pixel(x, y) for y in range(0, self.height, 4) for x in range(0, self.width, 4)}


def shoot(page: Path, folder: Path, size: tuple[int, int], *options: str) -> Shot:
    picture, log = folder / "shot.png", folder / "net.json"
    _run(page, folder, size, f"--screenshot={picture}", f"--log-net-log={log}", *options)
    return Shot(read_png(picture.read_bytes()), asked_by_page(json.loads(log.read_text("utf-8"))))


def dom(page: Path, folder: Path, size: tuple[int, int], *options: str) -> str:
    """The page's document after its scripts ran."""
    return _run(page, folder, size, "--dump-dom", *options)


def asked_by_page(log: dict[str, object]) -> list[str]:
    """The addresses in a network log whose requests began in a page; the browser's own say they have no origin."""
    events = log["events"]
    assert isinstance(events, list)
    found = [event.get("params", {}) for event in events]
    return [one["url"] for one in found if one.get("url") and one.get("initiator", "not an origin") != "not an origin"]


def read_png(data: bytes) -> Picture:
    """Decode what Chromium writes (8 bits a channel, not interlaced), without a library for pictures."""
    width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
    depth = {2: 3, 6: 4}[kind]
    assert bits == 8
    at, packed = 8, b""
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + size]
        at += size + 12
    raw = zlib.decompress(packed)
    rows: list[bytes] = []
    stride = width * depth
    before = bytearray(stride)
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        _unfilter(kind, line, before, depth)
        rows.append(bytes(line))
        before = line
    return Picture(width, height, rows, depth)


def _unfilter(kind: int, line: bytearray, before: bytearray, depth: int) -> None:
    if kind == 0:
        return
    for i in range(len(line)):
        left = line[i - depth] if i >= depth else 0
        up = before[i]
        corner = before[i - depth] if i >= depth else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = up
        elif kind == 3:
            guess = (left + up) // 2
        else:
            paeth = left + up - corner
            guess = min((left, up, corner), key=lambda one: abs(paeth - one))
        line[i] = (line[i] + guess) & 0xFF


def _run(page: Path, folder: Path, size: tuple[int, int], *options: str) -> str:
    assert PROGRAM is not None
    profile = folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    answer = subprocess.run(
        [PROGRAM, *QUIET, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", *options, page.as_uri()],
        capture_output=True,
        timeout=150,
        check=True,
    )
    return answer.stdout.decode()
