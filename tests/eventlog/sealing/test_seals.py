"""Signed checkpoints: whoever has the public key sees every change before the last one, whoever made it."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eventlog import EventLog, Verdict, verify
from eventlog import log as logs
from eventlog.sealing import checkpoint as checkpoints
from eventlog.sealing import keys
from eventlog.sealing.checkpoint import Trust, last_path, last_sealed, trust_in
from eventlog.sealing.seal import ensure_key, public_key, read_trust, seal
from eventlog.verify import verify_signed
from statemachine.errors import LogError
from statemachine.events import Created, Exited
from tests.eventlog.conftest import ACTOR
from tests.eventlog.faults import FaultyDisk, Killed
from tests.eventlog.lives import Quick, live, quick
from tests.eventlog.old import archives, expires, stored
from tests.eventlog.processes import ROOT
from tests.eventlog.rewriting import rehash

Make = Callable[..., EventLog]


@pytest.fixture
def trust(path: Path) -> list[Trust]:
    """What an auditor has: the key, given out before anything was sealed."""
    return [trust_in(public_key(path))]


@pytest.fixture
def sealed_log(path: Path, trust: list[Trust]) -> bytes:
    """Two events, a checkpoint, one event, a checkpoint, one unsealed event."""
    log = quick(path)
    for events in ((Created(), Exited(detail="☃")), (Created(),)):
        for event in events:
            log.append("ws", event)
        seal(log)
    log.append("ws", Exited())
    return path.read_bytes()


def checked(path: Path, data: bytes, trust: list[Trust]) -> Verdict:
    path.write_bytes(data)
    return verify_signed(path, trust)


def test_a_sealed_log(path: Path, sealed_log: bytes, trust: list[Trust]) -> None:
    verdict = verify_signed(path, trust)
    assert (verdict.ok, verdict.events, verdict.signed, verdict.unsealed) == (True, 6, 4, 2)
    assert verify(path).ok
    assert [record.type for record in quick(path).records()][2::2] == ["CheckpointSigned", "CheckpointSigned"]
    sealed = last_sealed(path)
    assert sealed is not None
    assert sealed.seq == 4


def test_every_flipped_bit_is_found_in_its_line(path: Path, sealed_log: bytes, trust: list[Trust]) -> None:
    for position in range(len(sealed_log)):
        expected = sealed_log.count(b"\n", 0, position) + 1
        changed = bytearray(sealed_log)
        changed[position] ^= 1 << position % 8
        verdict = checked(path, bytes(changed), trust)
        assert (verdict.ok, verdict.line) == (False, expected), position


def test_what_was_sealed_is_missed_also_where_the_end_was_cut_off_in_the_middle_of_a_line(
    path: Path, sealed_log: bytes
) -> None:
    given = [trust_in(public_key(path))]
    sealed = len(b"".join(sealed_log.splitlines(keepends=True)[:4]))
    for size in range(1, sealed, 7):
        path.write_bytes(sealed_log[:size])
        for verdict in (verify(path), verify_signed(path, given)):
            assert (verdict.ok, verdict.torn) == (False, 0), size
            assert verdict.line == sealed_log.count(b"\n", 0, size) + 1, size
            assert "event 4 had been sealed" in verdict.reason, size


def test_random_damage_of_a_large_sealed_log(path: Path, trust: list[Trust]) -> None:
    log = quick(path)
    for step in range(6):
        live(log, 400, start=400 * step)
        seal(log)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    chance = random.Random(11)
    for _ in range(8):
        position = chance.randrange(len(whole))
        changed = bytearray(whole)
        changed[position] ^= 1 << chance.randrange(8)
        assert checked(path, bytes(changed), trust).line == whole.count(b"\n", 0, position) + 1
        one, other = sorted(chance.sample(range(len(lines) - 1), 2))
        swapped = [*lines]
        swapped[one], swapped[other] = swapped[other], swapped[one]
        for wrong, line in (
            (swapped, one),
            ([*lines[:one], *lines[one + 1 :]], one),
            ([*lines[: one + 1], *lines[one:]], one + 1),
            ([*lines[:one], *lines[other:]], one),
        ):
            assert checked(path, b"".join(wrong), trust).line == line + 1


@pytest.mark.parametrize(("at", "bad"), [(0, 3), (1, 3), (3, 5), (5, None)])
def test_a_log_written_anew_breaks_its_seals(
    path: Path, sealed_log: bytes, trust: list[Trust], at: int, bad: int | None
) -> None:
    lines = sealed_log.splitlines(keepends=True)
    lines[at] = lines[at].replace(b'"user":"ada"', b'"user":"eve"')
    path.write_bytes(rehash(lines, at))
    # What was sealed last is kept beside the key as well, as long as nobody removes that.
    assert verify(path).ok is (bad is None)
    last_path(path).unlink()
    assert verify(path).ok
    verdict = verify_signed(path, trust)
    # What is not sealed yet can be changed by whoever can write the file, and is counted for that.
    assert (verdict.line, verdict.unsealed if bad is None else 2) == (bad, 2)


def test_a_removed_checkpoint(path: Path, sealed_log: bytes, trust: list[Trust]) -> None:
    lines = sealed_log.splitlines(keepends=True)
    path.write_bytes(rehash([*lines[:2], *lines[3:]], 2))
    last_path(path).unlink()
    assert verify(path).ok
    assert verify_signed(path, trust).line == 4


def test_cut_back_to_before_a_checkpoint(path: Path, sealed_log: bytes, trust: list[Trust]) -> None:
    lines = sealed_log.splitlines(keepends=True)
    newer = [trust_in(public_key(path))]
    assert newer[0].sealed.seq == 4
    for count in range(4):
        verdict = checked(path, b"".join(lines[:count]), newer)
        assert (verdict.ok, verdict.line) == (False, count + 1), count
        assert "event 4 had been sealed" in verdict.reason
    # Behind what the auditor knows to be sealed, the end is only counted.
    verdict = checked(path, b"".join(lines[:5]), newer)
    assert (verdict.ok, verdict.unsealed) == (True, 1)
    assert checked(path, b"".join(lines[:5]), trust).unsealed == 1


def test_cut_back_and_continued(path: Path, sealed_log: bytes) -> None:
    newer = [trust_in(public_key(path))]
    path.write_bytes(b"".join(sealed_log.splitlines(keepends=True)[:3]))
    log = quick(path)
    live(log, 5)
    seal(log)
    verdict = verify_signed(path, newer)
    assert not verdict.ok
    assert "event 4 had been sealed" in verdict.reason


def test_sealed_again_with_a_newer_key(path: Path, sealed_log: bytes, trust: list[Trust]) -> None:
    keys.key_file(path).unlink()
    with pytest.raises(LogError, match="sealed with a key that is not there any more"):
        seal(quick(path))
    last_path(path).unlink()
    lines = [line for line in sealed_log.splitlines(keepends=True) if b"CheckpointSigned" not in line]
    path.write_bytes(rehash(lines, 0))
    seal(quick(path))
    new = trust_in(public_key(path))
    assert verify_signed(path, [new]).ok
    verdict = verify_signed(path, trust)
    assert (verdict.ok, verdict.line) == (False, 5)
    assert "not one of those given" in verdict.reason


def test_a_changed_key_is_checked_with_both(path: Path, sealed_log: bytes, trust: list[Trust]) -> None:
    keys.key_file(path).unlink()
    last_path(path).unlink()
    seal(quick(path))
    both = [*trust, trust_in(public_key(path))]
    assert verify_signed(path, both).ok
    assert not verify_signed(path, trust).ok
    assert not verify_signed(path, both[1:]).ok


def test_a_wrong_key_never_passes(path: Path, sealed_log: bytes, tmp_path: Path) -> None:
    wrong = [trust_in(public_key(tmp_path / "other.jsonl"))]
    assert verify_signed(path, wrong).line == 3
    path.write_bytes(b"".join(sealed_log.splitlines(keepends=True)[:2]))
    last_path(path).unlink()
    verdict = verify_signed(path, wrong)
    assert (verdict.ok, verdict.line) == (False, 1)
    assert "ever sealed" in verdict.reason
    path.write_bytes(b"")
    assert not verify_signed(path, wrong).ok


def test_a_splice_from_another_sealed_log(path: Path, sealed_log: bytes, trust: list[Trust]) -> None:
    path.write_bytes(b"")
    log = quick(path)
    for _ in range(2):
        log.append("ws", Created())
    seal(log)
    lines, foreign = sealed_log.splitlines(keepends=True), path.read_bytes().splitlines(keepends=True)
    assert checked(path, b"".join([*lines[:2], *foreign[2:]]), trust).line == 3
    # Even with the same key, and linked in anew.
    assert checked(path, rehash([*lines[:2], *foreign[2:]], 2), trust).line == 3


def test_clock_steps_raise_no_alarm(path: Path, trust: list[Trust]) -> None:
    moments = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=(-1) ** n * n * 1000) for n in range(100))
    log = EventLog(path, actor=lambda: ACTOR, correlation="", now=lambda: next(moments), disk=Quick())
    for _ in range(4):
        live(log, 5)
        seal(log)
    assert verify_signed(path, trust).ok


def test_appends_seal_once_there_is_a_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 50)
    monkeypatch.setattr(logs, "LOOK_EVERY", 10)
    live(quick(path), 120)
    assert not any(record.type == "CheckpointSigned" for record in quick(path).records())
    trust = [trust_in(public_key(path))]
    live(quick(path), 200)
    verdict = verify_signed(path, trust)
    assert verdict.ok
    assert verdict.unsealed <= 61
    monkeypatch.setattr(keys, "load", lambda _: None)
    live(quick(path), 100)
    assert verify_signed(path, trust).unsealed > 61


def test_a_roll_seals(path: Path, trust: list[Trust], make: Make) -> None:
    live(make(disk=Quick(), segment=8_000), 100)
    verdict = verify_signed(path, trust)
    assert verdict.ok
    assert verdict.signed > 60


def test_keys_are_private_and_in_no_command(path: Path, trust: list[Trust]) -> None:
    file = keys.key_file(path)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    secret = file.read_bytes()
    assert secret not in public_key(path).encode()
    assert secret.hex() not in public_key(path)
    file.write_bytes(b"short")
    with pytest.raises(LogError, match="not one of this program"):
        ensure_key(path)


def test_a_changed_key_seals_nothing(path: Path, sealed_log: bytes) -> None:
    """Any 32 bytes are a key: a flipped bit makes another one, with which nobody could check what was sealed."""
    file = keys.key_file(path)
    secret = file.read_bytes()
    for position in range(len(secret)):
        changed = bytearray(secret)
        changed[position] ^= 1 << position % 8
        file.write_bytes(changed)
        for use in (lambda: seal(quick(path)), lambda: public_key(path)):
            with pytest.raises(LogError, match="is not the one this event log was sealed with"):
                use()
    assert path.read_bytes() == sealed_log


def test_a_changed_note_of_what_was_sealed_accuses_nobody_and_is_made_anew(
    path: Path, sealed_log: bytes, trust: list[Trust], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOOK_EVERY", 1)
    note = last_path(path)
    whole = note.read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        note.write_bytes(changed)
        verdict = verify(path)
        assert verdict.ok, position
        if b'"sum":"' not in changed:
            # As an earlier version wrote it, and the rest is what it was.
            continue
        assert verdict.warnings == (f"{note} is not what this program wrote. Seal the log again: `audit seal`.",)
        with pytest.raises(LogError, match="is not what this program wrote"):
            public_key(path)
    quick(path).append("ws", Created())
    assert verify(path).warnings == ()
    assert trust_in(public_key(path)).sealed.seq == 7


def test_an_append_to_a_log_that_was_cut_back_says_so(
    path: Path, sealed_log: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(b"".join(sealed_log.splitlines(keepends=True)[:2]))
    quick(path).append("ws", Created())
    assert "ends before event 4, which had been sealed; `verify` says more" in caplog.text
    assert "event 4 had been sealed" in verify(path).reason


@pytest.mark.parametrize("segment", [1 << 30, 8_000])
def test_an_older_copy_is_not_sealed_until_somebody_says_so(
    path: Path,
    trust: list[Trust],
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    segment: int,
) -> None:
    """However far it has grown since: a note made anew would hide that it was put back."""
    monkeypatch.setattr(checkpoints, "EVERY", 20)
    monkeypatch.setattr(logs, "LOOK_EVERY", 5)
    live(quick(path), 10)
    older = path.read_bytes()
    live(quick(path), 30, start=10)
    seal(quick(path))
    was = last_sealed(path)
    assert was is not None
    path.write_bytes(older)
    live(make(disk=Quick(), segment=segment), 200, start=10)
    assert f"could not be sealed: event {was.seq} of the event log" in caplog.text
    assert last_sealed(path) == was
    assert f"event {was.seq} had been sealed" in verify(path).reason
    before = [one for one in stored(path) if one[0] != "events.jsonl.d/retention.lock"]
    for leaves in (
        lambda: expires(quick(path), datetime(2100, 1, 1, tzinfo=UTC)),
        lambda: archives(quick(path), path.parent / "archive"),
    ):
        with pytest.raises(LogError, match="`audit seal` begins anew"):
            leaves()
        assert [one for one in stored(path) if one[0] != "events.jsonl.d/retention.lock"] == before, "nothing is begun"
    seal(quick(path))
    live(quick(path), 50, start=210)
    assert verify(path).ok
    assert verify_signed(path, trust).unsealed < 30


@pytest.mark.parametrize("at", range(1, 8))
def test_a_key_is_made_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    disk = FaultyDisk(at)
    monkeypatch.setattr(keys, "Disk", lambda: disk)
    with suppress(Killed):
        ensure_key(path)
    monkeypatch.undo()
    assert ensure_key(path).id == ensure_key(path).id
    assert disk.struck or at > 4


def test_two_that_make_a_key_at_once_have_one(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len({key.id for key in pool.map(lambda _: ensure_key(path), range(8))}) == 1
    assert [file.name for file in keys.key_file(path).parent.iterdir()] == ["ed25519"]


def test_a_keyring_is_preferred(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[tuple[str, str], str] = {}

    class Ring:
        priority = 5

        def get_password(self, service: str, account: str) -> str | None:
            return kept.get((service, account))

        def set_password(self, service: str, account: str, password: str) -> None:
            kept[service, account] = password

    monkeypatch.setattr(keys, "_keyring", Ring)
    trust = [trust_in(public_key(path))]
    assert not keys.key_file(path).exists()
    live(quick(path), 3)
    seal(quick(path))
    assert verify_signed(path, trust).ok
    assert len(kept) == 1


@pytest.mark.parametrize(
    "text", [b"", b"nonsense", b"\xff", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_what_is_no_public_key(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(text)
    with pytest.raises(LogError, match="no public key"):
        read_trust(file)
    with pytest.raises(LogError, match="No such file"):
        read_trust(tmp_path / "none")


@pytest.mark.parametrize("added", ["\ufeff", "\n", "\r\n \t\r\n"])
def test_what_a_key_promises_survives_what_programs_add(path: Path, tmp_path: Path, added: str) -> None:
    live(quick(path), 7)
    seal(quick(path))
    text = public_key(path)
    for changed in (added + text, added + text.replace("\n", "\r\n")):
        file = tmp_path / "key.pem"
        file.write_bytes(changed.encode())
        assert read_trust(file) == trust_in(text)
        assert read_trust(file).sealed.seq == 7


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("devpod", "Devpod"),
        ("devpod", "> devpod"),
        ("sealed 7 ", "sealed "),
        ("sealed 7", "sealed x"),
        ("sealed 7", "sealed -7"),
        ("sealed 7", "sealed 0_7"),
        ("sealed 7", "Sealed 7"),
        ("sealed 7 ", "sealed 7 f"),
        ("key ", "key f"),
    ],
)
def test_a_promise_that_was_changed_is_not_dropped(path: Path, tmp_path: Path, was: str, now: str) -> None:
    live(quick(path), 7)
    seal(quick(path))
    file = tmp_path / "key.pem"
    file.write_text(public_key(path).replace(was, now, 1))
    with pytest.raises(LogError, match="the line before that public key is not what `audit key` wrote"):
        read_trust(file)
    bare = file.read_text().partition("\n")[2]
    assert trust_in(bare).sealed.seq == 0


def test_the_promise_of_another_key_is_refused(path: Path, tmp_path: Path) -> None:
    live(quick(path), 7)
    seal(quick(path))
    mine, theirs = public_key(path), public_key(tmp_path / "other.jsonl")
    with pytest.raises(LogError, match="the line before that public key is not what `audit key` wrote"):
        trust_in(mine.partition("\n")[0] + "\n" + theirs.partition("\n")[2])


def test_appending_to_a_sealed_log_imports_no_cryptography(path: Path, trust: list[Trust]) -> None:
    code = f"""
import sys
from pathlib import Path
from eventlog import Actor, EventLog
from statemachine.events import Created
log = EventLog(Path({str(path)!r}), actor=lambda: Actor("a", "b"), correlation="c")
log.append("ws", Created()), log.recall("never")
print(*({{"cryptography", "keyring", "zstandard"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
