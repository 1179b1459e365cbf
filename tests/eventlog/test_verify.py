"""Every change of the file is found, and named by the line it is in."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog import Actor, EventLog, Verdict, verify
from eventlog.disk import Disk
from eventlog.lines import layout
from statemachine.errors import LogDamagedError
from statemachine.events import Created, Exited, Owner, StopRequested

LINES = 3


@pytest.fixture
def whole(log: EventLog, path: Path) -> bytes:
    log.append("ws", StopRequested(owner=Owner("laptop", 7)))
    log.append("ws", Exited(detail='quote " and ☃', exit_code=3))
    log.append("ws", Created())
    return path.read_bytes()


def test_the_chain_can_be_checked_without_this_program(whole: bytes) -> None:
    head = layout.GENESIS
    for line in whole.splitlines():
        body, _, rest = line.rpartition(b',"hash":"')
        assert b'"prev":"%b"' % head.encode() in body
        head = hashlib.sha256(body + b"}").hexdigest()
        assert rest == b'%b"}' % head.encode()


def test_every_flipped_bit_is_found_in_its_line(whole: bytes, path: Path, make: Callable[..., EventLog]) -> None:
    untouched = list(make().history("ws"))
    with path.open("r+b", buffering=0) as file:
        for position, byte in enumerate(whole):
            expected = whole.count(b"\n", 0, position) + 1
            for bit in range(8):
                # In place: file systems sync a file that is cut to nothing and written again.
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), position)
                verdict = verify(path)
                assert not verdict.ok
                assert verdict.line == expected, (position, bit, verdict)
                assert verdict.events == expected - 1
                assert verdict.reason
                assert bool(verdict.torn) == (position == len(whole) - 1)
            os.pwrite(file.fileno(), bytes([byte]), position)
    assert list(make().history("ws")) == untouched


def test_every_removed_and_every_added_byte_is_found_in_its_line(whole: bytes, path: Path) -> None:
    for position in range(len(whole)):
        expected = whole.count(b"\n", 0, position) + 1
        path.write_bytes(whole[:position] + whole[position + 1 :])
        assert verify(path).line == expected, position
        path.write_bytes(whole[:position] + b"0" + whole[position:])
        assert verify(path).line == expected, position


def test_every_removed_line_is_found_but_the_last(whole: bytes, path: Path) -> None:
    lines = whole.splitlines(keepends=True)
    for first in range(LINES):
        for count in range(1, LINES - first):
            path.write_bytes(b"".join(lines[:first] + lines[first + count :]))
            verdict = verify(path)
            assert verdict.line == first + 1
            assert ("the beginning is missing" if first == 0 else "was removed") in verdict.reason
    # Said in docs/event-log.md: a shorter log is a good log, so its head has to be known elsewhere.
    full = verify_bytes(path, whole)
    shorter = verify_bytes(path, b"".join(lines[:-1]))
    assert shorter.ok
    assert shorter.head != full.head


def test_every_swap_duplicate_and_move_is_found(whole: bytes, path: Path) -> None:
    lines = whole.splitlines(keepends=True)
    for one in range(LINES):
        for other in range(one + 1, LINES):
            swapped = list(lines)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            assert verify_bytes(path, b"".join(swapped)).line == one + 1
        for at in range(LINES + 1):
            doubled = [*lines[:at], lines[one], *lines[at:]]
            line = verify_bytes(path, b"".join(doubled)).line
            # Beside its twin it is the second of the two that does not belong.
            assert line == (at + 2 if at == one else at + 1)


def test_a_splice_from_another_log_is_found(
    whole: bytes, path: Path, tmp_path: Path, make: Callable[..., EventLog]
) -> None:
    lines = whole.splitlines(keepends=True)
    path.unlink()
    other = make()
    for _ in range(LINES):
        other.append("ws", Created())
    foreign = path.read_bytes().splitlines(keepends=True)
    for at in range(1, LINES):
        assert verify_bytes(path, b"".join(lines[:at] + foreign[at:])).line == at + 1
        assert verify_bytes(path, b"".join(lines[:at] + foreign)).line == at + 1


def test_a_line_that_was_hashed_anew_breaks_the_next(whole: bytes, path: Path) -> None:
    lines = whole.splitlines(keepends=True)
    body = lines[1].replace(b'"exit_code":3', b'"exit_code":0').rpartition(b',"hash"')[0]
    lines[1] = seal(body)
    assert verify_bytes(path, b"".join(lines)).line == 3


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"seq":3', b'"seq":5', "has seq 5 where 3 belongs"),
        (b'"subject":"ws"', b'"subject":"\xff\xfe"', "is no record"),
        (b'"schema":1', b'"schema":"one"', "is no record"),
        (b'"type":"Created"', b'"type":Created', "is no record"),
    ],
)
def test_a_well_chained_line_must_still_be_a_record(
    whole: bytes, path: Path, old: bytes, new: bytes, reason: str
) -> None:
    lines = whole.splitlines(keepends=True)
    body = lines[2].replace(old, new).rpartition(b',"hash"')[0]
    lines[2] = seal(body)
    verdict = verify_bytes(path, b"".join(lines))
    assert verdict.line == 3
    assert reason in verdict.reason


def test_random_damage_of_a_large_log_is_found(path: Path, make: Callable[..., EventLog]) -> None:
    class Quick(Disk):
        def sync(self, fd: int) -> None:
            """Speed is all that is wanted here."""

    log = make(disk=Quick())
    for number in range(3000):
        log.append(f"ws-{number % 7}", Exited(detail=str(number)))
    whole = path.read_bytes()
    chance = random.Random(4)
    for _ in range(25):
        position = chance.randrange(len(whole))
        changed = bytearray(whole)
        changed[position] ^= 1 << chance.randrange(8)
        expected = whole.count(b"\n", 0, position) + 1
        assert verify_bytes(path, bytes(changed)).line == expected
        with pytest.raises(LogDamagedError, match=rf"line {expected}: "):
            list(make().replay(verified=True))


def test_reading_one_subject_sees_damage_in_its_own_lines(
    whole: bytes, path: Path, make: Callable[..., EventLog]
) -> None:
    path.write_bytes(whole.replace(b'"exit_code":3', b'"exit_code":4'))
    with pytest.raises(LogDamagedError, match=r"line 2: was changed"):
        list(make().history("ws"))
    path.write_bytes(b"".join([whole.splitlines(keepends=True)[i] for i in (0, 2, 1)]))
    with pytest.raises(LogDamagedError, match=r"line 3: has seq 2, which is not after 3"):
        list(make().history("ws"))


def test_no_log_and_an_empty_one_are_fine(path: Path) -> None:
    assert verify(path).ok
    path.parent.mkdir()
    path.touch(0o600)
    verdict = verify(path)
    assert (verdict.ok, verdict.events, verdict.head, verdict.warnings) == (True, 0, layout.GENESIS, ())
    assert not any(path.parent.glob("*.lock"))


@pytest.mark.parametrize("name", ["events.jsonl", "log [ada].jsonl"])
def test_what_was_set_aside_is_found_beside_a_log_of_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b'{"specversion":"1.0","id":"torn')
    EventLog(path, actor=lambda: Actor("ada", "laptop"), correlation="c").append("ws", Exited())
    verdict = verify(path)
    assert (verdict.ok, verdict.warnings) == (True, ())


def test_warnings(whole: bytes, path: Path) -> None:
    path.chmod(0o644)
    path.with_name(path.name + ".torn-9-20260101T000000Z").touch()
    can_be_read, not_mentioned = verify(path).warnings
    assert "can be read or written by other users" in can_be_read
    assert "torn-9-20260101T000000Z is not mentioned in the log" in not_mentioned


def verify_bytes(path: Path, data: bytes) -> Verdict:
    path.write_bytes(data)
    return verify(path)


def seal(body: bytes) -> bytes:
    digest = hashlib.sha256(body + b"}").hexdigest()
    return b'%b,"hash":"%b"}\n' % (body, digest.encode())


def test_a_well_chained_line_must_begin_like_one(path: Path, log: EventLog) -> None:
    log.append("ws", Exited())
    line = path.read_bytes()
    other = line.replace(b'"specversion":"1.0"', b'"specversion":"1.1"')
    body = other[: other.rindex(b',"hash":"')] + b"}"
    head = verify(path).head.encode()
    path.write_bytes(line + layout.seal(body.replace(b"0" * 64, head).replace(b'"seq":1', b'"seq":2'))[0])
    assert (verify(path).ok, verify(path).line) == (False, 2)
