"""Every way to sign in, from the options down to a group that runs, and who the log says did it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.testing import Running, running_emulator
from tests.e2e.provider import Provider

IDENTITY = {"client_id": "33333333-0000-4000-8000-000000000001", "managed": True, "name": "workstation"}
PRINCIPAL = {"client_id": "11111111-0000-4000-8000-000000000002", "secret": "right-secret"}
AZ = """#!/bin/sh
# The Azure CLI, signed in: it asks for a token as the service principal does.
exec "{python}" - "$@" <<'END'
import json, os, ssl, sys, time, urllib.parse, urllib.request
arguments = sys.argv[1:]
resource = next((a for a in arguments if a.startswith("https://")), os.environ["AZURE_RESOURCE_MANAGER_URL"])
form = dict(grant_type="client_credentials", client_id="{client}", client_secret="right-secret")
form["scope"] = resource.removesuffix("/.default") + "/.default"
url = os.environ["AZURE_AUTHORITY_HOST"] + "/{tenant}/oauth2/v2.0/token"
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
answer = json.load(urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), context=context))
print(json.dumps(dict(accessToken=answer["access_token"], expires_on=int(time.time()) + 3000,
                      expiresOn="2099-01-01 00:00:00.000000", tokenType="Bearer", tenant="{tenant}")))
END
"""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Running]:
    with running_emulator("fast", imds=True, principals=[PRINCIPAL, IDENTITY]) as running:
        yield running


@pytest.fixture
def person(cloud: Running, home: Path) -> Provider:
    """Somebody without a service principal in the options."""
    hidden = ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")
    return Provider(home, {name: value for name, value in cloud.env.items() if name not in hidden})


def test_a_managed_identity(person: Provider) -> None:
    machine = person.with_env(MACHINE_ID="by-identity", AZURE_AUTH_MODE="managed-identity")
    machine.ok("create")
    assert IDENTITY["client_id"] in machine.events()[0]["actor"]["azure"]
    machine.ok("delete")


def test_the_azure_cli(person: Provider, cloud: Running) -> None:

    folder = person.home / "bin"
    folder.mkdir()
    az = folder / "az"
    az.write_text(AZ.format(python=sys.executable, client=PRINCIPAL["client_id"], tenant=cloud.env["AZURE_TENANT_ID"]))
    az.chmod(0o755)
    machine = person.with_env(MACHINE_ID="by-cli", AZURE_AUTH_MODE="cli", PATH=f"{folder}:{os.environ['PATH']}")
    machine.ok("create")
    assert PRINCIPAL["client_id"] in machine.events()[0]["actor"]["azure"]
    machine.ok("delete")


def test_a_role_that_is_missing_is_named(person: Provider, cloud: Running) -> None:
    cloud.control.permissions(denied=["Microsoft.ContainerInstance/containerGroups/write"])
    machine = person.with_env(MACHINE_ID="no-role", AZURE_AUTH_MODE="managed-identity")
    try:
        answer = machine.call("create")
    finally:
        cloud.control.permissions(denied=[])
    assert answer.returncode == 72
    assert b"Microsoft.ContainerInstance/containerGroups/write" in answer.stderr
    assert machine.event_types() == ["CreateRequested", "CreateFailed"]
