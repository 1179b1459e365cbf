"""What is wrong with a call of the audit verbs is one line and a status, before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from statemachine.errors import LogError, UnsupportedError
from tests.adapters.cli.calling import Call
from tests.eventlog.audit.story import week


@pytest.fixture(autouse=True)
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A week in this user's log."""
    path = tmp_path / "events.jsonl"
    monkeypatch.setenv("ACI_EVENT_LOG", str(path))
    return week(path).path


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("audit", "--since", "soonish"), 2, "'soonish' is no time; write for example"),
        (("audit", "--since", ""), 2, "--since: '' is no time"),
        (("audit", "cost", "--until", ""), 2, "--until: '' is no time"),
        (("audit", "--correlation", ""), 2, "--correlation is empty"),
        (("audit", "--from", ""), 2, "--from is empty; it takes"),
        (("audit", "--from", "", "cost"), 2, "--from is empty; it takes"),
        (("explain", "shop", "--from", ""), 2, "--from is empty; it takes"),
        (("replay", "shop", "--at", ""), 2, "--at: '' is no time"),
        (("audit", "archive", "--to", "x", "--before", ""), 2, "--before: '' is no time"),
        (("audit", "export", "--key-file", "x"), 2, "--key-file belongs to --redact"),
        (("audit", "ship", "--otlp", "http://localhost", "--key-file", "x"), 2, "--key-file belongs to --redact"),
        (("audit", "ship", "--blob", "", "--otlp", "http://localhost"), 64, "--blob: '' is not an https address"),
        (("audit", "cost", "--until", "2026-02-30"), 2, "--until: '2026-02-30' is no time"),
        (("audit", "--since", "today", "--until", "yesterday"), 2, "--since today is not before --until yesterday"),
        (("audit", "--actor", "nobody"), 0, "matches: actor nobody"),
        (("audit", "-w", "ml", "cost"), 2, "-w belongs behind the verb: audit cost -w"),
        (("audit", "who", "shopp"), 2, "has no events of workspace shopp; did you mean shop?"),
        (("replay", "zzz"), 2, "has no events of workspace zzz"),
        (("explain", "zzz"), 2, "has no events of workspace zzz"),
        (("explain", "nightly"), 0, "nothing of workspace nightly failed; it is absent"),
        (("replay",), 2, "replay needs a WORKSPACE"),
        (("replay", "shop", "--at", "1999-01-01"), 2, "nothing had happened to workspace shop by then"),
        (("replay", "shop", "--at", "never"), 2, "--at: 'never' is no time"),
        (("replay", "shop", "--diff", "1", "2", "--step"), 2, "--diff names its points itself"),
        (("replay", "--diff", "1", "2"), 2, "does not say of which workspace"),
        (("replay", "--diff", "shop@x", "shop"), 2, "--diff: 'x' is no time"),
        (("replay", "shop", "--diff", "shop@²", "3"), 2, "--diff: '²' is no time"),
        (("replay", "shop", "--diff", "3", f"shop@{'5' * 5000}"), 2, "5555…' is no time"),
        (("replay", "--diff", "shop", "nope"), 2, "has no events of workspace nope"),
        (("audit", "cost", "--by", "moon"), 2, "'moon' is none of workspace, actor, day, region"),
        (("audit", "cost", "--region", "mars"), 2, "no prices for mars"),
        (("audit", "cost", "--actor", "nobody"), 0, "matches: actor nobody"),
        (("audit", "cost", "--prices", "no-such-file"), 2, "cannot read no-such-file: No such file"),
        (("audit", "report", "-w", "nobody*"), 2, "matches: workspace nobody*"),
        (("audit", "report", "-o", "no/such/folder/r.html"), 2, "cannot be written: No such file or directory"),
        (("audit", "sql", "SELECT '\udcff'"), 2, "'STATEMENT': \"SELECT '\\udcff'\" is no text in the encoding"),
        (
            ("audit", "expire", "--keep-days", "1", "--why", "\udcff"),
            2,
            "'--why': '\\udcff' is no text in the encoding",
        ),
        (("shell", "--user", "\udcff"), 2, "'--user': '\\udcff' is no text in the encoding"),
        (("status", "--workspace", "\udcff"), 2, "'--workspace': '\\udcff' is no text in the encoding"),
        (("audit", "--from", "x" * 300), LogError.exit_status, "xxx cannot be read: File name too long. --from takes"),
        (("explain", "shop", "--from", "x" * 300), LogError.exit_status, "xxx cannot be read: File name too long"),
        (("verify", "--from", "x" * 300), LogError.exit_status, "xxx cannot be read: File name too long"),
        (("audit", "--from", "no-such-log"), LogError.exit_status, "there is no event log no-such-log"),
        (("audit", "--from", "~nosuchuser/x.jsonl"), LogError.exit_status, "no event log ~nosuchuser/x.jsonl"),
        (("audit", "writers", "--from", "n" * 300), 2, "--from URL says of which container"),
        (("audit", "--from", "gopher://x/y"), UnsupportedError.exit_status, "cannot read gopher:// addresses"),
    ],
)
def test_a_mistake_is_one_line(call: Call, arguments: tuple[str, ...], status: int, words: str) -> None:
    found, out, err = call(*arguments)
    assert (found, out) == (status, "")
    assert len(err.splitlines()) == 1
    assert words in err


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"some other program's log\n", LogError.exit_status),
        (b"\x7fELF\x02\x01\x01\0\0\0\xff\xfe", LogError.exit_status),
        (b'{"time":"2026","message":"not ours"}\n' * 50, LogError.exit_status),
        (None, LogError.exit_status),
    ],
    ids=["text", "binary", "other JSON lines", "folder"],
)
@pytest.mark.parametrize(
    "verb", [("audit",), ("audit", "cost"), ("audit", "who", "x"), ("replay", "x"), ("explain", "x")]
)
def test_what_is_no_log_is_one_line(
    call: Call, tmp_path: Path, content: bytes | None, status: int, verb: tuple[str, ...]
) -> None:
    other = tmp_path / "other"
    other.mkdir() if content is None else other.write_bytes(content)
    found, out, err = call(*verb, "--from", str(other))
    assert (found, out, len(err.splitlines())) == (status, "", 1)
    assert str(other) in err
    # What would help with one's own log is no advice about another.
    assert "ACI_EVENT_LOG" not in err
