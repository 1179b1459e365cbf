"""The packets' checksum: CRC-32 as in zlib and gzip (ISO 3309), over each byte that goes through the tunnel.

ISA-L has it from carry-less multiplication, ten times as fast as zlib, which was a tenth of what the holder did during
an upload. Where no wheel of it exists, zlib's gives the same sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zlib import crc32
else:
    try:
        from isal.isal_zlib import crc32
    except ImportError:
        from zlib import crc32

__all__ = ["crc32"]
