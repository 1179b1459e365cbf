"""audit archive, audit expire: what people and their cron jobs type, and what every other verb says afterwards."""

from __future__ import annotations

import json
import os
import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eventlog import EventLog
from eventlog.disk import Disk
from eventlog.files.segments import folder
from eventlog.folding.snapshot import path_of
from eventlog.retention.steps import alone
from statemachine.errors import LogError
from statemachine.events import CommandClosed
from tests.adapters.cli.calling import Call, objects
from tests.adapters.cli.terminal import Terminal, on_terminal
from tests.eventlog.conftest import ACTOR
from tests.eventlog.lives import LIFE
from tests.eventlog.old import at, hours, old, stored

ROOT = Path(__file__).parents[4]
NEVER = "2100-01-01"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of seven workspaces, an event an hour: of each hour of January 2026."""
    path = tmp_path / "state" / "events.jsonl"
    monkeypatch.setenv("ACI_EVENT_LOG", str(path))
    old(path, 100, segment=1 << 30)
    return path


def test_a_rehearsal_changes_nothing(log: Path, call: Call, tmp_path: Path) -> None:
    before = dict(stored(log))
    status, out, err = call("audit", "expire", "--before", "2026-01-03", "--dry-run")
    assert (status, err) == (0, "")
    events, kept = out.splitlines()
    assert events == (
        "48 events would expire: 1 to 48, of 2026-01-01 00:00:00 to 2026-01-02 23:00:00 UTC, 1 segment, 24 KiB"
    )
    assert kept == "34 of them are kept, for 7 living workspaces: ws-0, ws-1, ws-2, ws-3, ws-4, …"
    status, out, err = call("audit", "archive", "--to", str(tmp_path / "a"), "--before", "2026-01-02", "--dry-run")
    assert (status, err, out.startswith("24 events would be archived: 1 to 24, of 2026-01-01")) == (0, "", True)
    assert dict(stored(log)) == before
    assert not (tmp_path / "a").exists()


def test_events_expire(log: Path, call: Call) -> None:
    status, out, err = call("audit", "expire", "--before", "2026-01-03", "--why", "we keep none")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith("48 events expired: 1 to 48, of 2026-01-01 00:00:00 to 2026-01-02 23:00:00")
    assert out.splitlines()[2] == "the tombstone is event 101"
    status, out, err = call("verify")
    assert (status, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith(f"{log}: 87 events, chain whole")
    assert second.startswith("events 1 to 48, up to 2026-01-02 23:00:00 UTC, expired on 20")
    assert "(we keep none); of those, only what living workspaces need is still here" in second
    assert "tombstone: event 101, its signature not checked, for that takes --public-key" in second
    again = call("audit", "expire", "--before", "2026-01-03", "--yes")
    assert again == (0, "", "nothing is old enough: no events expired\n")


def test_by_age(log: Path, call: Call) -> None:
    for days, words in (("36500", "nothing is old enough"), ("0", "100 events expired")):
        status, out, err = call("audit", "expire", "--keep-days", days)
        assert status == 0
        assert words in out + err
    assert [json.loads(line)["verb"] for line in call("history", "--json")[1].splitlines()][-1] == "expire"


READS = {
    "history": ("history",),
    "history of one": ("history", "ws-1"),
    "history json": ("history", "--json"),
    "audit": ("audit",),
    "audit json": ("audit", "--json"),
    "audit who": ("audit", "who", "ws-1"),
    "audit cost": ("audit", "cost"),
    "audit cost json": ("audit", "cost", "--json"),
    "audit report": ("audit", "report", "-o", "report.html"),
    "audit export": ("audit", "export"),
    "audit sql": ("audit", "sql", "SELECT count(*) FROM events"),
    "replay": ("replay", "ws-1"),
    "replay diff": ("replay", "--diff", "ws-1", "ws-2"),
    "explain": ("explain", "ws-1"),
}


@pytest.mark.parametrize("words", READS.values(), ids=READS)
def test_every_verb_says_what_is_missing(
    log: Path, call: Call, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = "events 1 to 48, up to 2026-01-02 23:00:00 UTC, expired on 20"
    before = call(*words)
    assert before[0] == 0
    assert "expired on" not in before[1] + before[2]
    call("audit", "expire", "--before", "2026-01-03")
    status, out, err = call(*words)
    assert status == 0, err
    assert [line.startswith(f"note: {said}") for line in err.splitlines()].count(True) == 1
    if "--json" in words:
        assert all(json.loads(line) for line in out.splitlines())
    if "report" in words:
        assert said.replace("events", "Events") in (tmp_path / "report.html").read_text()


def test_another_log_and_an_export_say_so_too(
    log: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("audit", "expire", "--before", "2026-01-03")
    export = tmp_path / "export.jsonl"
    assert call("audit", "export", "-o", str(export))[0] == 0
    monkeypatch.setenv("ACI_EVENT_LOG", str(tmp_path / "own.jsonl"))
    for file in (log, export):
        status, _, err = call("audit", "--from", str(file))
        assert status == 0
        assert "note: events 1 to 48" in err
        assert call("audit", "who", "ws-1", "--from", str(file))[0] == 0
    monkeypatch.setenv("ACI_EVENT_LOG", str(export))
    assert call("verify")[1].splitlines()[1].startswith("events 1 to 48")


def test_what_the_log_did_itself_can_be_asked_for(log: Path, call: Call) -> None:
    call("audit", "seal")
    call("audit", "expire", "--before", "2026-01-03")
    with log.open("ab") as file:
        file.write(b"torn")
    call("audit", "seal")
    rows = objects(call("audit", "--json")[1])
    for verb in ("seal", "expire", "set aside"):
        asked = objects(call("audit", "--json", "--verb", verb)[1])
        assert asked == [row for row in rows if row["verb"] == verb] != [], verb


def test_an_export_of_a_log_that_expired_more_than_once_tells_the_latest(log: Path, call: Call, tmp_path: Path) -> None:
    for day, events in (("2026-01-03", 48), ("2026-01-04", 72)):
        call("audit", "expire", "--before", day)
        export = tmp_path / f"export-{events}.jsonl"
        assert call("audit", "export", "-o", str(export))[0] == 0
        assert f"note: events 1 to {events}, up to" in call("audit", "--from", str(export))[2]
        assert call("verify", "--from", str(export))[1].splitlines()[1].startswith(f"events 1 to {events}, up to")


def test_an_export_that_begins_behind_what_expired_says_so(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state" / "events.jsonl"
    monkeypatch.setenv("ACI_EVENT_LOG", str(path))
    monkeypatch.setenv("ACI_EVENT_LOG_KEY", "file")
    # One workspace, which is over by then: nothing of it is kept.
    old(path, 2 * len(LIFE), subjects=1, segment=1 << 30)
    count = len(LIFE)
    call("audit", "expire", "--before", f"2026-01-01T{count}:00")
    export = tmp_path / "export.jsonl"
    assert call("audit", "export", "-o", str(export))[0] == 0
    assert export.read_bytes().count(b"\n") == count + 1
    assert f"note: events 1 to {count}, up to" in call("audit", "--from", str(export))[2]
    assert call("verify", "--from", str(export))[1].splitlines()[1].startswith(f"events 1 to {count}, up to")


def test_what_lives_is_told_as_before(log: Path, call: Call) -> None:
    for words in (("explain", "ws-1"), ("replay", "ws-1", "--json")):
        before = call(*words)[1].splitlines()[-1]
        call("audit", "expire", "--before", "2026-01-03")
        assert call(*words)[1].splitlines()[-1] == before
    assert "create" in call("audit", "who", "ws-1")[1]


def test_somebody_who_is_gone_is_not_just_unknown(log: Path, call: Call) -> None:
    gone = EventLog(log, actor=lambda: ACTOR, correlation="", now=hours(100))
    for _ in range(2):
        gone.append("gone", CommandClosed(command="x"))
    call("audit", "expire", "--before", NEVER)
    status, _, err = call("audit", "who", "gone")
    assert status == 2
    assert "note: events 1 to 102" in err
    assert "has no events of workspace gone" in err


def test_an_archive_that_is_a_link_to_itself_is_one_line(log: Path, call: Call, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    place.symlink_to(place)
    status, out, err = call("audit", "archive", "--to", str(place), "--before", "2026-01-03")
    assert (status, out) == (LogError.exit_status, "")
    assert f"{place} cannot be written" in err


def test_archived_and_then_expired(log: Path, call: Call, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    key = tmp_path / "key.pem"
    call("audit", "key", "-o", str(key))
    status, out, err = call("audit", "archive", "--to", str(place), "--before", "2026-01-03")
    assert (status, err) == (0, "")
    assert out.startswith(f"48 events archived in {place}: 1 to 48, of 2026-01-01 00:00:00")
    assert call("audit", "archive", "--to", str(place), "--before", "2026-01-03") == (
        0,
        "",
        f"nothing new to archive: events up to 48 are in {place} already\n",
    )
    assert call("audit", "expire", "--before", NEVER, "--archived-only")[1].startswith("48 events expired")
    status, out, err = call("verify", "--archive", str(place), "--public-key", str(key))
    assert (status, err) == (0, "")
    whole, put_back, expired, sealed = out.splitlines()
    assert whole.startswith(f"{log}: 102 events, chain whole")
    assert put_back == f"48 of them are not here and were read from {place}"
    assert expired.endswith("tombstone: event 102, signed by a key that was given")
    assert sealed == "sealed up to event 101; 1 unsealed events at the end"
    min(place.iterdir()).unlink()
    status, out, err = call("verify", "--archive", str(place))
    assert status == 0
    assert err.startswith(f"warning: {place} lacks events 1 to ")


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        ("unmounted", "is missing: no such folder. Name the folder with --archive"),
        ("removed", "is missing. Name the folder with --archive"),
        ("changed", "is not what was archived. Name the folder with --archive"),
    ],
)
def test_a_copy_that_was_lost_is_no_reason_for_silence(
    log: Path, call: Call, tmp_path: Path, happened: str, said: str
) -> None:
    place = tmp_path / "archive"
    call("audit", "archive", "--to", str(place), "--before", "2026-01-03")
    (copy,) = place.iterdir()
    if happened == "unmounted":
        place.rename(tmp_path / "away")
    elif happened == "removed":
        copy.unlink()
    else:
        copy.write_bytes(copy.read_bytes()[:-9])
    for words in ((), ("--dry-run",)):
        status, out, err = call("audit", "expire", "--before", "2026-01-04", "--archived-only", *words)
        assert (status, out, len(err.splitlines())) == (85, "", 1)
        assert f"the copy of events 1 to 48 in {place} {said}" in err
    assert call("audit", "archive", "--to", str(place), "--before", "2026-01-03")[0] == 0
    assert call("audit", "expire", "--before", "2026-01-04", "--archived-only")[0] == 0


def test_what_is_safe_goes_and_what_was_lost_is_named(log: Path, call: Call, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    for day in ("2026-01-02", "2026-01-03"):
        call("audit", "archive", "--to", str(place), "--before", day)
    max(place.iterdir()).unlink()
    status, out, err = call("audit", "expire", "--before", "2026-01-04", "--archived-only")
    assert (status, out.startswith("24 events expired: 1 to 24")) == (0, True)
    assert err == f"warning: the copy of events 25 to 48 in {place} is missing; nothing from there on expires\n"


def test_forged(log: Path, call: Call, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    call("audit", "key", "-o", str(key))
    call("audit", "expire", "--before", "2026-01-02")
    data = log.read_bytes()
    log.write_bytes(data.replace(b'"origin":{"user":"ada"', b'"origin":{"user":"eve"'))
    status, out, err = call("verify", "--public-key", str(key))
    assert (status, out, len(err.splitlines())) == (86, "", 1)
    lines = data.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[1:]))
    status, out, err = call("verify")
    assert (status, out, len(err.splitlines())) == (86, "", 1)
    assert "is not the first line of a log" in err or "does not follow the line before" in err
    assert "tombstones cover no more than event" in err


def asking(log: Path, *words: str) -> AbstractContextManager[Terminal]:
    command = [sys.executable, "-m", "adapters.cli", "audit", "expire", *words]
    environ = {**os.environ, "ACI_EVENT_LOG": str(log)}
    return on_terminal(command, environ, ROOT, columns=200)


@pytest.mark.parametrize(
    ("answer", "gone"), [("y\r", True), ("n\r", False), ("\r", False), ("\x04", False), (None, False)]
)
def test_a_person_is_asked(log: Path, answer: str | None, gone: bool) -> None:
    before = dict(stored(log))
    with asking(log, "--before", "2026-01-03") as terminal:
        terminal.until("Go on? [y/N]")
        assert "48 events would expire" in terminal.seen
        assert dict(stored(log)).items() >= before.items()
        if answer is None:
            terminal.interrupt()
        else:
            terminal.type(answer)
            terminal.end()
        assert terminal.process.returncode == (0 if gone else 130)
    assert ("48 events expired" in terminal.seen) is gone
    assert "Traceback" not in terminal.seen
    assert bool(list(folder(log).glob("*.kept"))) is gone


def test_a_person_who_said_yes_is_not_asked(log: Path) -> None:
    with asking(log, "--before", "2026-01-03", "--yes") as terminal:
        assert "Go on?" not in terminal.end()
        assert terminal.process.returncode == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("expire",), 2, "give --before TIME or --keep-days N, one of them"),
        (("expire", "--before", "today", "--keep-days", "3"), 2, "one of them"),
        (("expire", "--before", "soonish"), 2, "--before: 'soonish' is no time"),
        (("expire", "--keep-days", "-1"), 2, "--keep-days"),
        (("expire", "--keep-days", "99999999999"), 2, "is no date"),
        (("expire", "--before", "today", "--archive", "docs"), 2, "--archive belongs to --archived-only"),
        (("expire", "--before", "today", "--archived-only", "--archive", "nowhere"), 2, "'nowhere' does not exist"),
        (("archive",), 2, "--to"),
        (("archive", "--to", "x", "--before", "today", "--keep", "2"), 2, "give one of them"),
        (("archive", "--to", "README.md"), 2, "README.md"),
        (
            ("archive", "--to", "/proc/nowhere", "--before", "2026-01-02"),
            85,
            "the archive /proc/nowhere cannot be written",
        ),
    ],
)
def test_mistakes(
    log: Path, call: Call, words: tuple[str, ...], status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    before = {name for name, _ in stored(log)}
    found, out, err = call("audit", *words)
    assert (found, out) == (status, "")
    assert said in err
    assert "Traceback" not in err
    assert {name for name, _ in stored(log)} - before <= {
        "events.jsonl.d/retention.lock", "events.jsonl.d/keys/ed25519"
    }  # fmt: skip


def test_two_at_once(log: Path, call: Call) -> None:
    with alone(Disk(), log):
        status, out, err = call("audit", "expire", "--before", "2026-01-03")
    assert (status, out, len(err.splitlines())) == (68, "", 1)
    assert "another process archives or expires events" in err


def test_no_log_at_all(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACI_EVENT_LOG", str(tmp_path / "none" / "events.jsonl"))
    for words in (("expire", "--before", "today"), ("archive", "--to", str(tmp_path / "a"))):
        status, out, err = call("audit", *words)
        assert (status, out) == (0, "")
        assert err.startswith("nothing is recorded in ")
    assert list(tmp_path.iterdir()) == []


def test_what_was_left_undone_is_finished_and_said(log: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("eventlog.retention.expire.finish", killed)
        with pytest.raises(Killed):
            call("audit", "expire", "--before", "2026-01-03")
    status, _, err = call("verify")
    assert status == 0
    assert "warning: an expiry was begun and not finished" in err
    assert "would be finished first" in call("audit", "expire", "--before", "2026-01-03", "--dry-run")[2]
    status, _, err = call("audit", "expire", "--before", "2026-01-03")
    assert err.splitlines()[0] == "an expiry that was begun is finished now"
    assert call("verify")[2] == ""


def test_time_chooses_and_proves_nothing(log: Path, call: Call) -> None:
    moment = datetime.now(UTC) - timedelta(days=20000)
    clocked = EventLog(log, actor=lambda: ACTOR, correlation="", now=lambda: moment)
    for _ in range(3):
        clocked.append("ws-1", CommandClosed(command="x"))
    call("audit", "expire", "--before", f"{at(40):%Y-%m-%dT%H:%M}")
    status, _out, err = call("verify")
    assert (status, err) == (0, "")


@pytest.mark.parametrize("change", ["one is gone", "one is there twice", "all are gone", "nothing but them is left"])
def test_kept_lines_are_those_that_were_kept(log: Path, call: Call, tmp_path: Path, change: str) -> None:
    """Each of them has a good hash, and only the tombstone knows that others are missing."""
    call("audit", "expire", "--before", "2026-01-03")
    (kept,) = folder(log).glob("*.kept")
    lines = kept.read_bytes().splitlines(keepends=True)
    path_of(log).unlink()
    if change == "nothing but them is left":
        log.unlink()
    else:
        changed = {"one is gone": lines[:-1], "one is there twice": [*lines[:-1], *lines[-2:]], "all are gone": []}
        kept.write_bytes(b"".join(changed[change]))
    for verb in (
        ["verify"],
        ["history"],
        ["audit"],
        ["audit", "who", "ws-1"],
        ["audit", "cost"],
        ["audit", "export"],
        ["audit", "sql", "SELECT count(*) FROM events"],
        ["audit", "report", "-o", str(tmp_path / "report.html")],
        ["replay", "ws-1"],
        *([["audit", "expire", "--before", "2026-01-04", "--yes"]] if log.exists() else []),
    ):
        status, _, err = call(*verb)
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        assert (status, len(errors)) == (86, 1), (verb, err)
        assert kept.name in errors[0], verb


@pytest.mark.parametrize("at", [0, 5, 33])
def test_so_are_those_in_an_export(log: Path, call: Call, tmp_path: Path, at: int) -> None:
    call("audit", "expire", "--before", "2026-01-03")
    export = tmp_path / "export.jsonl"
    assert call("audit", "export", "-o", str(export))[0] == 0
    lines = export.read_bytes().splitlines(keepends=True)
    for verb in (["audit"], ["audit", "export"]):
        assert call(*verb, "--from", str(export))[0] == 0
    export.write_bytes(b"".join(lines[:at] + lines[at + 1 :]))
    for verb in (["verify"], ["audit"], ["audit", "cost"], ["audit", "export"], ["audit", "sql", "SELECT 1"]):
        status, _, err = call(*verb, "--from", str(export))
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        assert (status, len(errors)) == (86, 1), (verb, err)
    assert call("verify", "--from", str(export))[2].startswith(f"error: line 1 of {export} is the first of 33 that are")
