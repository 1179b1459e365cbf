"""A container's address and credentials: the address is an argument, secrets come from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from statemachine.errors import OptionError
from statemachine.secret import Secret

SAS: Final = "AZURE_STORAGE_SAS_TOKEN"
CONNECTION: Final = "AZURE_STORAGE_CONNECTION_STRING"
KEY: Final = "AZURE_STORAGE_KEY"
"""The names the Azure CLI gives these."""

_CONTAINER: Final = re.compile(r"(?=.{3,63}\Z)[a-z0-9](?:-?[a-z0-9])*\Z")
LOOPBACK: Final = re.compile(r"localhost\Z|127(?:\.\d{1,3}){3}\Z|::1\Z")
"""Hosts that http is good enough for: nobody else sees what goes there."""
_NUMBERED: Final = re.compile(r"localhost\Z|[\d.]+\Z|.*:.*\Z")
"""Hosts that have the account in the path, as Azurite has."""
_EXPECTED: Final = "expected https://ACCOUNT.blob.core.windows.net/CONTAINER"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A container, and a SAS token or an account key for it; with neither, a token of Entra ID is used."""

    url: str
    account: str
    sas: Secret = Secret("")
    key: Secret = Secret("")


def place(url: str, environ: Mapping[str, str], *, option: str = "--blob") -> Place:
    """The container that an address names, with what the environment has for it.

    Raises OptionError for what is no container's address, or carries a secret: other users can see arguments.
    """

    def wrong(
        what: str, remedy: str = "Give the container's address, as `az storage container show` has it."
    ) -> OptionError:
        return OptionError(option, what, remedy=remedy)

    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise wrong(f"{_shown(url)!r} is not an address, {_EXPECTED}") from None
    if parts.query or parts.fragment or parts.username:
        raise wrong(
            "the address carries a signature or a password, which other users can see in the list of processes",
            f"Put it into {SAS}, and give the address without it.",
        )
    if parts.scheme not in ("https", "http") or not host:
        raise wrong(f"{_shown(url)!r} is not an https address, {_EXPECTED}")
    if parts.scheme == "http" and not LOOPBACK.match(host):
        raise wrong(f"{_shown(url)!r} would send the log in the clear, {_EXPECTED}")
    path = [part for part in parts.path.split("/") if part]
    numbered = bool(_NUMBERED.match(host))
    if len(path) != (2 if numbered else 1) or not _CONTAINER.match(path[-1]):
        raise wrong(f"{_shown(url)!r} is not the address of a container, {_EXPECTED}")
    account = path[0] if numbered else host.partition(".")[0]
    shown = f"[{host}]" if ":" in host else host
    address = f"{parts.scheme}://{shown}{port}/{'/'.join(path)}"
    key = _account_key(environ, account)
    sas = environ.get(SAS, "").lstrip("?")
    if parts.scheme == "http" and not (sas or key):
        raise wrong(f"a token would go to {address} in the clear", f"Set {KEY}, {CONNECTION} or {SAS}.")
    return Place(url=address, account=account, sas=Secret(sas), key=Secret(key))


def _account_key(environ: Mapping[str, str], account: str) -> str:
    """The key that the environment has for an account; empty for none. Raises OptionError for another account's."""
    connection = environ.get(CONNECTION, "")
    if not connection:
        return environ.get(KEY, "")
    fields = dict(field.split("=", 1) for field in connection.split(";") if "=" in field)
    if fields.get("AccountName") != account:
        raise OptionError(
            CONNECTION, f"is not of the account {account}", remedy="Unset it, or set it to that account's."
        )
    return fields.get("AccountKey", "")


def _shown(url: str) -> str:
    """An address without what may be secret in it."""
    return re.sub(r"//[^/@]*@", "//", url.partition("?")[0])[:120]
