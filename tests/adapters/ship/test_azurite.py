"""Against Azurite: the conditions, the limits and the errors are the service's own, and so are the kills."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from adapters.cli.main import run
from adapters.ship.blob import Container
from adapters.ship.local import LocalLog
from adapters.ship.merge import Merged
from adapters.ship.place import place
from adapters.ship.reader import ShippedReader
from adapters.ship.send import ship
from adapters.ship.store import MovedError
from eventlog import Record
from eventlog.audit.stream import writer_of
from statemachine.errors import NameRefusedError
from tests.adapters.ship import azurite
from tests.adapters.ship.logs import log_bytes, write
from tests.adapters.ship.tls import certificate

ROOT = Path(__file__).parents[3]
DATA = log_bytes(60)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite.KEY)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "state" / "events.jsonl", DATA)


def store_of(url: str) -> Container:
    return Container(place(url, os.environ), patience=5)


def content(url: str) -> bytes:
    store = store_of(url)
    return b"".join(store.read(blob.name, 0, blob.size) for blob in store.list() if blob.size)


def test_shipping_twice_and_reading_back(container: str, log: Path, tmp_path: Path) -> None:
    store = store_of(container)
    ship(LocalLog(log, own=True), store, block=2_000)
    assert ship(LocalLog(log, own=True), store, block=2_000).events == 0
    assert content(container) == DATA
    other = log_bytes(60, user="bob", step=0.5)
    ship(LocalLog(write(tmp_path / "b", other)), store)
    raws = [line.raw + b"\n" for line in Merged(store, memory=1).lines()]
    assert b"".join(raw for raw in raws if raw in DATA) == DATA
    assert len(raws) == 120


def test_appends_hold_to_their_position(container: str) -> None:
    store = store_of(container)
    with pytest.raises(MovedError):
        store.append("w/000001.jsonl", b"a\n", 0)
    store.create("w/000001.jsonl")
    store.append("w/000001.jsonl", b"a\n", 0)
    store.create("w/000001.jsonl")
    with pytest.raises(MovedError):
        store.append("w/000001.jsonl", b"a\n", 0)
    store.append("w/000001.jsonl", b"b\n", 2)
    look = store.look("w/000001.jsonl")
    assert (look.size, look.blocks) == (4, 2)
    assert content(container) == b"a\nb\n"


def test_a_blob_of_another_kind_is_named(container: str, log: Path) -> None:
    from azure.storage.blob import ContainerClient

    store = store_of(container)
    name = ship(LocalLog(log), store).blob
    credential = {"account_name": azurite.ACCOUNT, "account_key": azurite.KEY}
    with ContainerClient.from_container_url(container, credential=credential) as client:
        client.delete_blob(name)
        client.upload_blob(name, DATA[: DATA.index(b"\n") + 1])
    with pytest.raises(NameRefusedError, match="append blob"):
        ship(LocalLog(log), store)


def token(**claims: object) -> str:
    """What Entra ID would sign; Azurite looks at the claims alone."""
    now = int(time.time())
    said = {"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/t/", "iat": now, "nbf": now - 60}
    parts = ({"alg": "RS256", "typ": "JWT"}, said | {"exp": now + 3600} | claims, {})
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


def test_a_token_lets_in_over_tls(
    account: str, tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the way from the command line, but for who hands out the token."""
    from azure.core.credentials import AccessTokenInfo
    from azure.storage.blob import ContainerClient

    from adapters.azure.credentials import Credential

    asked: list[str] = []

    class Source:
        def get_token_info(self, *scopes: str, options: object = None) -> AccessTokenInfo:
            asked.extend(scopes)
            return AccessTokenInfo(token(), int(time.time()) + 3600)

    monkeypatch.setattr(Credential, "_build", lambda _self: Source())
    monkeypatch.setenv("AZURE_STORAGE_KEY", "")
    start = azurite.installed()
    assert isinstance(start, azurite.Installed)
    pem = certificate(tmp_path)
    with azurite.running(start, tmp_path / "azurite.log", pem) as address:
        url = f"{address}/logs"
        credential = {"account_name": azurite.ACCOUNT, "account_key": azurite.KEY}
        with ContainerClient.from_container_url(url, credential=credential, connection_verify=str(pem)) as client:
            client.create_container()
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        assert run(["audit", "ship", "--blob", url]) == 79
        assert "is not trusted" in capsys.readouterr().err
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
        assert run(["audit", "ship", "--blob", url]) == 0
        assert "60 events" in capsys.readouterr().out
        assert set(asked) == {"https://storage.azure.com/.default"}
        monkeypatch.setattr(Source, "get_token_info", lambda *_, **__: AccessTokenInfo(token(aud="x"), 2**33))
        assert run(["audit", "ship", "--blob", url]) == 71
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_killed_again_and_again_the_blobs_are_the_log(container: str, log: Path, seed: int) -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.adapters.ship.killed", str(log), container, str(seed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert int(answer.stdout.split()[-1]) > 5
    assert content(container) == DATA
    store = store_of(container)
    assert len(store.list()) > 3
    assert all(store.look(blob.name).blocks <= 3 for blob in store.list())


def test_four_processes_at_once_ship_one_log(container: str, log: Path) -> None:
    command = [sys.executable, "-m", "adapters.cli", "audit", "ship", "--blob", container]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert content(container) == DATA


def test_the_command_line_from_shipping_to_sql(
    container: str, log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(["audit", "ship", "--blob", container]) == 0
    assert f"60 events ({len(DATA)} bytes) appended" in capsys.readouterr().out
    assert run(["audit", "ship", "--blob", container]) == 0
    assert "nothing new" in capsys.readouterr().out
    for extra in ("bob", "eve"):
        write(tmp_path / extra, log_bytes(7, user=extra))
        monkeypatch.setenv("ACI_EVENT_LOG", str(tmp_path / extra))
        if extra == "bob":
            assert run(["audit", "ship", "--blob", container]) == 0
    capsys.readouterr()
    question = "SELECT actor.user AS who, count(*) AS n FROM events GROUP BY who ORDER BY who"
    assert run(["audit", "sql", "--from", container, "--local", "--json", question]) == 0
    assert capsys.readouterr().out.splitlines() == [
        '{"who":"ada","n":60}',
        '{"who":"bob","n":7}',
        '{"who":"eve","n":7}',
    ]
    assert run(["audit", "writers", "--from", container, "--json"]) == 0
    assert capsys.readouterr().out.count('"chain":"whole"') == 2
    assert run(["audit", "export", "--from", container, "-o", str(tmp_path / "all")]) == 0
    assert len((tmp_path / "all").read_bytes().splitlines()) == 67


def test_records_for_audit_and_what_came_since(container: str, log: Path) -> None:
    write(log, b"".join(DATA.splitlines(keepends=True)[:50]))
    name = ship(LocalLog(log), store_of(container)).writer
    reader = ShippedReader(store_of(container))
    first = list(reader.records())
    assert [record.seq for record in first] == list(range(1, 51))
    assert isinstance(first[0], Record)
    assert {writer_of(record) for record in first} == {name}
    write(log, DATA)
    ship(LocalLog(log), store_of(container))
    assert [record.seq for record in reader.records()] == list(range(51, 61))
    assert list(reader.records()) == []
    assert reader.logs == [(name, 60, "")]
    assert len(list(ShippedReader(store_of(container)).records())) == 60


def test_tampering_in_the_container_is_one_line(
    container: str, log: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store = store_of(container)
    lines = DATA.splitlines(keepends=True)
    name = ship(LocalLog(write(tmp_path / "x", lines[0])), store).blob
    store.append(name, b"".join(lines[2:]), len(lines[0]))
    assert run(["audit", "export", "--from", container, "-o", str(tmp_path / "out")]) == 86
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "event 2 of laptop-ada.ada" in err
    assert "was removed" in err
    assert (tmp_path / "out").read_bytes() == lines[0]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({}, 84, "az storage container create"),
        ({"AZURE_STORAGE_KEY": "AAAA"}, 72, "HTTP 403"),
        ({"AZURE_STORAGE_KEY": "x"}, 71, "cannot sign"),
        ({"AZURE_STORAGE_KEY": ""}, 64, "in the clear"),
        ({"AZURE_STORAGE_CONNECTION_STRING": "AccountName=other;AccountKey=x"}, 64, "not of the account"),
    ],
)
def test_a_refusal_is_one_line(
    account: str,
    log: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    status: int,
    words: str,
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    assert run(["audit", "ship", "--blob", f"{account}/not-there"]) == status
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert words in err


def test_sas_and_connection_string_let_in_and_are_never_shown(
    container: str, log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime, timedelta

    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    sas = generate_container_sas(
        azurite.ACCOUNT,
        container.rpartition("/")[2],
        account_key=azurite.KEY,
        permission=ContainerSasPermissions(read=True, add=True, create=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    monkeypatch.setenv("AZURE_STORAGE_KEY", "")
    monkeypatch.setenv("DEVPOD_DEBUG", "true")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", f"?{sas}")
    assert run(["audit", "ship", "--blob", container]) == 0
    out, err = capsys.readouterr()
    assert "60 events" in out
    assert "azure: PUT" in err
    assert "sig" not in out + err
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountName={azurite.ACCOUNT};AccountKey={azurite.KEY}")
    assert run(["audit", "ship", "--blob", container]) == 0
    assert azurite.KEY not in "".join(capsys.readouterr())
