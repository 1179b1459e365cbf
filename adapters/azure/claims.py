"""Who a token says it is: read for the log, never to decide anything (the signature is Azure's to check)."""

from __future__ import annotations

import base64
import json
from typing import Final

USER_CLAIMS: Final = ("upn", "preferred_username", "unique_name", "email")
APP_CLAIMS: Final = ("appid", "azp")


def identity_of(token: str) -> str:
    """``user:<name>``, ``app:<application id>`` or ``object:<id>`` from a JWT's claims; empty for anything else."""
    claims = read_claims(token)
    names = [f"user:{claims[name]}" for name in USER_CLAIMS if claims.get(name)]
    apps = [f"app:{claims[name]}" for name in APP_CLAIMS if claims.get(name)]
    objects = [f"object:{claims['oid']}"] if claims.get("oid") else []
    if claims.get("idtyp") == "app":
        names = []
    return next(iter((*names, *apps, *objects)), "")


def read_claims(token: str) -> dict[str, str]:
    """The text claims of a JWT, or none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(payload, dict):
        return {}
    return {name: value for name, value in payload.items() if isinstance(value, str)}
