"""From an option's text to its value; ValueError says what is wrong with the text."""

from __future__ import annotations

import re
from typing import Final

RESERVED_PORTS: Final = (
    (22, 22),
    (1025, 1027),
    (3389, 3399),
    (9999, 9999),
    (19000, 19000),
    (19080, 19080),
    (19100, 19100),
    (19390, 19390),
    (20000, 30000),
    (49152, 65534),
)
"""Ports Container Instances keeps for itself, first and last of each range."""

MAX_PORTS: Final = 5
MAX_CPU: Final = 32.0
MAX_SEGMENT_MIB: Final = 4096
MAX_MEMORY_GB: Final = 256.0

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+")
_DURATION_PART: Final = re.compile(r"([0-9.]+)([a-zµμ]+)")


def duration(text: str) -> float:
    """Seconds of a duration in Go's syntax (``10m``, ``1h30m``, ``0``), never negative."""
    if text == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        raise ValueError("is not a duration")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))


def at_least_a_second(text: str) -> float:
    """A duration that gives something time to happen."""
    seconds = duration(text)
    if seconds < 1:
        raise ValueError("is shorter than a second")
    return seconds


def up_to_a_day(text: str) -> float:
    """A duration of at least a second that nobody has to wait out for days."""
    seconds = at_least_a_second(text)
    if seconds > 24 * 3600:
        raise ValueError("is longer than a day")
    return seconds


def inactivity(text: str) -> float:
    """Zero, or a duration that DevPod's inactivity check, which looks once a minute, can tell from zero."""
    seconds = duration(text)
    if 0 < seconds < 60:
        raise ValueError("is shorter than a minute")
    return seconds


def boolean(text: str) -> bool:
    """``true`` or ``false``, the only spellings DevPod compares with."""
    if text not in ("true", "false"):
        raise ValueError("is not a boolean")
    return text == "true"


def cpu(text: str) -> float:
    """Virtual CPUs in hundredths."""
    cores = float(text)
    if not 0 < cores <= MAX_CPU:
        raise ValueError("is out of range")
    return cores


def memory(text: str) -> float:
    """GB in tenths."""
    size = float(text)
    if not 0 < size <= MAX_MEMORY_GB:
        raise ValueError("is out of range")
    return size


def ports(text: str) -> tuple[int, ...]:
    """A list of ports a container group can open."""
    found = tuple(int(part) for part in text.split(","))
    for port in found:
        if not 1 <= port <= 65535:
            raise ValueError(f"names port {port}, which does not exist")
        if any(first <= port <= last for first, last in RESERVED_PORTS):
            raise ValueError(f"names port {port}, which Container Instances keeps for itself")
    if len(set(found)) != len(found):
        raise ValueError("names a port twice")
    if len(found) > MAX_PORTS:
        raise ValueError(f"names more than {MAX_PORTS} ports")
    return found


def resource_group(text: str) -> str:
    """A resource group's name; its pattern lets every non-ASCII character pass, Azure only letters and digits."""
    for character in text:
        if not (character in "-_.()" or character.isalnum()):
            raise ValueError(f"holds {character!r}")
    return text


def file_share(text: str) -> str:
    """A file share's name."""
    if len(text) > 63:
        raise ValueError("is longer than 63 characters")
    return text


def image(text: str) -> str:
    """An image reference."""
    if len(text) > 512:
        raise ValueError("is longer than 512 characters")
    return text


def segment(text: str) -> int:
    """Bytes from a number of MiB that a segment of the event log may have."""
    amount = int(text)
    if not 1 <= amount <= MAX_SEGMENT_MIB:
        raise ValueError(f"is not from 1 to {MAX_SEGMENT_MIB}")
    return amount << 20


def endpoint(text: str) -> str:
    """An HTTPS address without a slash at its end; a bare host gets its scheme."""
    address = text.rstrip("/")
    return address if address.startswith("https://") else f"https://{address}"
