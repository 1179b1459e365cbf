"""Documents beside the log: whole or not there, and never another one than was named."""

from __future__ import annotations

import errno
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog import blobs
from statemachine.errors import LogError
from tests.eventlog.faults import FaultyDisk, Killed


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=5000))
def test_round_trip(path: Path, data: bytes) -> None:
    digest = blobs.put(path, "labels", data)
    assert digest == sha256(data).hexdigest()
    assert blobs.get(path, "labels", digest) == data
    assert blobs.put(path, "labels", data) == digest


def test_what_is_not_there_or_not_what_it_was(path: Path) -> None:
    digest = blobs.put(path, "labels", b"right")
    assert blobs.get(path, "labels", "0" * 64) is None
    assert blobs.get(path, "other", digest) is None
    kept = path.with_name("events.jsonl.d") / "labels" / digest
    kept.write_bytes(b"wrong")
    assert blobs.get(path, "labels", digest) is None
    assert blobs.put(path, "labels", b"right") == digest
    assert blobs.get(path, "labels", digest) == b"right"


@pytest.mark.parametrize("digest", ["", "../../../etc/passwd", "0" * 63, "G" * 64, "0" * 64 + "\n"])
def test_a_digest_cannot_name_another_file(path: Path, digest: str) -> None:
    assert blobs.get(path, "labels", digest) is None


@pytest.mark.parametrize("kind", ["", "..", "a/b", "A", "a.b"])
def test_a_kind_cannot_name_another_folder(path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="not a kind"):
        blobs.put(path, kind, b"")


@pytest.mark.parametrize(
    "fault", [{}, {"part": 0.5}, {"code": errno.ENOSPC, "part": 0.5}, {"code": errno.EIO}], ids=str
)
def test_a_fault_at_every_call_leaves_all_or_nothing(path: Path, fault: dict[str, object]) -> None:
    for at in range(1, 20):
        data = b"document %d" % at
        disk = FaultyDisk(at, **fault)  # type: ignore[arg-type]  # the table above names its parameters
        try:
            blobs.put(path, "labels", data, disk=disk)
        except (Killed, LogError):
            assert blobs.get(path, "labels", sha256(data).hexdigest()) in (None, data)
        if not disk.struck:
            assert at > 3
            return
        assert blobs.get(path, "labels", blobs.put(path, "labels", data)) == data
    pytest.fail("the fault never stopped striking")
