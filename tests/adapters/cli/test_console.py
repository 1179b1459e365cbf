"""Standard streams as they come: of any encoding, full, or with nobody behind them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.cli.console import UNWRITTEN
from statemachine.errors import InternalError
from tests.adapters.cli.terminal import on_terminal
from tests.adapters.ship.logs import chained, write

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "adapters.cli")
ASKED = "SELECT workspace, actor.user FROM events"
READING = {
    "history": ("history",),
    "audit": ("audit",),
    "who": ("audit", "who", "ünï-工"),
    "cost": ("audit", "cost"),
    "sql": ("audit", "sql", ASKED),
    "replay": ("replay", "ünï-工"),
    "diff": ("replay", "ünï-工", "--diff", "1", "2"),
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of names that few encodings have."""
    name = {"subject": "ünï-工", "actor": {"user": "åsa-太郎", "host": "laptop", "azure": ""}}
    owner = {"owner": {"host": "laptop", "pid": 1, "started": "1"}}
    group = {"subscription": "s", "resource_group": "r", "name": "n", "container": "c"}
    facts = {"image": "i", "location": "westeurope", "cpu": 2.0, "memory_gb": 4.0}
    told = [
        {"type": "CreateRequested", "data": owner | {"group": group, "facts": facts}},
        {"type": "Created", "data": {"receipt": {"http_status": 201, "request_id": "r"}}},
    ]
    return write(tmp_path / "state" / "events.jsonl", chained([one | name for one in told]))


def environment(log: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "DEVPOD_DEBUG"}
    return kept | {"ACI_EVENT_LOG": str(log)} | more


@pytest.mark.parametrize("words", READING.values(), ids=READING)
def test_an_encoding_that_lacks_a_name_is_no_failure(log: Path, words: tuple[str, ...]) -> None:
    env = environment(log, PYTHONIOENCODING="cp1252", PYTHONUTF8="1")
    answer = subprocess.run([*COMMAND, *words], env=env, cwd=ROOT, capture_output=True, check=False)
    assert (answer.returncode, answer.stderr.count(b"error")) == (0, 0)
    assert "ünï-?" in answer.stdout.decode("cp1252") or "åsa-??" in answer.stdout.decode("cp1252")
    assert b"???" not in answer.stdout


NAME = "shop\x1b[31m\u202e\x9b2J\nerror: all is lost"
"""A workspace that somebody called so in his log, for whoever reads it."""
NEARLY = NAME.replace("\x1b", "")
OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]|^error: all")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    started = {"owner": {"host": "laptop", "pid": 1, "started": "1"}}
    place = {
        "group": {"subscription": "s", "resource_group": "r", "name": "n", "container": "c"},
        "facts": {"image": "i", "location": "westeurope", "cpu": 2.0, "memory_gb": 4.0},
    }
    failure = {"error": "AzureError", "message": NAME, "code": NAME, "http_status": 500}
    told = [
        {"type": "CreateRequested", "data": started | place},
        {"type": "Created", "data": {"receipt": {"http_status": 201, "request_id": NAME}}},
        {"type": "StopRequested", "data": started},
        {"type": "StopFailed", "data": {"failure": failure}},
        {"type": NAME, "data": {}},
    ]
    who = {"subject": NAME, "actor": {"user": NAME, "host": NAME, "azure": NAME}}
    return write(tmp_path / "state" / "events.jsonl", chained([one | who for one in told]))


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize(
    "words",
    [
        ("history",),
        ("history", "--json"),
        ("audit",),
        ("audit", "--json"),
        ("audit", "who", NAME),
        ("audit", "who", NAME, "--json"),
        ("audit", "who", NEARLY),
        ("audit", "cost", "--by", "workspace,actor"),
        ("audit", "cost", "--by", "workspace,actor", "--json"),
        ("audit", "sql", "SELECT * FROM events", "--json"),
        ("audit", "sql", f'SELECT workspace AS "{NAME}" FROM events'),
        ("audit", "sql", f'SELECT "{NAME}" FROM events'),
        ("audit", "-w", f"{NAME}x"),
        ("audit", "expire", "--before", "2027-01-01", "--yes"),
        ("replay", NAME),
        ("replay", NAME, "--json"),
        ("replay", NAME, "--diff", "1", "3"),
        ("replay", "--diff", NAME, f"{NAME}@3"),
        ("replay", "--diff", NAME, NAME),
        ("explain", NAME),
        ("explain", NAME, "--json"),
    ],
    ids=lambda words: repr(" ".join(words)),
)
def test_a_terminal_obeys_nothing_that_others_wrote(hostile: Path, words: tuple[str, ...], columns: int) -> None:
    env = environment(hostile, NO_COLOR="1")
    with on_terminal([*COMMAND, *words], env, ROOT, columns=columns) as terminal:
        seen = terminal.end()
    # Bold and dim are our own.
    ours = re.sub(r"\x1b\[[0-9;]*m", "", seen) if "\x1b[31m" not in seen else seen
    assert len(ours) > 20
    assert not any(OBEYED.search(line) for line in ours.split("\n")), ours


FULL = [
    *READING.values(),
    ("verify",),
    ("audit", "export"),
    ("audit", "export", "--format", "cloudevents-batch"),
    ("audit", "report", "-o", "-"),
    ("audit", "key"),
    ("explain", "--help"),
    ("--version",),
    ("options",),
    ("manifest",),
]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", FULL, ids=" ".join)
def test_a_full_disk_is_one_line(log: Path, words: tuple[str, ...], unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        answer = subprocess.run(
            [*COMMAND, *words],
            env=environment(log, PYTHONUNBUFFERED=unbuffered),
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert answer.returncode == UNWRITTEN
    assert answer.stderr == b"error: standard output cannot be written: No space left on device\n"


HELD = """
import sys
from adapters.cli import main
main.run = lambda _: sys.stdout.write("Running") and {status}
main.main()
"""


def held_back(status: int, stdout: int) -> tuple[int, bytes]:
    """What becomes of an answer that is written when the program ends; exit status, and what is said."""
    answer = subprocess.run(
        [sys.executable, "-c", HELD.format(status=status)],
        env=environment(ROOT, PYTHONUNBUFFERED=""),
        cwd=ROOT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )
    return answer.returncode, answer.stderr


def test_what_is_written_at_the_end_is_not_lost_in_silence() -> None:
    said = b"error: standard output cannot be written: No space left on device\n"
    with Path("/dev/full").open("wb") as full:
        assert held_back(0, full.fileno()) == (UNWRITTEN, said)
        assert held_back(86, full.fileno()) == (86, b"")
    reader, writer = os.pipe()
    os.close(reader)
    assert held_back(0, writer) == (UNWRITTEN, b"")
    os.close(writer)


def test_messages_that_nobody_can_be_told_change_no_status(log: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        for words, status in ((("explain", "--nosuch"), 2), (("history",), 0)):
            answer = subprocess.run(
                [*COMMAND, *words],
                env=environment(log, PYTHONUNBUFFERED=""),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=full,
                check=False,
            )
            assert answer.returncode == status


EXACT = """
import sys, click
from adapters.cli import main
main.cli.get_command = lambda *_: click.Command("find", callback=lambda: click.echo("{text}", nl=False))
sys.argv = ["x", "find"]
main.main()
"""


def test_what_devpod_reads_is_exact_or_an_error() -> None:
    for text, status in (("ü", 0), ("工", InternalError.exit_status)):
        answer = subprocess.run(
            [sys.executable, "-c", EXACT.format(text=text)],
            env=environment(ROOT, PYTHONIOENCODING="cp1252", PYTHONUTF8="1"),
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        assert (answer.returncode, answer.stdout) == (status, text.encode("cp1252", "ignore"))
