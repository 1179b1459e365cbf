"""Azurite for whoever asks for a container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.adapters.ship import azurite

_numbers = count()


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a storage account."""
    start = azurite.installed()
    if isinstance(start, str):
        if os.environ.get("CI"):
            pytest.fail(start)
        pytest.skip(start)
    with azurite.running(start, tmp_path_factory.mktemp("azurite") / "log") as address:
        yield address


@pytest.fixture
def container(account: str) -> str:
    """The address of an empty container of its own."""
    from azure.storage.blob import ContainerClient

    url = f"{account}/logs-{next(_numbers)}"
    credential = {"account_name": azurite.ACCOUNT, "account_key": azurite.KEY}
    with ContainerClient.from_container_url(url, credential=credential) as client:
        client.create_container()
    return url


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of whoever runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith(("AZURE_", "OTEL_", "ACI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ACI_EVENT_LOG", str(tmp_path / "state" / "events.jsonl"))
