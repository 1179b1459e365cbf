"""The checksum is zlib's, whoever computes it."""

from __future__ import annotations

import subprocess
import sys
import zlib

from hypothesis import given
from hypothesis import strategies as st

from adapters.tunnel.packets.checksum import crc32
from adapters.tunnel.packets.packet import Type, pack

WITHOUT_ISAL = """
import sys
sys.modules["isal"] = None
from adapters.tunnel.packets.packet import Type, pack
print(pack(Type.STDIN, 3, 7, b"some input").hex())
"""


@given(st.binary(max_size=5000), st.integers(min_value=0, max_value=0xFFFFFFFF))
def test_it_is_what_zlib_says_also_when_it_is_continued(data, start):
    assert crc32(data) == zlib.crc32(data)
    assert crc32(memoryview(data), start) == zlib.crc32(data, start)


def test_a_machine_without_isal_makes_the_same_packets():
    made = subprocess.run([sys.executable, "-c", WITHOUT_ISAL], capture_output=True, text=True, check=True).stdout
    assert made.strip() == pack(Type.STDIN, 3, 7, b"some input").hex()
