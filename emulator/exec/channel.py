"""What the line does to bytes and frames: nothing by default but random frame borders."""

from __future__ import annotations

import codecs
import random
from collections.abc import Callable, Iterator

from emulator.settings import Exec

EOM = b"[[EOM]]"
_EATEN = {"xonxoff": b"\x11\x13", "nul": b"\0"}
_SEVEN = bytes(byte & 0x7F for byte in range(256))

Transform = Callable[[bytes], bytes]


def _lossy() -> Transform:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return lambda data: decoder.decode(data).encode()


def _eat(names: str) -> Transform:
    gone = b"".join(_EATEN[name] for name in names.split(",") if name in _EATEN)
    return lambda data: data.translate(None, gone)


def transforms(options: Exec, way: str) -> list[Transform]:
    """The byte-mangling of one direction, in order."""
    steps: list[Transform] = []
    if options.eat and options.eat_direction in (way, "both"):
        steps.append(_eat(options.eat))
    if options.seven_bit in (way, "both"):
        steps.append(lambda data: data.translate(_SEVEN))
    if options.utf8_lossy in (way, "both"):
        steps.append(_lossy())
    if way == "in" and options.swallow_eom:
        steps.append(lambda data: data.replace(EOM, b""))
    if way == "in" and options.truncate_input:
        steps.append(lambda data: data[: options.truncate_input])
    return steps


class Channel:
    """Both directions of one session."""

    def __init__(self, options: Exec, rng: random.Random) -> None:
        self._random = rng
        self._rechunk = options.rechunk
        self._most = options.max_output_frame
        self._in = transforms(options, "in")
        self._out = transforms(options, "out")

    def incoming(self, data: bytes) -> bytes:
        """What arrives at the terminal of one message from the client."""
        for step in self._in:
            data = step(data)
        return data

    def outgoing(self, data: bytes) -> Iterator[bytes]:
        """The frames in which output leaves; their borders mean nothing, so they are random."""
        for step in self._out:
            data = step(data)
        if self._rechunk and len(data) > 1 and self._random.random() < 0.5:
            cut = self._random.randrange(1, len(data))
            yield from self._limited(data[:cut])
            data = data[cut:]
        if data:
            yield from self._limited(data)

    def _limited(self, data: bytes) -> Iterator[bytes]:
        if not self._most or len(data) <= self._most:
            yield data
            return
        for start in range(0, len(data), self._most):
            yield data[start : start + self._most]
