"""Whatever stands under the log's name, the answer is one line that says what and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventlog import EventLog, blobs, ensure_writable, verify
from eventlog.audit.reader import LogReader
from eventlog.disk import Disk
from eventlog.files.segments import folder
from eventlog.history import rows
from eventlog.lines import layout
from eventlog.lines.codec import OWN_TYPES
from eventlog.lines.layout import MAX_LINE
from eventlog.retention.expire import plan
from eventlog.sealing.checkpoint import last_path, trust_in
from eventlog.sealing.seal import public_key
from eventlog.verify import verify_signed
from statemachine.errors import LogDamagedError, LogError
from statemachine.events import Created, Exited
from tests.eventlog.conftest import ACTOR
from tests.eventlog.lives import Quick, live

Make = Callable[..., EventLog]
FOREIGN = {
    "binary": bytes(range(256)) * 40,
    "another tool's JSON lines": b'{"level":"info","msg":"hello"}\n' * 200,
    "one JSON document": b'{\n  "a": 1\n}\n',
    "text without an end": b"x" * 100_000,
    "empty lines": b"\n\n\n",
    "a byte order mark": b"\xef\xbb\xbf" + b'{"specversion":"1.0","id":"' + b"a" * 400 + b"\n",
    "another CloudEvent": b'{"specversion":"1.0","type":"x","source":"y","id":"1"}\n',
    "invalid UTF-8": b'{"spec\xff\xfeversion":"1.0"}\n',
}


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_file_of_something_else_is_left_alone(path: Path, make: Make, data: bytes) -> None:
    put(path, data)
    for use in (
        lambda: make().append("ws", Created()),
        lambda: list(make().history("ws")),
        lambda: list(make().records()),
        lambda: ensure_writable(path),
    ):
        with pytest.raises(LogError) as raised:
            use()
        message = str(raised.value)
        assert "is not an event log of this program. Set ACI_EVENT_LOG to another path" in message
        assert "\n" not in message
    assert path.read_bytes() == data
    assert not list(path.parent.glob("*.torn-*"))
    verdict = verify(path)
    assert not verdict.ok
    assert verdict.line == 1


def test_a_directory(path: Path, make: Make) -> None:
    path.mkdir(parents=True)
    for use in (lambda: make().append("ws", Created()), lambda: list(make().history("ws")), lambda: verify(path)):
        with pytest.raises(LogError, match=r"is a directory\. Set ACI_EVENT_LOG to a file"):
            use()


def test_a_pipe_does_not_hang(path: Path, make: Make) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    for use in (lambda: make().append("ws", Created()), lambda: list(make().history("ws")), lambda: verify(path)):
        with pytest.raises(LogError, match="not a regular file"):
            use()


def test_a_pipe_in_the_place_of_a_file_beside_it_does_not_hang(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACI_EVENT_LOG_KEY", "file")
    log = make(disk=Quick(), segment=4_000)
    live(log, 30)
    public_key(path)
    packed = next(folder(path).glob("*.zst"))
    for file in (packed, last_path(path)):
        kept = file.read_bytes()
        file.unlink()
        os.mkfifo(file)
        if file is packed:
            with pytest.raises(LogError, match="not a regular file"):
                verify(path)
        else:
            assert "not a regular file" in verify(path).warnings[0]
            make().append("ws-1", Exited())
        file.unlink()
        file.write_bytes(kept)
    assert verify(path).ok


def test_a_device(make: Make) -> None:
    log = EventLog(Path("/dev/full"), actor=lambda: ACTOR, correlation="")
    with pytest.raises(LogError, match="not a regular file"):
        log.append("ws", Created())


def test_a_parent_that_is_a_file(tmp_path: Path, make: Make) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(LogError, match="Not a directory"):
        make().append("ws", Created())
    with pytest.raises(LogError, match="Not a directory"):
        list(make().history("ws"))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.EACCES, "Permission denied. Make the path writable, or set ACI_EVENT_LOG to one that is."),
        (errno.EROFS, "Read-only file system. Make the path writable, or set ACI_EVENT_LOG to one that is."),
        (errno.EMFILE, "Too many open files"),
        (errno.ENOLCK, "No locks available. Set ACI_EVENT_LOG to a path on a file system that can lock files."),
    ],
)
def test_a_disk_that_does_not_let_us_write(path: Path, make: Make, code: int, message: str) -> None:
    class Closed(Disk):
        def open_append(self, path: str) -> int:
            raise OSError(code, os.strerror(code))

    make().append("ws", Created())
    with pytest.raises(LogError) as raised:
        make(disk=Closed()).append("ws", Created())
    assert f"the event log {path} cannot be written: {message}" in str(raised.value)
    assert len(list(make(disk=Closed()).history("ws"))) == 1


def test_a_disk_that_does_not_let_us_read(path: Path, make: Make) -> None:
    class Unreadable(Disk):
        def read_at(self, fd: int, size: int, offset: int) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    make().append("ws", Created())
    for use in (
        lambda: list(make(disk=Unreadable()).history("ws")),
        lambda: make(disk=Unreadable()).append("ws", Created()),
        lambda: verify(path, disk=Unreadable()),
    ):
        with pytest.raises(LogError, match=r"Input/output error\. Check the disk"):
            use()


def test_a_gigantic_line(path: Path, make: Make) -> None:
    make().append("ws", Created())
    good = path.read_bytes()
    for end in (b"\n", b"\n" + good):
        path.write_bytes(good + b'{"specversion":"1.0","id":"' + b"x" * (3 * MAX_LINE) + end)
        verdict = verify(path)
        assert (verdict.line, verdict.events) == (2, 1)
        assert "longer than 1048576 bytes" in verdict.reason
        with pytest.raises(LogDamagedError, match="line 2: longer than"):
            list(make().history("ws"))
    path.write_bytes(good + b"x" * (3 * MAX_LINE))
    with pytest.raises(LogDamagedError, match="line 2: longer than"):
        make().append("ws", Created())


def nested(data: bytes) -> bytes:
    return b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"


OTHER_SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "nested without end": nested,
    "of the log's own kinds, and empty": lambda data: b"{}",
    "of the log's own kinds, with other types": lambda data: b'{"count":"x","segments":7,"file":[],"key":1}',
}


@pytest.mark.parametrize("kind", ["Exited", *OWN_TYPES])
@pytest.mark.parametrize("shape", OTHER_SHAPES)
def test_a_line_whose_data_is_of_another_shape(path: Path, make: Make, kind: str, shape: str, tmp_path: Path) -> None:
    """Whoever can write the file can also make the hashes, so they prove nothing about what is in a line."""
    trust = [trust_in(public_key(tmp_path / "other.jsonl"))]
    make().append("ws", Created())
    subject = b"ws" if kind == "Exited" else b"log"
    line, head = path.read_bytes(), verify(path).head
    body = line[: line.index(b',"data":')].replace(b'"type":"Created"', b'"type":"%b"' % kind.encode())
    body = body.replace(b'"subject":"ws"', b'"subject":"%b"' % subject).replace(b'"seq":1', b'"seq":2')
    body += b',"data":%b,"prev":"%b"' % (OTHER_SHAPES[shape](b""), head.encode())
    path.write_bytes(line + layout.seal(body + b"}")[0])
    for verdict in (verify(path), verify_signed(path, trust)):
        if shape == "nested without end" or kind != "Exited":
            assert (verdict.ok, verdict.line) == (False, 2), verdict
            assert "is no record of this program" in verdict.reason or "one of those given" in verdict.reason
    for read in (
        lambda: rows(LogReader(path).records()),
        lambda: list(make().records(verified=True)),
        lambda: list(make().replay()),
        lambda: make().recall("ws"),
        lambda: make().append("ws", Created()),
        lambda: plan(Disk(), path, datetime(2100, 1, 1, tzinfo=UTC)),
    ):
        with suppress(LogDamagedError):
            read()


def test_an_event_too_long_to_write_is_refused_and_nothing_is_written(path: Path, make: Make) -> None:
    make().append("ws", Created())
    before = path.read_bytes()
    with pytest.raises(LogError, match="too long for the event log, which takes 1048576"):
        make().append("ws", Exited(detail="x" * MAX_LINE))
    assert path.read_bytes() == before
    make().append("ws", Exited(detail="x" * (MAX_LINE - 1000)))
    assert verify(path).ok
    assert len(list(make().history("ws"))) == 2


def test_documents_under_a_bad_name(path: Path) -> None:
    put(path.parent / "events.jsonl.d", b"")
    with pytest.raises(LogError, match="cannot be written: Not a directory"):
        blobs.put(path, "labels", b"{}")
    assert blobs.get(path, "labels", "0" * 64) is None
