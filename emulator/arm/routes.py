# ruff: noqa: E501 - a table reads best with one line an entry; Azure's sentences stay whole
"""The route table: every ARM operation, its permission, its versions, its handler."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.arm import actions, exec_calls, groups, resource_groups, subscription
from emulator.arm.versions import ACI, RESOURCES
from emulator.call import Handler

_SUB = "/subscriptions/{sub}"
_RG = _SUB + "/resourcegroups/{rg}"
_NS = "/providers/microsoft.containerinstance"
_CG = _RG + _NS + "/containergroups/{name}"
_LOC = _SUB + _NS + "/locations/{location}"
_CON = _CG + "/containers/{container}"
_A = "Microsoft.ContainerInstance/"
_R = "Microsoft.Resources/subscriptions/"
_OPS = ("2018-06-01", *ACI)


@dataclass(frozen=True)
class Route:
    """One operation of ARM."""

    operation: str
    method: str
    path: str
    action: str
    versions: tuple[str, ...]
    handler: Handler
    kind: str = "reads"

    @property
    def provider(self) -> bool:
        """Whether it belongs to Microsoft.ContainerInstance (and needs its registration)."""
        return self.action.startswith(_A) and not self.action.startswith(_A + "register")

    @property
    def segments(self) -> tuple[str, ...]:
        """The path, split."""
        return tuple(self.path.strip("/").split("/"))


_W, _D = "writes", "deletes"
ROUTES: tuple[Route, ...] = (
    Route("ContainerGroups_CreateOrUpdate", "PUT", _CG, _A + "containerGroups/write", ACI, groups.put, _W),
    Route("ContainerGroups_Get", "GET", _CG, _A + "containerGroups/read", ACI, groups.get),
    Route("ContainerGroups_Update", "PATCH", _CG, _A + "containerGroups/write", ACI, groups.patch, _W),
    Route("ContainerGroups_Delete", "DELETE", _CG, _A + "containerGroups/delete", ACI, groups.delete, _D),
    Route("ContainerGroups_Start", "POST", _CG + "/start", _A + "containerGroups/start/action", ACI, actions.start, _W),
    Route("ContainerGroups_Stop", "POST", _CG + "/stop", _A + "containerGroups/stop/action", ACI, actions.stop, _W),
    Route("ContainerGroups_Restart", "POST", _CG + "/restart", _A + "containerGroups/restart/action", ACI, actions.restart, _W),
    Route("ContainerGroups_ListByResourceGroup", "GET", _RG + _NS + "/containergroups", _A + "containerGroups/read", ACI, groups.list_in_group),
    Route("ContainerGroups_List", "GET", _SUB + _NS + "/containergroups", _A + "containerGroups/read", ACI, groups.list_all),
    Route("ContainerGroups_GetOutboundNetworkDependenciesEndpoints", "GET", _CG + "/outboundnetworkdependenciesendpoints", _A + "containerGroups/outboundNetworkDependenciesEndpoints/read", ACI, groups.outbound),
    Route("Containers_ExecuteCommand", "POST", _CON + "/exec", _A + "containerGroups/containers/exec/action", ACI, exec_calls.execute, _W),
    Route("Containers_Attach", "POST", _CON + "/attach", _A + "containerGroups/containers/attach/action", ACI, exec_calls.attach, _W),
    Route("Containers_ListLogs", "GET", _CON + "/logs", _A + "containerGroups/containers/logs/read", ACI, exec_calls.logs),
    Route("Operations_Get", "GET", _LOC + "/operations/{id}", _A + "locations/operations/read", _OPS, actions.operation_status),
    Route("Location_ListCapabilities", "GET", _LOC + "/capabilities", _A + "locations/capabilities/read", ACI, subscription.capabilities),
    Route("Location_ListUsage", "GET", _LOC + "/usages", _A + "locations/usages/read", ACI, subscription.usages),
    Route("Location_ListCachedImages", "GET", _LOC + "/cachedimages", _A + "locations/cachedImages/read", ACI, subscription.cached_images),
    Route("ResourceGroups_CreateOrUpdate", "PUT", _RG, _R + "resourceGroups/write", RESOURCES, resource_groups.put, _W),
    Route("ResourceGroups_Get", "GET", _RG, _R + "resourceGroups/read", RESOURCES, resource_groups.get),
    Route("ResourceGroups_CheckExistence", "HEAD", _RG, _R + "resourceGroups/read", RESOURCES, resource_groups.head),
    Route("ResourceGroups_Delete", "DELETE", _RG, _R + "resourceGroups/delete", RESOURCES, resource_groups.delete, _D),
    Route("ResourceGroups_List", "GET", _SUB + "/resourcegroups", _R + "resourceGroups/read", RESOURCES, resource_groups.list_all),
    Route("OperationResults_Get", "GET", _SUB + "/operationresults/{id}", _R + "operationresults/read", RESOURCES, resource_groups.result),
    Route("Subscriptions_Get", "GET", _SUB, _R + "read", RESOURCES, subscription.get),
    Route("Subscriptions_List", "GET", "/subscriptions", _R + "read", RESOURCES, subscription.list_all),
    Route("Subscriptions_ListLocations", "GET", _SUB + "/locations", _R + "locations/read", RESOURCES, subscription.locations),
    Route("Providers_Get", "GET", _SUB + "/providers/{namespace}", _R + "providers/read", RESOURCES, subscription.provider),
    Route("Providers_Register", "POST", _SUB + "/providers/{namespace}/register", _A + "register/action", RESOURCES, subscription.register, _W),
)  # fmt: skip

_BY_LENGTH: dict[int, list[tuple[Route, tuple[str, ...]]]] = {}
for _route in ROUTES:
    _BY_LENGTH.setdefault(len(_route.segments), []).append((_route, _route.segments))


def match(method: str, path: str) -> tuple[Route | None, dict[str, str], bool]:
    """The route, its parameters, and whether the path is known with another method."""
    given = path.strip("/").split("/")
    known = False
    for route, segments in _BY_LENGTH.get(len(given), ()):
        params = _params(segments, given)
        if params is None:
            continue
        if route.method == method:
            return route, params, True
        known = True
    return None, {}, known


def _params(segments: tuple[str, ...], given: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for pattern, value in zip(segments, given, strict=True):
        if pattern.startswith("{"):
            if not value:
                return None
            params[pattern[1:-1]] = value
        elif pattern != value.lower():
            return None
    return params
