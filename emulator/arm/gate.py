# ruff: noqa: E501 - a table reads best with one line an entry; Azure's sentences stay whole
"""What ARM checks before a resource provider sees a request, and the headers it adds."""

from __future__ import annotations

import fnmatch
import uuid
from typing import Any

from aiohttp import web

from emulator.arm.errors import ArmError, arm_error
from emulator.arm.routes import Route
from emulator.call import Call
from emulator.settings import Principal
from emulator.tokens import ARM_AUDIENCES, TokenError

JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"
ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"


def authenticate(call: Call) -> None:
    """A bearer token of ours for ARM, or 401 with a challenge."""
    tenant = call.emulator.settings.tenant_id
    authority = f"{call.base}/{tenant}"
    header = call.request.headers.get("Authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="The authentication failed because of missing \'Authorization\' header."'
        raise arm_error("AuthenticationFailed", headers={"WWW-Authenticate": challenge})
    try:
        call.caller = call.emulator.tokens.verify(token.strip(), (*ARM_AUDIENCES, call.base))
    except TokenError as problem:
        challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{problem}"'
        raise arm_error("InvalidAuthenticationToken", text=problem, headers={"WWW-Authenticate": challenge}) from None


def check_version(call: Call, route: Route) -> None:
    """``api-version`` must be there and known."""
    version = call.version = call.request.query.get("api-version", "")
    if not version:
        raise arm_error("MissingApiVersionParameter")
    if version in route.versions:
        return
    versions = ", ".join(route.versions)
    if not route.provider:
        raise arm_error("InvalidApiVersionParameter", version=version, versions=versions.replace(" ", ""))
    raise arm_error(
        "NoRegisteredProviderFound",
        headers={"x-ms-failure-cause": "gateway"},
        location=call.params.get("location", ""),
        version=version,
        type="containerGroups",
        versions=versions,
        locations=", ".join(call.emulator.settings.limits.locations),
    )


def principal(call: Call) -> Principal | None:
    """The caller, as configured."""
    found = (p for p in call.emulator.settings.principals if p.client_id == call.caller.client_id)
    return next(found, None)


def _may(who: Principal | None, action: str) -> bool:
    def any_of(patterns: list[str]) -> bool:
        return any(fnmatch.fnmatchcase(action.lower(), p.lower()) for p in patterns)

    return who is not None and any_of(who.allowed) and not any_of(who.denied)


def _scope(call: Call) -> str:
    path = call.request.path
    known = call.params
    if "name" in known:
        return (
            f"/subscriptions/{known['sub']}/resourceGroups/{known['rg']}/providers"
            f"/Microsoft.ContainerInstance/containerGroups/{known['name']}"
        )
    return path


def authorize(call: Call, route: Route) -> None:
    """The caller's role must hold the action, and those on linked resources."""
    who = principal(call)
    client, oid = call.caller.client_id, call.caller.object_id
    if not _may(who, route.action):
        raise arm_error("AuthorizationFailed", action=route.action, scope=_scope(call), client=client, oid=oid)
    if route.operation != "ContainerGroups_CreateOrUpdate":
        return
    for action, target in _linked(call.json()):
        if not _may(who, action):
            raise arm_error(
                "LinkedAuthorizationFailed",
                action=route.action,
                scope=_scope(call),
                linked=action,
                target=target,
                client=client,
                oid=oid,
            )


def _linked(body: dict[str, Any]) -> list[tuple[str, str]]:
    properties = body.get("properties")
    subnets = (properties.get("subnetIds") or []) if isinstance(properties, dict) else []
    identity = body.get("identity") or {}
    identities = identity.get("userAssignedIdentities") if isinstance(identity, dict) else None
    linked = [(JOIN, str(s.get("id"))) for s in subnets if isinstance(s, dict)]
    return linked + [(ASSIGN, str(name)) for name in identities or {}]


def check_scope(call: Call, route: Route) -> None:
    """Subscription, provider registration and resource group must exist."""
    emulator, params = call.emulator, call.params
    sub = params.get("sub", emulator.settings.subscription_id)
    if sub.lower() != emulator.settings.subscription_id.lower():
        raise arm_error("SubscriptionNotFound", sub=sub)
    if route.provider and emulator.registration != "Registered":
        raise arm_error("MissingSubscriptionRegistration")
    if not route.provider or "rg" not in params:
        return
    group = emulator.store.resource_group(sub, params["rg"])
    if group is None:
        raise arm_error("ResourceGroupNotFound", rg=params["rg"])
    if group.deleting and route.method == "PUT":
        raise arm_error("ResourceGroupBeingDeleted", rg=group.name)


def unknown(call: Call, *, known_path: bool) -> ArmError:
    """The answer to a path or method nobody serves."""
    if known_path:
        return arm_error("HttpMethodNotAllowed", method=call.request.method)
    parts = call.request.path.strip("/").split("/")
    lowered = [part.lower() for part in parts]
    namespace = ""
    if "providers" in lowered:
        index = len(lowered) - 1 - lowered[::-1].index("providers")
        namespace = parts[index + 1] if index + 1 < len(parts) else ""
    if namespace.lower() not in ("microsoft.containerinstance", "microsoft.resources", ""):
        return arm_error("InvalidResourceNamespace", namespace=namespace)
    return arm_error("InvalidResourceType", namespace=namespace, version=call.request.query.get("api-version", ""))


def decorate(call: Call, response: web.StreamResponse, kind: str) -> None:
    """Request ids and throttle headers on every answer."""
    region = call.emulator.settings.region.upper()
    headers = response.headers
    correlation = call.request.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4())
    headers["x-ms-request-id"] = f"{region.lower()}:{call.request_id}"
    headers["x-ms-correlation-request-id"] = correlation
    headers["x-ms-routing-request-id"] = f"{region}:EMULATOR:{uuid.uuid4()}"
    headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    headers["Cache-Control"] = "no-cache"
    client_id = call.request.headers.get("x-ms-client-request-id")
    if client_id and call.request.headers.get("x-ms-return-client-request-id", "").lower() == "true":
        headers["x-ms-client-request-id"] = client_id
    headers.update(call.emulator.throttle.arm_headers(kind))
    headers.update(call.headers)
