"""The container's address, and what lets us in."""

from __future__ import annotations

import pytest

from adapters.ship.place import CONNECTION, KEY, SAS, place
from statemachine.errors import OptionError

GOOD = "https://acct.blob.core.windows.net/logs"


@pytest.mark.parametrize(
    ("url", "address", "account"),
    [
        (GOOD, GOOD, "acct"),
        (f" {GOOD}/ ", GOOD, "acct"),
        ("https://acct.blob.core.usgovcloudapi.net/l-1", "https://acct.blob.core.usgovcloudapi.net/l-1", "acct"),
        ("http://127.0.0.1:10000/dev/logs", "http://127.0.0.1:10000/dev/logs", "dev"),
        ("http://localhost:10000/dev/logs", "http://localhost:10000/dev/logs", "dev"),
        ("http://[::1]:10000/dev/logs", "http://[::1]:10000/dev/logs", "dev"),
    ],
)
def test_addresses(url: str, address: str, account: str) -> None:
    found = place(url, {KEY: "a2V5"})
    assert (found.url, found.account, found.key.reveal(), bool(found.sas)) == (address, account, "a2V5", False)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "not an https address"),
        ("logs", "not an https address"),
        ("/var/logs", "not an https address"),
        ("s3://bucket/logs", "not an https address"),
        ("https://acct.blob.core.windows.net", "not the address of a container"),
        (f"{GOOD}/blob.jsonl", "not the address of a container"),
        ("https://acct.blob.core.windows.net/Logs", "not the address of a container"),
        ("https://acct.blob.core.windows.net/lo--gs", "not the address of a container"),
        ("https://acct.blob.core.windows.net/lo", "not the address of a container"),
        ("http://127.0.0.1:10000/logs", "not the address of a container"),
        ("http://acct.blob.core.windows.net/logs", "in the clear"),
        (f"{GOOD}?sv=1&sig=geheim", "carries a signature"),
        ("https://me:geheim@acct.blob.core.windows.net/logs", "carries a signature"),
        ("https://acct.blob.core.windows.net:port/logs", "is not an address"),
        ("https://[::1/logs", "is not an address"),
    ],
)
def test_what_is_no_container(url: str, words: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        place(url, {})
    assert "geheim" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_secrets_come_from_the_environment() -> None:
    found = place(GOOD, {SAS: "?sig=geheim", CONNECTION: "AccountName=acct;AccountKey=ab==;EndpointSuffix=x"})
    assert (found.sas.reveal(), found.key.reveal()) == ("sig=geheim", "ab==")
    assert "geheim" not in repr(found)
    assert "ab==" not in repr(found)
    with pytest.raises(OptionError, match="not of the account acct"):
        place(GOOD, {CONNECTION: "AccountName=other;AccountKey=ab=="})
    with pytest.raises(OptionError, match="token would go to"):
        place("http://127.0.0.1:10000/dev/logs", {})
