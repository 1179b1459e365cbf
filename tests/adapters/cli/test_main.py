"""Every failure becomes one line and a status; nothing but the answer reaches stdout."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.cli import main
from adapters.cli.main import VERBS, cli, run
from statemachine.errors import InternalError

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_exists_and_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert "Usage: devpod-provider-aci" in capsys.readouterr().out


def test_help_lists_the_verbs_but_not_the_inner_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "history" in shown
    assert "tunnel-holder" not in shown
    assert "..." not in shown.partition("Commands:")[2]
    assert "and that Azure lets us in." in " ".join(shown.split())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("nosuch", "error: No such command 'nosuch'. See `devpod-provider-aci --help`."),
        ("stauts", "error: No such command 'stauts', but there is 'status'. See `devpod-provider-aci --help`."),
        ("audit whoo", "error: No such command 'whoo', but there is 'who'. See `devpod-provider-aci audit --help`."),
        ("shell --nosuch", "error: No such option '--nosuch'. See `devpod-provider-aci shell --help`."),
        ("audit --limit 0", "error: Invalid value for '--limit': 0 is not in the range x>=1. See"),
        ("audit who", "error: Missing argument 'WORKSPACE'. See `devpod-provider-aci audit who --help`."),
        ("audit export --format x", "error: Invalid value for '--format': 'x' is not one of 'jsonl',"),
    ],
)
def test_a_mistake_in_the_call_is_one_line(call: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call.split()) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith(said)


def test_ctrl_c_during_the_imports_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    answer = subprocess.run(
        [sys.executable, "-m", "adapters.cli", "status"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (130, b"", b"")


def test_a_defect_is_one_line_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(cli, "main", broken)
    monkeypatch.delenv("DEVPOD_DEBUG", raising=False)
    assert main.run(["status"]) == InternalError.exit_status
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "RuntimeError: first second" in err
    monkeypatch.setenv("DEVPOD_DEBUG", "true")
    main.run(["status"])
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_that_no_more_files_can_be_opened_is_not_to_be_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise OSError(number, os.strerror(number), "/dev/null")

    monkeypatch.setattr(cli, "main", broken)
    # Not a status that a command may have ended with.
    assert main.run(["command"]) == InternalError.exit_status
    _, err = capsys.readouterr()
    assert err == f"error: {os.strerror(number)}. Raise the limit (`ulimit -n`), or end other programs.\n"


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    answer = subprocess.run(
        [sys.executable, "-m", "adapters.cli", "options"],
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        check=False,
    )
    os.close(writer)
    assert b"Traceback" not in answer.stderr
    assert answer.returncode != 0
