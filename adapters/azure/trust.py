"""Which certificates are trusted: one answer for tokens, Resource Manager and anything else over TLS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from statemachine.errors import OptionError

VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""In this order. requests reads the first two by itself, but not SSL_CERT_FILE, which OpenSSL reads."""


def trusted(environ: Mapping[str, str] | None = None) -> bool | str:
    """The CA bundle the environment names, or True for the one that comes with requests."""
    values = os.environ if environ is None else environ
    for variable in VARIABLES:
        if path := values.get(variable, ""):
            if not Path(path).exists():
                raise OptionError(
                    variable, f"{path!r} does not exist", remedy="Name a file of PEM certificates, or unset it."
                )
            return path
    return True
