"""Access tokens: real JWTs, signed and verified here."""

from __future__ import annotations

import base64
import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from emulator.settings import Principal, Settings

# Audiences ARM takes, in the forms clients ask for them.
ARM_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
OTHER_AUDIENCES = (
    "https://storage.azure.com",
    "https://vault.azure.net",
    "https://graph.microsoft.com",
    "https://containerregistry.azure.net",
)


class TokenError(Exception):
    """A token that is not accepted; the text says why, as ARM would."""


@dataclass(frozen=True)
class Caller:
    """Who a verified token speaks for."""

    client_id: str
    object_id: str


class Tokens:
    """Mints and verifies. One key for the life of the emulator."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._kid = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._valid: set[str] = set()  # what makes each token unique (its claim uti)

    def mint(self, principal: Principal, audience: str, issuer: str) -> dict[str, Any]:
        """An access token and how long it lasts, as both token endpoints need it."""
        now, unique = int(time.time()), uuid.uuid4().hex[:22]
        self._valid.add(unique)
        lifetime = self._settings.control.token_lifetime
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": issuer,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "aio": "E2ZgYLhx8/SjR4gemwnfGXp9hQ8A",
            "appid": principal.client_id,
            "appidacr": "2" if principal.managed else "1",
            "idp": issuer,
            "idtyp": "app",
            "oid": principal.object_id or principal.client_id,
            "sub": principal.object_id or principal.client_id,
            "tid": self._settings.tenant_id,
            "uti": unique,
            "ver": "1.0",
            "xms_tcdt": 1289241547,
        }
        token = jwt.encode(claims, self._key, "RS256", {"kid": self._kid, "x5t": self._kid})
        return {"token": token, "expires_in": lifetime, "expires_on": now + lifetime, "now": now}

    def verify(self, token: str, audiences: tuple[str, ...]) -> Caller:
        """Check signature, times and audience of a bearer token; raises ``TokenError``."""
        try:
            claims = jwt.decode(
                token,
                self._key.public_key(),
                ["RS256"],
                audience=[form for a in audiences for form in (a, a + "/")],
                options={"require": ["exp", "aud", "tid", "oid"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenError("The access token expiry UTC time is earlier than current UTC time.") from None
        except jwt.InvalidAudienceError:
            raise TokenError("The access token has been obtained for wrong audience or resource.") from None
        except jwt.PyJWTError:
            raise TokenError("The access token is invalid.") from None
        if claims["tid"] != self._settings.tenant_id:
            raise TokenError("The access token is from the wrong issuer.")
        if claims["uti"] not in self._valid:
            raise TokenError("The access token has been revoked.")
        return Caller(claims["appid"], claims["oid"])

    def revoke(self) -> None:
        """Accept none of the tokens minted so far any more."""
        self._valid.clear()

    def public_keys(self) -> dict[str, Any]:
        """The key set an OpenID client may fetch."""
        numbers = self._key.public_key().public_numbers()

        def text(value: int) -> str:
            data = value.to_bytes((value.bit_length() + 7) // 8, "big")
            return base64.urlsafe_b64encode(data).decode().rstrip("=")

        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._kid, "n": text(numbers.n), "e": text(numbers.e)}
        return {"keys": [key]}
