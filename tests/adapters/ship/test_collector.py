"""Sending to a collector: retries as OTLP asks, resumes where it was, TLS that is checked, one line for errors."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.cli.main import run
from adapters.ship.collector import Collector, endpoint, headers
from adapters.ship.local import LocalLog
from adapters.ship.tell import RECORDS, tell
from statemachine.errors import BusyError, OptionError, ProviderError
from statemachine.secret import MASK
from tests.adapters.ship.collectors import Double, collecting
from tests.adapters.ship.logs import chained, log_bytes, write
from tests.adapters.ship.tls import certificate

ROOT = Path(__file__).parents[3]
COUNT = 2 * RECORDS + 76


@pytest.fixture
def collector() -> Iterator[Double]:
    with collecting() as double:
        yield double


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "state" / "events.jsonl", log_bytes(COUNT))


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited; nobody really waits."""
    slept: list[float] = []
    monkeypatch.setattr("adapters.azure.retry.time.sleep", slept.append)
    return slept


def test_every_event_is_told_once(collector: Double, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert collector.seqs() == list(range(1, COUNT + 1))
    assert [request["path"] for request in collector.requests] == ["/v1/logs"] * 3
    assert collector.requests[0]["content-type"] == "application/x-protobuf"
    assert f"{COUNT} events sent" in capsys.readouterr().out
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert "nothing new" in capsys.readouterr().out
    write(log, log_bytes(COUNT + 3))
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert collector.seqs() == list(range(1, COUNT + 4))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_asked_again_after_the_time_it_asks_for(
    collector: Double, log: Path, naps: list[float], status: int
) -> None:
    collector.script = [(status, {"Retry-After": "7"}), (status, {}), (200, {})]
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert collector.seqs() == list(range(1, COUNT + 1))
    assert 7 <= naps[0] <= 8
    assert naps[1] < 7


def test_a_long_wait_is_told_once_in_a_run(collector: Double, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collector.script = [(429, {"Retry-After": "7"}), (200, {}), (429, {"Retry-After": "7"}), (200, {}), (200, {})]
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cannot send to the collector {collector.url}/v1/logs yet (throttled); trying again for up")


def test_a_short_wait_is_nobodys_business(collector: Double, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collector.script = [(503, {}), (200, {}), (200, {}), (200, {})]
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("status", "exit_status"), [(400, 64), (401, 71), (403, 72), (404, 64), (413, 64), (500, 79), (501, 79), (301, 64)]
)
def test_what_will_not_pass_is_one_line_at_once(
    collector: Double, log: Path, capsys: pytest.CaptureFixture[str], status: int, exit_status: int, naps: list[float]
) -> None:
    collector.script = [(200, {}), (status, {})]
    assert run(["audit", "ship", "--otlp", collector.url]) == exit_status
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert str(status) in err
    assert naps == []
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert collector.seqs() == list(range(1, COUNT + 1))


def test_patience_ends(collector: Double, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collector.script = [(429, {"Retry-After": "100000"})]
    assert run(["audit", "ship", "--otlp", collector.url]) == 78
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert len(collector.requests) == 1


def test_what_was_not_taken_is_said_and_not_sent_again(
    collector: Double, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(log, log_bytes(5))
    collector.rejecting = (2, "too old")
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert "did not take 2 of 5 events: too old" in capsys.readouterr().err
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert len(collector.requests) == 1


@pytest.mark.parametrize(("count", "said"), [(-5, ""), (9, "did not take 5 of 5 events: too old, and too long")])
def test_a_number_that_cannot_be_is_not_repeated(
    collector: Double, log: Path, capsys: pytest.CaptureFixture[str], count: int, said: str
) -> None:
    write(log, log_bytes(5))
    collector.rejecting = (count, "too old,\nand too long\n")
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    err = capsys.readouterr().err
    assert (said in err, len(err.splitlines())) == (True, bool(said))


def test_an_odd_clock_does_not_keep_the_rest_from_being_told(collector: Double, log: Path) -> None:
    write(log, chained([{"at": datetime(year, 1, 1, tzinfo=UTC)} for year in (2026, 1969, 9999, 2026)]))
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert collector.seqs() == [1, 2, 3, 4]
    assert [record.time_unix_nano for record in collector.records][1:3] == [0, (1 << 64) - 1]


def test_something_that_is_no_collector_is_named(
    collector: Double, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collector.script = [(200, {"body": "<html>hello</html>"})]
    assert run(["audit", "ship", "--otlp", collector.url]) == 64
    assert "does not answer as a collector does" in capsys.readouterr().err


def test_the_token_is_sent_and_never_shown(
    collector: Double, log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20geheim, X-Team=a=b")
    monkeypatch.setenv("DEVPOD_DEBUG", "true")
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert collector.requests[0]["authorization"] == "Bearer geheim"
    assert collector.requests[0]["x-team"] == "a=b"
    out, err = capsys.readouterr()
    assert "otlp: POST /v1/logs 200" in err
    assert "geheim" not in out + err
    assert str(headers(os.environ)["Authorization"]) == MASK
    with pytest.raises(OptionError, match="is not a list"):
        headers({"OTEL_EXPORTER_OTLP_HEADERS": "geheim"})
    assert headers({"OTEL_EXPORTER_OTLP_HEADERS": "a=%20Bearer%20x%20"})["a"].reveal() == "Bearer x"
    for value in ("geheim%0Ax: y", "geheim%0Dx", "geheim\u20ac", "geheim%00"):
        with pytest.raises(OptionError, match="the value of a has a character") as caught:
            headers({"OTEL_EXPORTER_OTLP_HEADERS": f"a={value}"})
        assert "geheim" not in str(caught.value)


def test_redacted_and_whole_are_two_deliveries(collector: Double, log: Path) -> None:
    assert run(["audit", "ship", "--otlp", collector.url, "--redact"]) == 0
    assert b"ada" not in b"".join(record.SerializeToString() for record in collector.records)
    assert len(collector.records) == COUNT
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert len(collector.records) == 2 * COUNT


def test_a_new_log_begins_at_its_beginning_and_a_cut_one_is_refused(
    collector: Double, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    write(log, log_bytes(4, user="bob"))
    assert run(["audit", "ship", "--otlp", collector.url]) == 0
    assert collector.seqs()[COUNT:] == [1, 2, 3, 4]
    write(log, log_bytes(9))
    assert run(["audit", "ship", "--otlp", collector.url]) == 86
    assert "ends before it" in capsys.readouterr().err


SENDING = """
import os, signal, sys
from pathlib import Path
from adapters.ship import tell
from adapters.ship.collector import Collector
from adapters.ship.local import LocalLog
log, url, left, where = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
tell.RECORDS = 50
saving = tell.save
def save(path, cursor):
    global left
    left -= 1
    if left == 0 and where == "before": os.kill(os.getpid(), signal.SIGKILL)
    saving(path, cursor)
    if left == 0: os.kill(os.getpid(), signal.SIGKILL)
tell.save = save
tell.tell(LocalLog(log), Collector(url, headers={}), redactor=None, now=lambda: 1)
"""


def test_killed_it_goes_on_and_at_most_one_batch_comes_twice(collector: Double, tmp_path: Path) -> None:
    log = write(tmp_path / "log", log_bytes(400))
    kills = 0
    for where in ("before", "after", "before", "after"):
        command = [sys.executable, "-c", SENDING, str(log), f"{collector.url}/v1/logs", "2", where]
        kills += subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert kills == 4
    tell(LocalLog(log), Collector(f"{collector.url}/v1/logs", headers={}), redactor=None, now=lambda: 1)
    seqs = collector.seqs()
    assert sorted(set(seqs)) == list(range(1, 401))
    assert len(seqs) == 400 + 2 * 50
    uids = [
        p.value.string_value for record in collector.records for p in record.attributes if p.key == "log.record.uid"
    ]
    assert len(set(uids)) == 400


def test_two_at_once_do_not_send_twice(collector: Double, log: Path) -> None:
    refused: list[str] = []

    class Slow(Collector):
        def send(self, body: bytes) -> tuple[int, str]:
            with pytest.raises(BusyError) as caught:
                tell(LocalLog(log), Collector(self.url, headers={}), redactor=None, now=lambda: 1)
            refused.append(str(caught.value))
            return super().send(body)

    url = f"{collector.url}/v1/logs"
    assert tell(LocalLog(log), Slow(url, headers={}), redactor=None, now=lambda: 1).events == COUNT
    assert len(refused) == 3
    assert collector.seqs() == list(range(1, COUNT + 1))
    assert tell(LocalLog(log), Collector(url, headers={}), redactor=None, now=lambda: 1).events == 0


def test_tls_is_checked(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with collecting(context) as double:
        assert run(["audit", "ship", "--otlp", double.url]) == 79
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1
        assert "is not trusted" in err
        assert double.records == []
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert run(["audit", "ship", "--otlp", double.url]) == 0
        assert len(double.records) == COUNT


def test_nobody_there_is_one_line(log: Path, capsys: pytest.CaptureFixture[str], naps: list[float]) -> None:
    assert run(["audit", "ship", "--otlp", "http://127.0.0.1:9"]) == 79
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "cannot be reached" in err
    assert len(naps) == 4


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("collector:4318", "is not an address"),
        ("ftp://collector", "is not an address"),
        ("https://", "is not an address"),
        ("https://collector:grpc", "is not an address"),
        ("https://me:geheim@collector", "carries a password"),
        ("https://collector/?token=geheim", "carries a password"),
        ("http://collector:4318", "in the clear"),
        ("https://[::1", "is not an address"),
    ],
)
def test_an_address_that_will_not_do(url: str, words: str) -> None:
    with pytest.raises(ProviderError, match=words) as caught:
        endpoint(url)
    assert "geheim" not in str(caught.value)


def test_where_logs_go() -> None:
    assert endpoint("https://collector:4318") == "https://collector:4318/v1/logs"
    assert endpoint("https://collector/otlp/v1/logs") == "https://collector/otlp/v1/logs"
    assert endpoint("http://localhost:4318/") == "http://localhost:4318/v1/logs"
