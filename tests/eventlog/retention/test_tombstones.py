"""A tombstone says what is missing, and nothing else may be; one that somebody made up is found."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventlog import EventLog, verify
from eventlog.audit.reader import LogReader
from eventlog.files.segments import PACKED, Segment, parts, sealed
from eventlog.lines.tombstone import Origin, SegmentFacts, SegmentsExpired
from eventlog.sealing import keys
from eventlog.sealing.checkpoint import Trust, last_path, trust_in
from eventlog.sealing.seal import public_key, seal, sign
from eventlog.verify import verify_signed
from statemachine.events import CommandClosed
from tests.eventlog.conftest import ACTOR
from tests.eventlog.lives import live, quick
from tests.eventlog.old import at, expires, old
from tests.eventlog.rewriting import rehash


@pytest.fixture
def trust(path: Path) -> list[Trust]:
    """What an auditor was given at the very beginning."""
    return [trust_in(public_key(path))]


@pytest.fixture
def expired(path: Path, trust: list[Trust], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log whose first segments expired, and that went on."""
    monkeypatch.setattr("eventlog.files.pack.zstandard", lambda: None)
    log = old(path)
    expires(log, at(60))
    live(quick(path), 10, 7, 150)
    seal(quick(path))
    return path


def kept_of(path: Path) -> Segment:
    kept = parts(path).kept
    assert kept is not None
    return kept


def tombstone_at(path: Path) -> int:
    lines = path.read_bytes().splitlines(keepends=True)
    return next(at for at, line in enumerate(lines) if b'"type":"SegmentsExpired"' in line)


def forged(path: Path, **changes: Any) -> None:
    """Change the tombstone, and make all hashes anew; what says beside the key what was sealed has to go."""
    last_path(path).unlink()
    lines = path.read_bytes().splitlines(keepends=True)
    number = tombstone_at(path)
    record = msgspec.json.decode(lines[number])
    record["data"] |= changes
    record["data"]["signature"] = record["data"].pop("signature")
    lines[number] = msgspec.json.encode(record) + b"\n"
    path.write_bytes(rehash(lines, number, first=msgspec.json.decode(lines[0])["seq"]))


def test_in_order(expired: Path, trust: list[Trust]) -> None:
    verdict = verify_signed(expired, trust)
    assert (verdict.ok, verdict.expired, verdict.unsealed) == (True, kept_of(expired).last, 1)
    assert kept_of(expired).path.read_bytes().count(b"\n") > 20
    told = msgspec.json.decode(expired.read_bytes().splitlines()[tombstone_at(expired)])
    assert verify(expired).tombstone == told["seq"]


def test_every_flipped_bit_of_what_is_kept(expired: Path, trust: list[Trust]) -> None:
    kept = kept_of(expired)
    whole = kept.path.read_bytes()
    chance = random.Random(1)
    for position in chance.sample(range(len(whole)), 300):
        changed = bytearray(whole)
        changed[position] ^= 1 << chance.randrange(8)
        kept.path.write_bytes(changed)
        verdict = verify(expired)
        assert (verdict.ok, verdict.file) == (False, kept.path.name), position
        assert verdict.line == whole.count(b"\n", 0, position) + 1, position


def test_every_changed_byte_of_a_tombstone(expired: Path, trust: list[Trust]) -> None:
    """It is the bad line, and not the gap that it explained."""
    whole = expired.read_bytes()
    number = tombstone_at(expired)
    start = len(b"".join(whole.splitlines(keepends=True)[:number]))
    step = 1 if os.environ.get("ACI_SLOW_TESTS") else 11
    spared = [range(start + at, start + at + 30) for at in (0, whole.index(b"Segm", start) - start)]
    for position in {*range(start, whole.index(b"\n", start), step), *spared[0], *spared[1]}:
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        expired.write_bytes(changed)
        verdict = verify(expired)
        assert (verdict.ok, verdict.file, verdict.line) == (False, "", number + 1), position
    assert verify_signed(expired, trust).line == number + 1


@pytest.mark.parametrize("change", ["remove", "double", "swap", "add", "empty", "delete", "cut"])
def test_every_line_of_what_is_kept(expired: Path, change: str) -> None:
    kept = kept_of(expired)
    lines = kept.path.read_bytes().splitlines(keepends=True)
    foreign = next(line for line in sealed(expired)[0].path.read_bytes().splitlines(keepends=True))
    for number in range(len(lines)):
        table = {
            "remove": lines[:number] + lines[number + 1 :],
            "double": lines[: number + 1] + lines[number:],
            "swap": lines[:number] + lines[number : number + 2][::-1] + lines[number + 2 :],
            "add": [*lines[:number], foreign, *lines[number:]],
            "empty": [],
            "delete": [],
            "cut": [*lines[:number], lines[number][:-1]],
        }
        data = b"".join(table[change])
        if data == b"".join(lines):
            continue
        kept.path.write_bytes(data)
        if change == "delete":
            kept.path.unlink()
        verdict = verify(expired)
        assert not verdict.ok, (number, verdict)
        if change in ("double", "swap", "cut"):
            assert verdict.line == number + 1 + (change in ("double", "swap")), (number, verdict)


@pytest.mark.parametrize("damage", ["more behind it", "cut off", "changed"])
def test_a_segment_with_the_tombstone_that_cannot_be_read(path: Path, damage: str) -> None:
    expires(old(path), at(60))
    EventLog(path, actor=lambda: ACTOR, correlation="", segment=1).append("ws-1", CommandClosed(command="x"))
    told = verify(path).tombstone
    packed = next(one.packed for one in sealed(path) if one.first <= told <= one.last)
    data = packed.read_bytes()
    packed.write_bytes({"more behind it": data + b"x", "cut off": data[:-9], "changed": data[:200] + b"xyz"}[damage])
    verdict = verify(path)
    assert (verdict.ok, verdict.file) == (False, packed.name.removesuffix(PACKED))
    assert "cannot be read" in verdict.reason
    reader = LogReader(path)
    assert list(reader.records())
    assert packed.name in str(reader.damage[0])


def test_more_is_missing_than_it_says(expired: Path, trust: list[Trust]) -> None:
    last = kept_of(expired).last
    first, second = sealed(expired)[:2]
    whole = first.path.read_bytes()
    first.path.unlink()
    verdict = verify(expired)
    assert (verdict.ok, verdict.file, verdict.line) == (False, second.path.name, 1)
    assert f"events {last + 1} to {first.last} were removed here" in verdict.reason
    assert f"tombstones cover no more than event {last}" in verdict.reason
    first.path.write_bytes(whole.partition(b"\n")[2])
    verdict = verify(expired)
    assert (verdict.ok, verdict.file, verdict.line) == (False, first.path.name, 1)
    # Nor does a name that claims more help, nor a name that claims less.
    first.path.unlink()
    for other in (first, Segment(first.path, 1, 40, "0" * 64)):
        kept = kept_of(expired)
        kept.path.rename(kept.path.with_name(f"{1:012d}-{other.last:012d}-{other.head}.kept"))
        assert not verify(expired).ok


def test_missing_without_a_tombstone(path: Path, trust: list[Trust], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlog.files.pack.zstandard", lambda: None)
    old(path)
    first, second, third = sealed(path)[:3]
    second.path.rename(path.with_name("aside"))
    verdict = verify(path)
    assert (verdict.ok, verdict.file, verdict.line, verdict.events) == (False, third.path.name, 1, first.last)
    assert f"events {second.first} to {second.last} were removed here" in verdict.reason
    path.with_name("aside").rename(second.path)
    first.path.unlink()
    verdict = verify(path)
    assert (verdict.ok, verdict.file, verdict.line, verdict.events) == (False, second.path.name, 1, 0)
    assert f"the beginning is missing, events 1 to {first.last}" in verdict.reason
    # A file that looks like what is kept does not replace a tombstone.
    (first.path.with_name(f"{1:012d}-{first.last:012d}-{first.head}.kept")).touch()
    verdict = verify(path)
    assert "the beginning is missing" in verdict.reason


HEX = "ab" * 32


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"head": HEX}, "contradicts itself"),
        ({"last": 2}, "cover no more than event 2"),
        ({"last": 500}, "contradicts itself"),
        ({"segments": []}, "contradicts itself"),
        ({"kept": 3}, "where the tombstone, event [0-9]+, speaks of 3"),
        ({"kept_sha256": HEX}, "speaks of others"),
        # These say nothing that can be seen without a key: that is what the signature is for.
        ({"log": HEX}, ""),
        ({"origin": {"user": "eve", "host": "x"}}, ""),
        ({"reason": "because"}, ""),
        ({"archived": True}, ""),
        ({"aside": ["a"]}, ""),
    ],
    ids=str,
)
def test_a_changed_tombstone(expired: Path, trust: list[Trust], change: dict[str, Any], found: str) -> None:
    number = tombstone_at(expired)
    forged(expired, **change)
    verdict = verify(expired)
    assert verdict.ok is not bool(found)
    assert re.search(found, verdict.reason)
    signed = verify_signed(expired, trust)
    assert not signed.ok
    if not found:
        assert (signed.line, signed.file) == (number + 1, "")
        assert "has a signature that key" in signed.reason


@pytest.mark.parametrize("name", ["sha256", "size", "prev", "began", "events", "head", "last"])
def test_a_changed_segment_in_a_tombstone(expired: Path, trust: list[Trust], name: str) -> None:
    data = msgspec.json.decode(expired.read_bytes().splitlines()[tombstone_at(expired)])["data"]
    segments = data["segments"]
    was = segments[1][name]
    segments[1][name] = was + 1 if isinstance(was, int) else HEX[: len(was)]
    forged(expired, segments=segments)
    signed = verify_signed(expired, trust)
    assert (signed.ok, signed.line) == (False, tombstone_at(expired) + 1)


def test_one_of_another_key(path: Path, trust: list[Trust]) -> None:
    old(path)
    seal(quick(path))
    keys.key_file(path).unlink()
    last_path(path).unlink()
    expires(quick(path), at(60))
    assert verify(path).ok
    verdict = verify_signed(path, trust)
    assert not verdict.ok
    assert "which is not one of those given" in verdict.reason
    newer = trust_in(public_key(path))
    # With the newer key alone, what the older one sealed is not vouched for; who has both, decides.
    assert not verify_signed(path, [newer]).ok
    assert verify_signed(path, [*trust, newer]).ok


def test_one_that_was_moved(expired: Path, trust: list[Trust], tmp_path: Path) -> None:
    lines = expired.read_bytes().splitlines(keepends=True)
    number = tombstone_at(expired)
    for moved in (
        [*lines[:number], *lines[number + 1 :], lines[number]],
        [*lines, lines[number]],
        [lines[number], *lines[:number], *lines[number + 1 :]],
    ):
        expired.write_bytes(rehash(moved, 0, first=int(msgspec.json.decode(lines[0])["seq"])))
        verdict = verify_signed(expired, trust)
        assert not verdict.ok


def test_one_from_another_log(expired: Path, trust: list[Trust], tmp_path: Path) -> None:
    other = tmp_path / "other" / "events.jsonl"
    old(other)
    keys.key_file(other).parent.mkdir(parents=True, exist_ok=True)
    keys.key_file(other).write_bytes(keys.key_file(expired).read_bytes())
    expires(quick(other), at(60))
    foreign = other.read_bytes().splitlines(keepends=True)[tombstone_at(other)]
    lines = expired.read_bytes().splitlines(keepends=True)
    lines[tombstone_at(expired)] = foreign
    expired.write_bytes(rehash(lines, 0, first=int(msgspec.json.decode(lines[0])["seq"])))
    assert not verify_signed(expired, trust).ok


def test_a_liar_with_the_key_cannot_speak_of_events_that_are_there(path: Path, trust: list[Trust]) -> None:
    log = old(path)
    last = sealed(path)[0]
    lie = SegmentFacts(1, last.last, "0" * 64, HEX, last.last, 1, HEX, "", "")
    sign(log, SegmentsExpired(segments=(lie,), last=last.last, head=HEX, log=HEX, origin=Origin("", "")))
    verdict = verify_signed(path, trust)
    assert not verdict.ok
    assert f"speaks of other events 1 to {last.last} than those that are there" in verdict.reason


def test_one_that_was_not_carried_out_changes_nothing(path: Path, trust: list[Trust]) -> None:
    log = old(path)
    last = sealed(path)[0]
    facts = SegmentFacts(1, last.last, "0" * 64, last.head, last.last, 1, HEX, "", "")
    sign(log, SegmentsExpired(segments=(facts,), last=last.last, head=last.head, log=HEX, origin=Origin("", "")))
    verdict = verify_signed(path, trust)
    assert (verdict.ok, verdict.expired, verdict.events) == (True, 0, len(list(log.records())))
    assert quick(path).recall("ws-1").version


def sealed_by(path: Path, seq: int, head: str) -> list[Trust]:
    (own,) = [trust_in(public_key(path))]
    return [msgspec.structs.replace(own, sealed=msgspec.structs.replace(own.sealed, seq=seq, head=head))]


def test_what_the_auditor_knew_and_expired(path: Path, trust: list[Trust], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlog.files.pack.zstandard", lambda: None)
    log = old(path)
    hashes = {record.seq: record.hash for record in log.records()}
    end = sealed(path)[1].last
    expires(log, at(90))
    # At the end of a segment the tombstone has the hash that was given out; in the middle nothing has it any more.
    for seq, head, ok in ((end, hashes[end], True), (end, HEX, False), (end + 1, hashes[end + 1], True)):
        verdict = verify_signed(path, sealed_by(path, seq, head))
        assert verdict.ok is ok, verdict
    verdict = verify_signed(path, sealed_by(path, end - 3, HEX))
    assert verdict.warnings == (
        "events that were known to be sealed and expired: 1; only the archive can show what they were",
    )
    # What is here is compared, whatever expired before it.
    for seq in (91, 120):
        assert verify_signed(path, sealed_by(path, seq, hashes[seq])).ok
        assert not verify_signed(path, sealed_by(path, seq, HEX)).ok
