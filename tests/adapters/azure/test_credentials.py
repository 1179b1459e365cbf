"""Choosing a method, naming what was tried, and the two methods that need no secret."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters.azure import AzureSettings
from adapters.azure.claims import identity_of
from adapters.azure.credentials import choose
from emulator.testing import Running
from statemachine.errors import AuthenticationError, CredentialsError, OptionError
from statemachine.events import GroupRef
from statemachine.ports import Presence
from statemachine.secret import Secret

SERVICE_PRINCIPAL = {"tenant": "t", "client_id": "c", "client_secret": Secret("s")}


@pytest.mark.parametrize(
    ("settings", "environ", "method"),
    [
        (SERVICE_PRINCIPAL, {}, "service-principal"),
        ({**SERVICE_PRINCIPAL, "identity_client_id": "i"}, {}, "service-principal"),
        ({"identity_client_id": "i"}, {}, "managed-identity"),
        ({}, {"IDENTITY_ENDPOINT": "http://x"}, "managed-identity"),
        ({}, {}, "cli"),
        ({"tenant": "t"}, {}, "cli"),
        ({"auth": "cli", **SERVICE_PRINCIPAL}, {}, "cli"),
        ({"auth": "managed-identity"}, {}, "managed-identity"),
    ],
)
def test_the_method(settings: dict[str, Any], environ: dict[str, str], method: str) -> None:
    assert choose(AzureSettings(subscription="x", **settings), environ)[0] == method


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"client_secret": Secret("s")}, "AZURE_TENANT_ID and AZURE_CLIENT_ID"),
        ({"tenant": "t", "client_secret": Secret("s")}, "AZURE_CLIENT_ID"),
        ({"auth": "service-principal", "tenant": "t", "client_id": "c"}, "AZURE_CLIENT_SECRET"),
    ],
)
def test_half_a_service_principal(settings: dict[str, Any], missing: str) -> None:
    with pytest.raises(CredentialsError, match=f"{missing} not set"):
        choose(AzureSettings(subscription="x", **settings), {})


def test_an_unknown_method() -> None:
    with pytest.raises(OptionError):
        choose(AzureSettings(subscription="x", auth="magic"), {})


def token(**claims: Any) -> str:
    parts = [json.dumps({}), json.dumps(claims), "signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        (token(upn="ada@example.org", appid="cli", oid="o"), "user:ada@example.org"),
        (token(unique_name="ada", appid="cli"), "user:ada"),
        (token(idtyp="app", appid="a-1", oid="o", upn="x"), "app:a-1"),
        (token(azp="a-2"), "app:a-2"),
        (token(oid="o-1"), "object:o-1"),
        (token(oid=3), ""),
        (token(), ""),
        ("opaque", ""),
        ("a.b.c", ""),
        ("a.W10.c", ""),
        ("a.ä.c", ""),
    ],
)
def test_who_a_token_speaks_for(text: str, identity: str) -> None:
    assert identity_of(text) == identity


def emulator_token(running: Running) -> str:
    environment = running.env
    answer = requests.post(
        f"{environment['AZURE_AUTHORITY_HOST']}/{environment['AZURE_TENANT_ID']}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": environment["AZURE_CLIENT_ID"],
            "client_secret": environment["AZURE_CLIENT_SECRET"],
            "scope": f"{running.url}/.default",
        },
        verify=running.ca_file,
        timeout=10,
    )
    return str(answer.json()["access_token"])


NOBODY = {"tenant": "", "client_id": "", "client_secret": None, "auth": "cli"}


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the Azure CLI; the test writes what it does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder / "az"


def script(az: Path, text: str) -> None:
    az.write_text(f"#!/bin/sh\n{text}\n")
    az.chmod(0o755)


def test_the_azure_cli(line, az: Path, clean: Running, ref: GroupRef) -> None:
    answer = json.dumps({"accessToken": emulator_token(clean), "expires_on": 4102444800})
    script(az, f"echo called >> {az}.calls\necho \"$@\" > {az}.args\necho '{answer}'")
    one = line(**NOBODY)
    assert one.groups.look(ref).presence is Presence.ABSENT
    one.groups.check("dev", "westeurope")
    assert Path(f"{az}.calls").read_text().count("called") == 1, "one token serves both clients"
    assert f"--subscription {clean.subscription_id}" in Path(f"{az}.args").read_text()
    assert any("token by Azure CLI" in text for text in one.traced)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("echo \"Please run 'az login' to setup account.\" >&2; exit 1", CredentialsError, "az login"),
        ("echo 'ERROR: AADSTS700082: The refresh token has expired.' >&2; exit 1", AuthenticationError, "az login"),
        ("echo gibberish", AuthenticationError, "gibberish"),
        ("exit 127", CredentialsError, "not found on path"),
    ],
)
def test_an_azure_cli_that_fails(line, az: Path, ref: GroupRef, text: str, error: type, words: str) -> None:
    script(az, text)
    with pytest.raises(error, match=words) as caught:
        line(**NOBODY).groups.look(ref)
    assert "Azure CLI" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_azure_cli(line, ref: GroupRef, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CredentialsError) as caught:
        line(**{**NOBODY, "auth": "auto"}).groups.look(ref)
    text = str(caught.value)
    assert "tried Azure CLI: Azure CLI not found on path" in text
    assert "no service principal (AZURE_TENANT_ID and AZURE_CLIENT_ID and AZURE_CLIENT_SECRET not set)" in text
    assert "az login" in text


class Metadata(BaseHTTPRequestHandler):
    answers: list[tuple[int, str]]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Metadata]]:
    """A metadata service, at the address azure-identity's own variable names."""
    handler = type("Handler", (Metadata,), {"answers": [], "asked": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{server.server_port}")
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_managed_identity(line, clean: Running, metadata: type[Metadata], ref: GroupRef) -> None:
    body = {"access_token": emulator_token(clean), "expires_in": "3599", "token_type": "Bearer", "resource": "r"}
    metadata.answers = [(503, "{}"), (200, json.dumps(body))]
    one = line(**{**NOBODY, "auth": "auto", "identity_client_id": "id-1"})
    assert one.groups.look(ref).presence is Presence.ABSENT
    assert len(metadata.asked) == 2
    assert "client_id=id-1" in metadata.asked[0]


def test_no_managed_identity(line, metadata: type[Metadata], ref: GroupRef) -> None:
    metadata.answers = [(400, json.dumps({"error": "invalid_request", "error_description": "Identity not found"}))]
    with pytest.raises(CredentialsError, match=r"tried managed identity: .*Identity not found"):
        line(**{**NOBODY, "auth": "managed-identity"}).groups.look(ref)
