"""Logs for the tests: made quickly, line by line, in the log's own shape."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from eventlog.lines import layout

BEGIN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
CORRELATION = "0f8fad5b-d9cb-469f-a165-70867728950e"
ADA = {"user": "ada", "host": "laptop-ada", "azure": "user:ada.lovelace@corp.example"}
OWNER = {"owner": {"host": "laptop-ada", "pid": 42, "started": "1b2c3d4e-777"}}


def record(seq: int, prev: str, **other: Any) -> dict[str, Any]:
    """One record as the log has it, without its hash; ``other`` replaces or, before ``prev``, adds."""
    moment = other.pop("at", BEGIN + timedelta(seconds=seq))
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"01a2051c-1f8f-7abd-879c-{seq:012x}",
        "time": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
        "type": "StopRequested",
        "subject": "demo",
        "seq": seq,
        "schema": 1,
        "source": "devpod-provider-aci",
        "actor": ADA,
        "correlation": CORRELATION,
        "data": OWNER,
    }
    return found | other | {"prev": prev}


def chained(records: list[dict[str, Any]]) -> bytes:
    """A log of records, each given as what ``record`` is to replace."""
    out, head = [], layout.GENESIS
    for seq, other in enumerate(records, 1):
        body = msgspec.json.encode(record(seq, head, **other))
        head = sha256(body).hexdigest()
        out.append(body[:-1] + f',"hash":"{head}"}}\n'.encode())
    return b"".join(out)


def log_bytes(count: int, *, user: str = "ada", host: str = "laptop-ada", pad: int = 0, step: float = 1.0) -> bytes:
    """A log of ``count`` events; ``pad`` makes lines longer, ``step`` is seconds between two."""
    actor = {"user": user, "host": host, "azure": f"user:{user}@corp.example"}
    return chained(
        [
            {"actor": actor, "at": BEGIN + timedelta(seconds=step * at), "data": OWNER | {"note": "x" * pad}}
            for at in range(count)
        ]
    )


def write(path: Path, data: bytes) -> Path:
    """A log file, as private as the log's own."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(data)
    path.chmod(0o600)
    return path
