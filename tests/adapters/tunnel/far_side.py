"""A far side that is no helper of ours: says all that a helper says at the beginning, and then what it is told to.

Run in place of the container's shell: ``python far_side.py DIGEST MODE``.
"""

from __future__ import annotations

import os
import re
import sys
import tty
from collections.abc import Iterator

from adapters.tunnel.packets import armour
from adapters.tunnel.packets.packet import PAYLOAD_MOST, STREAM_WINDOW, Packet, Type, pack
from adapters.tunnel.packets.parser import Parser


def say(*packets: bytes) -> None:
    """All of it, however long the terminal takes."""
    data = memoryview(b"".join(packets))
    while data:
        data = data[os.write(1, data) :]


def heard(parser: Parser) -> Iterator[Packet]:
    """The packets that come, one by one."""
    while data := os.read(0, 65536):
        for event in parser.feed(data):
            if isinstance(event, Packet):
                yield event


def greet(digest: str) -> tuple[Parser, int]:
    """Agree on a session, in raw bytes each way; gives the number of the first command's stream."""
    typed = b""
    while (found := re.search(rb"relay (a[0-9a-f]{16}z)", typed)) is None:
        typed += os.read(0, 65536)
    say(b"\r\n[devpod-aci:relay:" + found[1][::-1] + b"]\r\n")
    hello = bytes([1]) + bytes.fromhex(digest) + os.urandom(16) + bytes(4)
    say(armour.encode(armour.Armour.BASE64, b"", pack(Type.HELLO, 0, 0, hello)), armour.probe())
    parser = Parser()
    parser.probing = True
    opened = 0
    attached = probed = False
    for packet in heard(parser):
        attached = attached or packet.type == Type.ATTACH
        probed = probed or packet.type == Type.PROBED
        if packet.type == Type.OPEN:
            opened = packet.stream
            break
    assert attached
    assert probed
    say(pack(Type.WELCOME, 0, 0, bytes([1, 1, 0, 0]) + bytes(4) + (32768 - 2).to_bytes(4, "little") + bytes(32)))
    return parser, opened


def pings(_: int) -> None:
    """Ask for answers, and take none of them."""
    while True:
        say(*[pack(Type.PING, 0, 0, bytes(PAYLOAD_MOST))] * 8)


def crumbs(stream: int) -> None:
    """All the output there is credit for, a byte in each packet."""
    number = 0
    for _ in range(STREAM_WINDOW // 1024):
        say(*(pack(Type.STDOUT, stream, number + each, b"x") for each in range(1024)))
        number += 1024
    while os.read(0, 65536):
        continue


if __name__ == "__main__":
    tty.setraw(0)
    MODES = {mode.__name__: mode for mode in (pings, crumbs)}
    _, first = greet(sys.argv[1])
    MODES[sys.argv[2]](first)
