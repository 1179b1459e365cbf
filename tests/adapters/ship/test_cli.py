"""The verbs: what they print, what they refuse, what they need."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.cli.main import run
from adapters.ship.writer import blob_name, writer_of
from statemachine.errors import UnavailableError
from tests.adapters.ship.logs import chained, log_bytes, write

ROOT = Path(__file__).parents[3]
VERBS = ["export", "ship", "sql", "writers"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "state" / "events.jsonl", log_bytes(9))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", verb, "--help"]) == 0
    assert f"audit {verb}" in capsys.readouterr().out


def test_exports_go_to_standard_output_or_a_file(
    log: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["audit", "export"]) == 0
    assert capfdbinary.readouterr().out == log.read_bytes()
    assert run(["audit", "export", "-o", "-"]) == 0
    assert capfdbinary.readouterr().out == log.read_bytes()
    for form in ("jsonl", "cloudevents", "cloudevents-batch", "otlp-json"):
        for extra in ([], ["--redact"]):
            assert run(["audit", "export", "--format", form, "-o", str(tmp_path / form), *extra]) == 0
            assert (b"laptop-ada" in (tmp_path / form).read_bytes()) == (extra == [])
    assert capfdbinary.readouterr().out == b""


def test_people_who_share_a_key_have_the_same_pseudonyms(log: Path, tmp_path: Path) -> None:
    assert run(["audit", "export", "--redact", "-o", str(tmp_path / "one")]) == 0
    key = log.parent / "events.jsonl.d" / "redact.key"
    other = write(tmp_path / "key", key.read_bytes())
    key.unlink()
    assert run(["audit", "export", "--redact", "--key-file", str(other), "-o", str(tmp_path / "two")]) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert not key.exists()


def test_exports_of_a_damaged_log_end_before_the_damage(log: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    data = log.read_bytes()
    write(log, data.replace(b'"seq":6', b'"seq":7'))
    assert run(["audit", "export"]) == 86
    out, err = capfdbinary.readouterr()
    assert out == b"".join(data.splitlines(keepends=True)[:5])
    assert len(err.splitlines()) == 1
    assert b"line 6" in err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["ship"], 2, "says where to"),
        (["ship", "--blob", "https://a.blob.core.windows.net/logs", "--redact"], 2, "would break the chain"),
        (["ship", "--blob", "nonsense"], 64, "not an https address"),
        (["ship", "--otlp", "nonsense"], 64, "is not an address"),
        (["writers"], 2, "--from URL"),
        (["export", "--from", "no-such-file"], 85, "there is no event log"),
        (["export", "--from", "README.md"], 85, "is not an event log"),
        (["export", "--from", "ftp://x/y"], 66, "cannot read ftp:// addresses"),
        (["export", "--from", "https://a.blob.core.windows.net/"], 64, "not the address of a container"),
        (["sql", "--from", "no-such-file", "SELECT 1"], 85, "there is no event log"),
        (["export", "--redact", "--key-file", "README.md"], 85, "key"),
        (["export", "-o", "/no/such/folder/x"], 2, "cannot be written"),
    ],
)
def test_refusals(
    log: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(ROOT)
    assert run(["audit", *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "Traceback" not in err
    if status != 2:
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "verb",
    [
        ["audit", "ship", "--blob"],
        ["audit", "--from"],
        ["audit", "cost", "--from"],
        ["audit", "sql", "SELECT 1", "--from"],
        ["audit", "writers", "--from"],
        ["explain", "x", "--from"],
    ],
    ids=" ".join,
)
def test_an_account_that_cannot_be_reached_is_one_line(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: list[str]
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("adapters.azure.retry.time.sleep", naps.append)
    monkeypatch.setenv("AZURE_STORAGE_KEY", "Zm9v")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/account/logs"
        assert run([*verb, url]) == UnavailableError.exit_status
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert url in err
    assert "Check the account's name, the network" in err
    assert len(naps) == 4


def test_a_missing_extra_is_named(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, arguments in {
        "duckdb": ["sql", "SELECT 1"],
        "azure.storage.blob": ["ship", "--blob", "https://a.blob.core.windows.net/logs"],
        "opentelemetry.proto.collector.logs.v1.logs_service_pb2": ["ship", "--otlp", "http://localhost:9"],
    }.items():
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            assert run(["audit", *arguments]) == 66
        err = capsys.readouterr().err
        assert "uv tool install '.[ship]'" in err
        assert len(err.splitlines()) == 1


def test_an_export_needs_nothing_heavy(log: Path) -> None:
    code = (
        "import sys\nfrom adapters.cli.main import run\n"
        "assert run(['audit', 'export', '--redact', '--format', 'otlp-json']) == 0\n"
        "print({'azure','duckdb','google','requests','cryptography'} & set(sys.modules), file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stderr.strip() == "set()"


def test_a_folder_of_copies_is_read_as_a_container_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    for user in ("ada", "bob"):
        data = log_bytes(5, user=user)
        write(tmp_path / "copies" / blob_name(writer_of(data.partition(b"\n")[0]), 1), data)
    assert run(["audit", "writers", "--from", str(tmp_path / "copies"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["events"], row["chain"]) for row in rows] == [(5, "whole")] * 2
    assert run(["audit", "sql", "--from", str(tmp_path / "copies"), "--json", "SELECT count(*) n FROM events"]) == 0
    assert json.loads(capsys.readouterr().out) == {"n": 10}


ODD = {
    "a surrogate": {"data": {"x": 1}, "subject": "w"},
    "a number out of range": {"data": {"x": "qqqq"}},
    "bytes that are no text": {"data": {"x": "qqqq"}},
    "no type": {"type": None},
    "a time that is none": {"time": "yesterday"},
    "a schema that is no number": {"schema": "x"},
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "--format", "cloudevents"],
        ["export", "--format", "otlp-json"],
        ["export", "--redact"],
        ["sql", "SELECT count(*) FROM events"],
        ["sql", "SELECT data FROM events"],
        ["sql", "--json", "SELECT data FROM events"],
        ["ship", "--otlp", "http://127.0.0.1:9"],
    ],
    ids=lambda arguments: "-".join(arguments[:3]),
)
def test_a_log_somebody_made_up_is_no_defect_of_ours(
    log: Path, capsys: pytest.CaptureFixture[str], odd: str, arguments: list[str]
) -> None:
    data = chained([ODD[odd]])
    if odd == "a surrogate":
        data = resealed(data.replace(b'{"x":1}', b'{"x":"\\ud800"}'))
    if odd == "a number out of range":
        data = resealed(data.replace(b'"qqqq"', b"1e999"))
    if odd == "bytes that are no text":
        data = resealed(data.replace(b"qqqq", b"\xff\xfe\xfd\xfc"))
    write(log, data)
    assert run(["audit", *arguments]) in (0, 79, 86)
    assert len(capsys.readouterr().err.splitlines()) <= 1


@pytest.mark.parametrize(
    "words",
    [("--format", "cloudevents"), ("--format", "otlp-json"), ("--redact",), ("--redact", "-o", "out")],
    ids=" ".join,
)
def test_one_writers_odd_line_does_not_keep_the_others_from_being_exported(
    tmp_path: Path,
    log: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = resealed(chained([{"data": {"x": "qqqq"}, "subject": "odd"}]).replace(b'"qqqq"', b"1e999"))
    for data in (odd, log_bytes(5, user="bob")):
        write(tmp_path / "copies" / blob_name(writer_of(data.partition(b"\n")[0]), 1), data)
    assert run(["audit", "export", *words, "--from", str(tmp_path / "copies")]) == 86
    out, err = capsys.readouterr()
    text = Path("out").read_text() if "out" in words else out
    assert text.count("StopRequested") == 5
    assert "odd" not in text
    assert (len(err.splitlines()), "Number out of range" in err) == (1, True)


def resealed(line: bytes) -> bytes:
    """A line with the hash of its present bytes."""
    body = line[: line.rindex(b',"hash":"')] + b"}"
    return body[:-1] + f',"hash":"{sha256(body).hexdigest()}"}}\n'.encode()
