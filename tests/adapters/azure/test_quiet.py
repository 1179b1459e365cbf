"""No secret in a trace, a log or an error; no Azure SDK before it is needed."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable

import pytest

from adapters.azure import GroupOrder, RegistryLogin
from statemachine.errors import ProviderError
from statemachine.events import GroupRef
from statemachine.secret import Secret

SECRETS = {"TOKEN": Secret("t0ken-value-1"), "KEY": Secret("key-value-2")}


def test_nothing_secret_is_said(
    line,
    ref: GroupRef,
    order: Callable[..., GroupOrder],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adapters.azure.lifecycle.APPEAR", 0.1)
    caplog.set_level(logging.DEBUG)
    one = line()
    password = Secret("registry-pass-3")
    wanted = order(
        ref,
        secure_environment=SECRETS,
        registry=RegistryLogin(server="r.example", username="u", password=password),
        facts={"image": "alpine:3"},
    )
    one.groups.create(wanted)
    uri, exec_password = one.groups.open_exec(ref)
    one.groups.logs(ref)
    one.groups.stop(ref)
    one.groups.start(ref)
    said = [*one.traced]
    quoted = " ".join([*(secret.reveal() for secret in SECRETS.values()), password.reveal()])
    for status in (400, 403, 409, 500):
        one.control.set_fault("ContainerGroups_CreateOrUpdate", status=status, code="Bad", message=quoted)
        try:
            one.groups.create(wanted)
        except ProviderError as error:
            said += [str(error), repr(error), repr(vars(error))]
    one.groups.delete(ref)
    captured = capfd.readouterr()
    said += [caplog.text, captured.out, captured.err]
    everything = "\n".join(said)
    secrets = [*SECRETS.values(), password, exec_password, one.settings.client_secret]
    for secret in secrets:
        assert secret is not None
        assert secret.reveal() not in everything
    assert "api-version" not in everything, "no query string, and so no signature of an operation"
    assert "Bearer" not in everything
    assert uri.split("?")[0].rsplit("/", 1)[1] not in everything


def test_every_request_is_traced_with_its_id(line, ref: GroupRef) -> None:
    one = line()
    one.control.set_fault("ContainerGroups_Get", status=503)
    mark = one.control.mark()
    one.groups.look(ref)
    looks = [text for text in one.traced if "containerGroups/" in text]
    assert len(looks) == one.calls("ContainerGroups_Get", mark) == 2
    assert all(text.startswith("azure: GET /subscriptions/") and text.endswith(" ms") for text in looks)
    assert " 503 westeurope:" in looks[0] or " 503 - " in looks[0]
    assert any("again in" in text for text in one.traced)


def test_nothing_is_said_where_nobody_listens(line, ref: GroupRef, capfd: pytest.CaptureFixture[str]) -> None:
    one = line(trace=None, client_secret=Secret("wrong"))
    with pytest.raises(ProviderError):
        one.groups.look(ref)
    assert capfd.readouterr() == ("", "")


LAZY = """
import sys
import adapters.azure as azure
groups = azure.AzureGroups(azure.AzureSettings(subscription="s"))
assert groups.identity() == ""
groups.close()
heavy = [name for name in sys.modules if name.split(".")[0] in ("azure", "msal", "requests", "tenacity", "urllib3")]
assert not heavy, heavy
"""

NARROW = """
import sys
import adapters.azure.session, adapters.azure.wait
assert "azure.mgmt.resource" not in sys.modules
assert "azure.mgmt.containerinstance" not in sys.modules
"""


@pytest.mark.parametrize("program", [LAZY, NARROW], ids=["groups", "session"])
def test_imports_wait_until_they_are_needed(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
