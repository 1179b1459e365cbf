# ruff: noqa: E501 - a table reads best with one line an entry; Azure's sentences stay whole
"""Entra ID: tokens for service principals, and what clients ask before they want one."""

from __future__ import annotations

import hmac
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from emulator.call import Call, Handler, reply
from emulator.clock import now
from emulator.settings import Principal
from emulator.tokens import ARM_AUDIENCES, OTHER_AUDIENCES

# error, number, HTTP status, text: as Entra words them.
PROBLEMS: dict[str, tuple[str, int, int, str]] = {
    "secret": (
        "invalid_client",
        7000215,
        401,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'.",
    ),
    "client": (
        "unauthorized_client",
        700016,
        400,
        "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
    ),
    "tenant": (
        "invalid_request",
        90002,
        400,
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
    ),
    "resource": (
        "invalid_resource",
        500011,
        400,
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.",
    ),
    "scope": (
        "invalid_scope",
        1002012,
        400,
        "The provided value for scope {resource} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).",
    ),
    "grant": ("unsupported_grant_type", 70003, 400, "The app requested an unsupported grant type '{grant}'."),
    "no_secret": (
        "invalid_client",
        7000216,
        401,
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    ),
    "no_client": (
        "invalid_request",
        900144,
        400,
        "The request body must contain the following parameter: 'client_id'.",
    ),
}


def _problem(call: Call, name: str, **fields: str) -> web.Response:
    error, number, status, text = PROBLEMS[name]
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    moment = now().strftime("%Y-%m-%d %H:%M:%SZ")
    call.entry.code = f"AADSTS{number}"
    description = (
        f"AADSTS{number}: {text.format(**fields)} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {moment}"
    )
    return reply(
        {
            "error": error,
            "error_description": description,
            "error_codes": [number],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{call.base}/error?code={number}",
        },
        status,
    )


def issuer(call: Call) -> str:
    """The issuer of this tenant's tokens."""
    return f"{call.base}/{call.emulator.settings.tenant_id}/v2.0"


def audience(call: Call, resource: str) -> str | None:
    """The audience a resource stands for, or None when the tenant does not know it."""
    plain = resource.rstrip("/")
    # The metadata endpoint has a port of its own, so ARM's address there is not the one the client used.
    ours = urlsplit(plain).scheme == "https" and urlsplit(plain).hostname == call.emulator.settings.host
    return plain if ours or plain in (*ARM_AUDIENCES, *OTHER_AUDIENCES, call.base) else None


async def token(call: Call) -> web.StreamResponse:
    """POST /{tenant}/oauth2/v2.0/token and its v1 form."""
    settings = call.emulator.settings
    tenant = call.params["tenant"]
    form = {k: v[0] for k, v in parse_qs(call.body.decode(errors="replace")).items()}
    if tenant.lower() != settings.tenant_id.lower():
        return _problem(call, "tenant", tenant=tenant)
    if form.get("grant_type") != "client_credentials":
        return _problem(call, "grant", grant=form.get("grant_type", ""))
    client = form.get("client_id", "")
    if not client:
        return _problem(call, "no_client")
    principal = _principal(settings.principals, client)
    if principal is None:
        return _problem(call, "client", client=client, tenant=tenant)
    secret = form.get("client_secret", "")
    if not secret:
        return _problem(call, "no_secret")
    if not hmac.compare_digest(secret.encode(), principal.secret.encode()):
        return _problem(call, "secret", client=client)
    scope = form.get("scope", "").split(" ")[0]
    if "resource" in form:
        wanted = form["resource"]
    elif scope.endswith("/.default"):
        wanted = scope.removesuffix("/.default")
    else:
        return _problem(call, "scope", resource=scope)
    target = audience(call, wanted)
    if target is None:
        return _problem(call, "resource", resource=wanted, tenant=tenant)
    minted = call.emulator.tokens.mint(principal, target, issuer(call))
    lasts = minted["expires_in"]
    return reply(
        {"token_type": "Bearer", "expires_in": lasts, "ext_expires_in": lasts, "access_token": minted["token"]}
    )


def _principal(principals: list[Principal], client: str) -> Principal | None:
    found = (p for p in principals if p.client_id.lower() == client.lower() and not p.managed)
    return next(found, None)


async def openid(call: Call) -> web.StreamResponse:
    """The tenant's OpenID configuration."""
    tenant = call.params["tenant"]
    known = (call.emulator.settings.tenant_id.lower(), "common", "organizations")
    if tenant.lower() not in known:
        return _problem(call, "tenant", tenant=tenant)
    root = f"{call.base}/{tenant}"
    document: dict[str, Any] = {
        "token_endpoint": f"{root}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "jwks_uri": f"{root}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{root}/v2.0",
        "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
        "end_session_endpoint": f"{root}/oauth2/v2.0/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "ver"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
    }
    return reply(document)


async def discovery(call: Call) -> web.StreamResponse:
    """Instance discovery: this host is an authority of its own."""
    host = call.request.host
    return reply(
        {
            "tenant_discovery_endpoint": f"{call.base}/{call.emulator.settings.tenant_id}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }
    )


async def keys(call: Call) -> web.StreamResponse:
    """The key set tokens are signed with."""
    return reply(call.emulator.tokens.public_keys())


async def imds(call: Call) -> web.StreamResponse:
    """GET /metadata/identity/oauth2/token: a managed identity's token, over plain HTTP."""
    request = call.request
    if request.headers.get("Metadata", "").lower() != "true":
        return reply({"error": "invalid_request", "error_description": "Required metadata header not specified"}, 400)
    query = request.query
    if not query.get("api-version") or not query.get("resource"):
        return reply(
            {"error": "invalid_request", "error_description": "Required query variable 'resource' is missing"}, 400
        )
    managed = [p for p in call.emulator.settings.principals if p.managed]
    wanted = query.get("client_id") or query.get("object_id") or query.get("msi_res_id")
    if wanted:
        managed = [p for p in managed if wanted.lower() in (p.client_id.lower(), p.object_id.lower(), p.name.lower())]
    if not managed:
        return reply({"error": "invalid_request", "error_description": "Identity not found"}, 400)
    target = audience(call, query["resource"])
    if target is None:
        return reply({"error": "invalid_resource", "error_description": "AADSTS500011"}, 400)
    minted = call.emulator.tokens.mint(managed[0], target, issuer(call))
    return reply(
        {
            "access_token": minted["token"],
            "client_id": managed[0].client_id,
            "expires_in": str(minted["expires_in"]),
            "expires_on": str(minted["expires_on"]),
            "ext_expires_in": str(minted["expires_in"]),
            "not_before": str(minted["now"]),
            "resource": query["resource"],
            "token_type": "Bearer",
        }
    )


_WELL_KNOWN = (".well-known", "openid-configuration")


def match(method: str, path: str) -> tuple[str, Handler, dict[str, str]] | None:
    """The operation a path of Entra's names, if any."""
    parts = path.strip("/").split("/")
    tenant = {"tenant": parts[0]}
    rest = tuple(part.lower() for part in parts[1:])
    if method == "POST" and rest in (("oauth2", "v2.0", "token"), ("oauth2", "token")):
        return "Entra_Token", token, tenant
    if method != "GET":
        return None
    if rest in (("v2.0", *_WELL_KNOWN), _WELL_KNOWN):
        return "Entra_OpenId", openid, tenant
    if rest == ("discovery", "instance"):
        return "Entra_Discovery", discovery, {}
    if rest in (("discovery", "v2.0", "keys"), ("discovery", "keys")):
        return "Entra_Keys", keys, tenant
    return None
