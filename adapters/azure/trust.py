"""Which certificates are trusted on the way to Azure, and whether a configured proxy's address is valid."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from statemachine.errors import OptionError

VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""In this order. requests reads the first two by itself, but not SSL_CERT_FILE, which OpenSSL reads."""


def trusted(environ: Mapping[str, str] | None = None) -> bool | str:
    """The CA bundle the environment names, or True for the one that comes with requests."""
    values = os.environ if environ is None else environ
    for variable in VARIABLES:
        if path := values.get(variable, ""):
            if problem := _problem_with(Path(path)):
                raise OptionError(
                    variable, f"{path[:80]!r} {problem}", remedy="Name a file of PEM certificates, or unset it."
                )
            return path
    return True


def _problem_with(bundle: Path) -> str:
    """What is wrong with a CA bundle, to end a sentence; empty if nothing is. A folder of certificates is one."""
    try:
        if bundle.is_dir() or b"-----BEGIN " in bundle.read_bytes():
            return ""
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "holds no certificate"


PROXIES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def check_proxies(environ: Mapping[str, str] | None = None) -> None:
    """Raise OptionError for a proxy's address that is none.

    The libraries below us would quote it in their errors, and there may be a password in it.
    """
    values = os.environ if environ is None else environ
    for variable in PROXIES:
        address = values.get(variable, "")
        try:
            parts = urlsplit(address if "://" in address else f"//{address}")
            # A character of a password that ought to be escaped makes a path of its rest.
            fine = (
                bool(parts.hostname)
                and parts.port != 0
                and not (parts.path.strip("/") or parts.query or parts.fragment)
            )
        except ValueError:
            fine = False
        if address and not fine:
            raise OptionError(
                variable,
                "is not the address of a proxy",
                remedy="Write it as http://host:port or http://name:password@host:port, with %40 for an @ in it.",
            ) from None
