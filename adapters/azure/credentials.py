"""Credentials: one named method, chosen by the settings, and one line that says why it did not work.

azure-identity's DefaultAzureCredential tries a dozen methods and reports a dozen failures; users of other
providers could not tell which one was meant (loft-sh/devpod#1502).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from adapters.azure.budget import within
from adapters.azure.claims import identity_of
from adapters.azure.errors import error_for
from adapters.azure.fault import Kind, fault_of
from adapters.azure.retry import IMDS
from adapters.azure.settings import METHODS, AzureSettings
from adapters.azure.transport import TokenTransport
from statemachine.errors import AuthenticationError, CredentialsError, OptionError, bounded
from statemachine.secret import scrub

if TYPE_CHECKING:
    from azure.core.credentials import AccessTokenInfo, TokenRequestOptions

WORDS: Final = {
    "cli": "Azure CLI",
    "service-principal": "service principal",
    "managed-identity": "managed identity",
}

KNOWN_AUTHORITIES: Final = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
        "login.windows.net",
        "login.microsoft.com",
        "sts.windows.net",
    }
)
"""For any other authority Entra ID's public instance discovery cannot vouch, and must not be asked."""

CLI_TIMEOUT: Final = 60
"""Seconds; the CLI is a Python program too, and on a cold disk it needs more than the SDK's 10."""

REFRESH: Final = 300
"""A token is renewed when it has less than this many seconds to live."""

REMEDIES: Final = {
    "AADSTS7000215": "Check AZURE_CLIENT_SECRET: it must be the secret's value, not its id.",
    "AADSTS7000222": "The client secret has expired: create a new one and set AZURE_CLIENT_SECRET.",
    "AADSTS700016": "Check AZURE_CLIENT_ID and AZURE_TENANT_ID: the tenant does not know that application.",
    "AADSTS90002": "Check AZURE_TENANT_ID: there is no such tenant.",
    "AADSTS900023": "Check AZURE_TENANT_ID: it is neither a GUID nor a domain name.",
    "AADSTS700082": "Run `az login` again: the sign-in has expired.",
    "AADSTS50173": "Run `az login` again: the sign-in has expired.",
    "AADSTS50076": "Run `az login` again: Entra ID asks for multi-factor authentication.",
    "AADSTS50079": "Run `az login` again: Entra ID asks for multi-factor authentication.",
}
"""Entra ID's error codes with a remedy of their own (learn.microsoft.com, "Microsoft Entra error codes")."""


def choose(settings: AzureSettings, environ: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The method to use, and why it was chosen. Raises CredentialsError where settings contradict each other."""
    values = os.environ if environ is None else environ
    if settings.auth not in METHODS:
        raise OptionError("AZURE_AUTH_MODE", f"{settings.auth!r} is not one of {', '.join(METHODS)}")
    missing = [
        name
        for name, value in (
            ("AZURE_TENANT_ID", settings.tenant),
            ("AZURE_CLIENT_ID", settings.client_id),
            ("AZURE_CLIENT_SECRET", settings.client_secret),
        )
        if not value
    ]
    if settings.auth == "service-principal" or (settings.auth == "auto" and settings.client_secret):
        if missing:
            raise CredentialsError(f"no credentials: tried service principal: {' and '.join(missing)} not set")
        return "service-principal", "tenant, client id and secret are set"
    if settings.auth != "auto":
        return settings.auth, "asked for"
    if settings.identity_client_id:
        return "managed-identity", "an identity's client id is set"
    for variable in ("IDENTITY_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST"):
        if values.get(variable):
            return "managed-identity", f"{variable} is set"
    return "cli", f"no service principal ({' and '.join(missing)} not set) and no managed identity chosen"


class Credential:
    """What azure-core asks for tokens; keeps them for this process and remembers whose they are."""

    def __init__(self, settings: AzureSettings, *, verify: bool | str) -> None:
        self._settings = settings
        self._method, self._why = choose(settings)
        self._transport = TokenTransport(
            verify=verify,
            trace=settings.trace,
            rules=IMDS if self._method == "managed-identity" else (),
            say=settings.say,
        )
        self._source: Any = None
        self._tokens: dict[tuple[str, ...], AccessTokenInfo] = {}
        self.identity = ""

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """A token for these scopes. Raises CredentialsError, AuthenticationError, UnavailableError."""
        claims = (options or {}).get("claims")
        known = self._tokens.get(scopes)
        if known and not claims and known.expires_on - time.time() > REFRESH:
            return known
        begun = time.monotonic()
        try:
            with within(self._settings.retry_deadline):
                self._source = self._source or self._build()
                token: AccessTokenInfo = self._source.get_token_info(*scopes, options=options or {})
        except Exception as error:
            raise self._explain(error) from error
        self._transport.note(f"token by {WORDS[self._method]} in {(time.monotonic() - begun) * 1000:.0f} ms")
        self._tokens[scopes] = token
        self.identity = identity_of(token.token) or self.identity
        return token

    def get_token(self, *scopes: str, claims: str | None = None, **_: Any) -> Any:
        """The older of azure-core's two token interfaces."""
        from azure.core.credentials import AccessToken

        info = self.get_token_info(*scopes, options={"claims": claims} if claims else {})
        return AccessToken(info.token, info.expires_on)

    def forget(self) -> None:
        """Drop the tokens, and the source that remembers them too: Azure did not accept one."""
        self._tokens.clear()
        self._source = None

    def close(self) -> None:
        """Close connections."""
        self._transport.close()

    def _build(self) -> Any:
        from azure import identity

        settings = self._settings
        if self._method == "cli":
            # az refuses a tenant and a subscription together; either picks the right sign-in.
            if settings.tenant:
                return identity.AzureCliCredential(process_timeout=CLI_TIMEOUT, tenant_id=settings.tenant)
            return identity.AzureCliCredential(process_timeout=CLI_TIMEOUT, subscription=settings.subscription)
        if self._method == "managed-identity":
            return identity.ManagedIdentityCredential(
                client_id=settings.identity_client_id or None, transport=self._transport, retry_total=0
            )
        return identity.ClientSecretCredential(
            settings.tenant,
            settings.client_id,
            settings.client_secret.reveal() if settings.client_secret else "",
            authority=settings.authority,
            disable_instance_discovery=urlsplit(settings.authority).hostname not in KNOWN_AUTHORITIES,
            transport=self._transport,
            retry_total=0,
        )

    def _explain(self, error: Exception) -> Exception:
        """One line: what was tried, and why it failed."""
        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import CredentialUnavailableError

        fault = fault_of(error)
        secrets = (self._settings.client_secret,) if self._settings.client_secret else ()
        # The answer's own words, without what the SDK says around them.
        words = fault.message if fault.kind is Kind.ANSWERED else getattr(error, "message", "")
        said = bounded(scrub(str(words or error), *secrets), 400)
        said = said.removeprefix("Authentication failed: ")
        tried = WORDS[self._method]
        if isinstance(error, CredentialUnavailableError):
            return CredentialsError(f"no credentials: tried {tried}: {said} ({self._why})", **_kept(self._method))
        unanswered = fault.kind in (Kind.UNREACHED, Kind.LOST, Kind.UNTRUSTED) and self._method != "managed-identity"
        passing = fault.kind is Kind.ANSWERED and (fault.status == 429 or fault.status >= 500)
        if unanswered or passing:
            return error_for(fault, "get a token", urlsplit(self._settings.authority).hostname or "")
        if isinstance(error, ClientAuthenticationError) or fault.kind is Kind.ANSWERED:
            found = re.search(r"AADSTS\d+", f"{said} {fault.message}")
            code = found[0] if found else fault.code
            said = re.split(r"\s*(?:Trace ID:|Correlation ID:|Timestamp:)", said)[0]
            return AuthenticationError(
                f"Entra ID refused the {tried}: {said}",
                code=code,
                http_status=fault.status,
                request_id=fault.request_id,
                remedy=REMEDIES.get(code, _remedy(self._method)),
            )
        return CredentialsError(f"no credentials: tried {tried}: {said}", **_kept(self._method))


def _remedy(method: str) -> str | None:
    return {
        "cli": "Run `az login` again.",
        "managed-identity": "Check that the identity is assigned to this machine.",
    }.get(method)


def _kept(method: str) -> dict[str, Any]:
    """The class's own remedy serves the CLI and the service principal; a managed identity needs another."""
    if method == "managed-identity":
        return {"remedy": "Run this on an Azure machine that has the identity, or choose another way to sign in."}
    return {}
