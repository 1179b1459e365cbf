"""An agent for tests: the smallest program for Linux on amd64 that says a version, padded to any size."""

from __future__ import annotations

import struct

BASE = 0x400000
HEADERS = 64 + 56


def elf(said: str, size: int = 0) -> bytes:
    """An executable that prints ``said`` (elf(5); write and exit by system call), ``size`` bytes long or longer."""
    text = said.encode()
    code = b"\xb8\x01\0\0\0"  # eax = write
    code += b"\xbf\x01\0\0\0"  # edi = stdout
    tail = b"\x0f\x05\xb8\x3c\0\0\0\x31\xff\x0f\x05"  # syscall; exit(0)
    length = b"\xba" + struct.pack("<I", len(text))  # edx = length
    where = BASE + HEADERS + len(code) + 5 + len(length) + len(tail)
    code += b"\xbe" + struct.pack("<I", where)  # esi = text
    code += length + tail + text
    whole = HEADERS + len(code)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, BASE + HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    program = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, whole, whole, 0x1000)
    return (header + program + code).ljust(size, b"\xa5")
