"""What -o names is written whole or not at all, and is never a part of an event log."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from adapters.cli.audit.output import output
from adapters.cli.call_error import CallError
from adapters.cli.main import run
from tests.eventlog.audit.story import Story, week

VERBS = (("audit", "export"), ("audit", "report"), ("audit", "key"))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state" / "events.jsonl"
    path.parent.mkdir()
    monkeypatch.setenv("ACI_EVENT_LOG", str(path))
    monkeypatch.delenv("DEVPOD_DEBUG", raising=False)
    week(path)
    assert run(["audit", "seal"]) == 0
    return path


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("target", ["the log", "hard link", "symbolic link", "key", "new in its folder", "torn part"])
def test_no_part_of_the_own_log_is_written_over(
    log: Path, tmp_path: Path, verb: tuple[str, ...], target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hard").hardlink_to(log)
    (tmp_path / "soft").symlink_to(log)
    torn = log.with_name("events.jsonl.torn-7-20260101T000000Z")
    torn.write_bytes(b"half")
    private = log.with_name("events.jsonl.d")
    path = {
        "the log": log,
        "hard link": tmp_path / "hard",
        "symbolic link": tmp_path / "soft",
        "key": private / "keys" / "ed25519",
        "new in its folder": private / "segments" / "new",
        "torn part": torn,
    }[target]
    other = Story(tmp_path / "other.jsonl").creates("elsewhere").path
    source = () if verb[1] == "key" else ("--from", str(other))
    before = everything(tmp_path)
    capsys.readouterr()
    for chosen in {(), source}:
        assert run([*verb, *chosen, "-o", str(path)]) == 2
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        assert "itself, or a part of it" in err
    assert everything(tmp_path) == before


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_pipe_stays_a_pipe_and_gets_it_all(log: Path, tmp_path: Path, verb: tuple[str, ...]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        got: list[bytes] = []
        taking = threading.Thread(target=lambda: got.append(reader.stdout.read()))
        taking.start()
        assert run([*verb, "-o", str(pipe)]) == 0
        taking.join()
    assert pipe.is_fifo()
    assert len(got[0]) > 100


def test_the_source_is_not_written_over(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Story(tmp_path / "other.jsonl").creates("elsewhere").path
    before = other.read_bytes()
    for verb in VERBS[:2]:
        assert run([*verb, "--from", str(other), "-o", str(other)]) == 2
        assert f"that is the event log {other} itself" in capsys.readouterr().err
    assert other.read_bytes() == before


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no/such/folder/x", "No such file"),
        (".", "Is a directory"),
        ("n" * 300, "File name too"),
        ("log/x", "Not a dir"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    log: Path, tmp_path: Path, target: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").write_bytes(b"")
    for verb in VERBS:
        assert run([*verb, "-o", str(tmp_path / target)]) == 2
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        assert f"cannot be written: {words}" in err or "is a directory" in err


def test_a_file_appears_when_it_is_whole(log: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "out"
    target.parent.mkdir()
    target.write_text("old")
    with pytest.raises(TypeError), output(target) as file:
        file.writelines([b"new", 7])  # type: ignore[list-item]  # fails when a part is written
    assert target.read_text() == "old"
    with output(target) as file:
        file.write(b"new")
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in target.parent.iterdir()] == ["out"]
    with pytest.raises(CallError, match="cannot be written"), output(tmp_path / "no" / "folder"):
        pass
