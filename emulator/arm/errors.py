# ruff: noqa: E501 - a table reads best with one line an entry; Azure's sentences stay whole
"""ARM errors: one table of code, status and message."""

from __future__ import annotations

from typing import Any

from aiohttp import web

# Codes and texts as recorded or reported; what is a guess is listed in docs/emulator.md.
TABLE: dict[str, tuple[int, str]] = {
    "InvalidAuthenticationToken": (401, "{text}"),
    "AuthenticationFailed": (401, "Authentication failed. The 'Authorization' header is missing."),
    "AuthorizationFailed": (403, "The client '{client}' with object id '{oid}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."),
    "LinkedAuthorizationFailed": (403, "The client '{client}' with object id '{oid}' has permission to perform action '{action}' on scope '{scope}'; however, it does not have permission to perform action(s) '{linked}' on the linked scope(s) '{target}' (respectively) or the linked scope(s) are invalid."),
    "MissingApiVersionParameter": (400, "The api-version query parameter (?api-version=) is required for all requests."),
    "InvalidApiVersionParameter": (400, "The api-version '{version}' is invalid. The supported versions are '{versions}'."),
    "NoRegisteredProviderFound": (400, "No registered resource provider found for location '{location}' and API version '{version}' for type '{type}'. The supported api-versions are '{versions}'. The supported locations are '{locations}'."),
    "LocationNotAvailableForResourceType": (400, "The provided location '{location}' is not available for resource type 'Microsoft.ContainerInstance/containerGroups'. List of available regions for the resource type is '{locations}'."),
    "MissingSubscriptionRegistration": (409, "The subscription is not registered to use namespace 'Microsoft.ContainerInstance'. See https://aka.ms/rps-not-found for how to register subscriptions."),
    "SubscriptionNotFound": (404, "The subscription '{sub}' could not be found."),
    "InvalidResourceNamespace": (404, "The resource namespace '{namespace}' is invalid."),
    "InvalidResourceType": (404, "The resource type could not be found in the namespace '{namespace}' for api version '{version}'."),
    "HttpMethodNotAllowed": (405, "The requested resource does not support http method '{method}'."),
    "ResourceGroupNotFound": (404, "Resource group '{rg}' could not be found."),
    "ResourceGroupBeingDeleted": (409, "The resource group '{rg}' is in deprovisioning state and cannot perform this operation."),
    "InvalidResourceGroupLocation": (409, "Invalid resource group location '{wanted}'. The Resource group already exists in location '{location}'."),
    "LocationRequired": (400, "The location property is required for this definition."),
    "ResourceNotFound": (404, "The Resource 'Microsoft.ContainerInstance/containerGroups/{name}' under resource group '{rg}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"),
    "ContainerNotFound": (404, "The container '{container}' does not exist in container group '{name}'."),
    "OperationNotFound": (404, "The operation '{id}' was not found."),
    "ContainerGroupTransitioning": (409, "The container group '{name}' is still transitioning, please retry later."),
    "ContainerGroupDeploymentNotReady": (409, "The container group '{name}' is not ready. Please retry later."),
    "ContainerGroupStopped": (409, "The container group '{name}' is in a stopped state. Start it before this operation."),
    "TooManyExecSessions": (409, "The container '{container}' in container group '{name}' already has {cap} exec sessions."),
    "InvalidRequestContent": (400, "The request content was invalid and could not be deserialized: '{text}'."),
    "InvalidOsType": (400, "The OS type '{value}' in container group '{name}' is invalid. Only 'Linux' and 'Windows' are supported."),
    "InvalidName": (400, "The {what} name '{value}' is invalid. {rule}"),
    "ResourceRequestsNotSpecified": (400, "The resource requests are not specified for container '{container}' in container group '{name}'."),
    "InvalidContainerResource": (400, "The resource request '{what}' of '{value}' for container '{container}' in container group '{name}' is invalid. {rule}"),
    "ResourceLimitsLessThanRequests": (400, "The resource limits for container '{container}' in container group '{name}' are less than its requests."),
    "ContainerLimitGreaterThanContainerGroupTotalRequest": (400, "The resource limit of container '{container}' in container group '{name}' is greater than the total request of the container group."),
    "ContainerGroupResourcesOverLimit": (400, "The requested resources of '{cpu}' CPU and '{memory}' GB memory for container group '{name}' exceed the maximum of '{max_cpu}' CPU and '{max_memory}' GB in region '{location}'."),
    "ContainerGroupQuotaReached": (400, "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota '{quota}' exceeded in region '{location}'. Limit: '{limit}', Usage: '{usage}' Requested: '{requested}'."),
    "InvalidImageName": (400, "The image name of container '{container}' in container group '{name}' is missing or invalid."),
    "InaccessibleImage": (400, "The image '{image}' in container group '{name}' is not accessible. Please check the image and registry credential."),
    "ImageOsTypeNotMatchContainerGroup": (400, "The OS type or architecture of image '{image}' does not match the OS type '{os}' of container group '{name}'."),
    "InvalidImageRegistryIdentity": (400, "The identity '{identity}' cannot pull image '{image}' in container group '{name}'."),
    "InvalidRestartPolicy": (400, "The restart policy '{value}' in container group '{name}' is invalid."),
    "InvalidIPAddressType": (400, "The IP address type '{value}' in container group '{name}' is invalid."),
    "InvalidPort": (400, "The port '{port}' in the 'ipAddress' of container group '{name}' is invalid. {rule}"),
    "ReservedPort": (400, "The port '{port}' in container group '{name}' is reserved by the service."),
    "TooManyPorts": (400, "The number of ports in the 'ipAddress' of container group '{name}' exceeds the maximum of {limit}."),
    "PortNotExposedByContainer": (400, "Port '{port}' of the 'ipAddress' in container group '{name}' is not exposed by any container."),
    "DuplicatePort": (400, "The port '{port}' in container group '{name}' is specified more than once."),
    "InvalidDnsNameLabel": (400, "The DNS name label '{label}' in container group '{name}' is invalid. It must be 5-63 lowercase letters, digits or hyphens, start with a letter and end with a letter or digit."),
    "DnsNameLabelNotAvailable": (409, "The DNS name label '{label}' in container group '{name}' not available. Try using a different label."),
    "InvalidEnvironmentVariable": (400, "The environment variable '{variable}' of container '{container}' in container group '{name}' is invalid. {rule}"),
    "EnvironmentVariablesTooLarge": (400, "The environment variables of container '{container}' in container group '{name}' exceed {limit} bytes."),
    "DuplicateContainerName": (400, "The container name '{container}' in container group '{name}' is used more than once."),
    "TooManyContainers": (400, "The number of containers in container group '{name}' must be between 1 and {limit}."),
    "TooManyVolumes": (400, "The number of volumes in container group '{name}' exceeds the maximum of {limit}."),
    "InvalidVolume": (400, "The volume '{volume}' in container group '{name}' is invalid. {rule}"),
    "InvalidMountPath": (400, "The mount path '{path}' of container '{container}' in container group '{name}' is invalid. {rule}"),
    "VolumeNotFound": (400, "The volume '{volume}' mounted by container '{container}' is not defined in container group '{name}'."),
    "InvalidTags": (400, "{text}"),
    "PrivilegedNotSupported": (400, "Privileged containers and added capabilities are not supported by SKU '{sku}' in container group '{name}'."),
    "GpuNotSupported": (400, "GPU resources are no longer supported in container group '{name}'."),
    "SpotNotSupported": (400, "{text}"),
    "InvalidSubnet": (400, "{text}"),
    "InvalidContainerGroupUpdate": (400, "The updates on container group '{name}' are invalid. If you are going to update the os type, restart policy, network profile, CPU, memory or GPU resources for a container group, you must delete it first and then create a new one. Changed: {what}."),
    "InvalidCommandLength": (400, "The command length '{length}' exceeds the limit of {limit} characters."),
    "InvalidCommand": (400, "The command of the exec request is missing or empty."),
    "TooManyRequests": (429, "The request is being throttled as the limit has been reached for operation type - {kind}. For more information, see - https://aka.ms/srpthrottlinglimits"),
    "InternalServerError": (500, "Encountered internal server error. Diagnostic information: timestamp '{time}', tracking activity id '{activity}', correlation id '{correlation}'."),
}  # fmt: skip


class ArmError(Exception):
    """A refusal, as ARM answers it."""

    def __init__(self, status: int, code: str, message: str,
                 headers: dict[str, str] | None = None) -> None:  # fmt: skip
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The error body every ARM call shares."""
        return {"error": {"code": self.code, "message": self.message}}

    def response(self) -> web.Response:
        """The HTTP answer."""
        return web.json_response(self.body(), status=self.status, headers=self.headers)


def arm_error(code: str, *, status: int = 0, headers: dict[str, str] | None = None,
              **fields: object) -> ArmError:  # fmt: skip
    """An error of the table, its message filled in."""
    known, text = TABLE[code]
    return ArmError(status or known, code, text.format(**fields), headers)
