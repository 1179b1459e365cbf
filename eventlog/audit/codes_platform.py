"""Error codes of Azure Resource Manager and of Entra ID, as far as creating and running container groups meets them.

From learn.microsoft.com/azure/azure-resource-manager/troubleshooting ("Troubleshoot common Azure deployment errors"),
…/management ("Lock your resources", "Throttling"), and learn.microsoft.com/entra/identity-platform ("Microsoft Entra
authentication and authorization error codes").
"""

from __future__ import annotations

from typing import Final

from eventlog.audit.entry import Entry, Retry

_SIGN_IN: Final = "Run `az login` again."
_WAIT: Final = "Wait as long as Azure asks, then try again."
_REQUEST_ID: Final = "Try again; if it goes on, give Azure support the request id."
_REPORT: Final = "Report it with the message, which says what Azure does not take: this program made the request."
_REGION: Final = "Choose another AZURE_REGION; the message lists those that work."

WHO: Final = (
    Entry(
        "AuthorizationFailed",
        "Azure knows the identity, but no role allows it to do this",
        "Ask for a role with the action that the message names; docs/permissions.md has a minimal one. A new role takes"
        " some minutes to work.",
        Retry.NO,
    ),
    Entry(
        "LinkedAuthorizationFailed",
        "The identity may make container groups, but may not use the subnet or identity they refer to",
        "Ask for `subnets/join/action` on the subnet, or `userAssignedIdentities/assign/action` on the identity.",
        Retry.NO,
    ),
    Entry(
        "AuthenticationFailed",
        "Azure does not take the sign-in",
        "Sign in again (`az login`), or check the service principal's settings.",
        Retry.NO,
    ),
    Entry(
        "InvalidAuthenticationToken",
        "Azure does not take the sign-in token",
        "Sign in again (`az login`), or check the service principal's settings.",
        Retry.NO,
    ),
    Entry(
        "InvalidAuthenticationTokenAudience",
        "The sign-in token is for another cloud",
        "Check AZURE_AUTHORITY_HOST and AZURE_RESOURCE_MANAGER_URL: both must be of one cloud.",
        Retry.NO,
    ),
    Entry(
        "InvalidAuthenticationTokenTenant",
        "The token is for another tenant than the subscription's",
        "Check AZURE_TENANT_ID, or `az login --tenant`.",
        Retry.NO,
    ),
    Entry(
        "ExpiredAuthenticationToken",
        "The sign-in token was too old when it arrived",
        "Check this computer's clock, and sign in again.",
        Retry.NO,
    ),
    Entry(
        "AADSTS7000215",
        "The client secret is wrong; often it is the secret's id instead of its value",
        "Check AZURE_CLIENT_SECRET.",
        Retry.NO,
    ),
    Entry(
        "AADSTS7000222",
        "The client secret has expired",
        "Create a new one, and set AZURE_CLIENT_SECRET.",
        Retry.NO,
    ),
    Entry(
        "AADSTS700016",
        "The tenant does not know the application",
        "Check AZURE_CLIENT_ID and AZURE_TENANT_ID.",
        Retry.NO,
    ),
    Entry("AADSTS90002", "There is no such tenant", "Check AZURE_TENANT_ID.", Retry.NO),
    Entry("AADSTS900023", "The tenant's name is neither a GUID nor a domain", "Check AZURE_TENANT_ID.", Retry.NO),
    Entry("AADSTS700082", "The sign-in has expired, because it was not used for long", _SIGN_IN, Retry.NO),
    Entry("AADSTS50173", "The sign-in has expired, because the password was changed", _SIGN_IN, Retry.NO),
    Entry("AADSTS50076", "Entra ID asks for multi-factor authentication", _SIGN_IN, Retry.NO),
    Entry("AADSTS50079", "Entra ID asks for multi-factor authentication to be set up", _SIGN_IN, Retry.NO),
    Entry(
        "AADSTS53003",
        "A conditional access policy forbids the sign-in from here",
        "Sign in from a managed computer or network, or ask who manages the tenant.",
        Retry.NO,
    ),
)

RULES: Final = (
    Entry(
        "RequestDisallowedByPolicy",
        "An Azure Policy of the organisation forbids it",
        "Ask who manages the subscription; the message names the policy.",
        Retry.NO,
    ),
    Entry(
        "ScopeLocked",
        "A lock on the group, its resource group or the subscription forbids changes or deletion",
        "Ask who manages the subscription to lift the lock, which the message names; until then it may go on being"
        " billed.",
        Retry.NO,
    ),
    Entry(
        "DisallowedOperation",
        "This kind of subscription does not allow it",
        "Use another subscription, or ask Azure support.",
        Retry.NO,
    ),
    Entry(
        "ReadOnlyDisabledSubscription",
        "The subscription is disabled: it was cancelled, has expired, or used up its credit",
        "Ask who pays for the subscription.",
        Retry.NO,
    ),
)

PLACE: Final = (
    Entry(
        "MissingSubscriptionRegistration",
        "The subscription has never used Container Instances and has to register it once",
        "Run `az provider register --namespace Microsoft.ContainerInstance` and wait a minute.",
        Retry.NO,
    ),
    Entry(
        "SubscriptionNotRegistered",
        "The subscription has not registered the service",
        "Run `az provider register --namespace Microsoft.ContainerInstance` and wait a minute.",
        Retry.NO,
    ),
    Entry(
        "InvalidSubscriptionRegistrationState",
        "The subscription's registration of the service is under way, or was taken back",
        "Run `az provider register --namespace Microsoft.ContainerInstance` and wait a minute.",
        Retry.LATER,
    ),
    Entry(
        "SubscriptionNotFound",
        "There is no such subscription, or it belongs to another tenant than the sign-in",
        "Check AZURE_SUBSCRIPTION_ID, and that you are signed in to its tenant.",
        Retry.NO,
    ),
    Entry(
        "InvalidSubscriptionId",
        "AZURE_SUBSCRIPTION_ID is not a subscription's identifier",
        "Set it to the GUID that `az account show` prints as id.",
        Retry.NO,
    ),
    Entry(
        "LocationNotAvailableForResourceType",
        "Container Instances is not offered in this region",
        _REGION,
        Retry.NO,
    ),
    Entry(
        "LocationNotAvailableForResourceGroup",
        "Resource groups cannot be in this region",
        "Choose another AZURE_REGION.",
        Retry.NO,
    ),
    Entry(
        "NoRegisteredProviderFound",
        "Azure does not offer this version of the service in this region",
        _REGION,
        Retry.NO,
    ),
    Entry(
        "InvalidResourceLocation",
        "The container group, or the resource group, exists already in another region",
        "Delete the workspace first, or set AZURE_REGION to what it was.",
        Retry.NO,
    ),
    Entry(
        "SkuNotAvailable",
        "The size or kind of group is not offered in this region",
        "Choose another AZURE_REGION, or another size.",
        Retry.NO,
    ),
)

NAMES: Final = (
    Entry(
        "ResourceNotFound",
        "The container group does not exist: it was deleted outside, or is in another subscription or resource group",
        "Check AZURE_SUBSCRIPTION_ID and AZURE_RESOURCE_GROUP, or create the workspace again with `devpod up`.",
        Retry.NO,
    ),
    Entry(
        "ResourceGroupNotFound",
        "The resource group does not exist, or this identity cannot see it",
        "Check AZURE_RESOURCE_GROUP and AZURE_SUBSCRIPTION_ID.",
        Retry.NO,
    ),
    Entry(
        "ResourceGroupBeingDeleted",
        "The resource group is being deleted",
        "Wait until it is gone, or choose another AZURE_RESOURCE_GROUP.",
        Retry.LATER,
    ),
    Entry(
        "InvalidResourceName",
        "Azure does not take the name of a resource",
        "Use lower case letters, digits and single hyphens, 63 characters at most.",
        Retry.NO,
    ),
    Entry(
        "ReservedResourceName",
        "The name of a resource holds a word that Azure keeps for itself",
        "Choose another name for the workspace or AZURE_RESOURCE_GROUP.",
        Retry.NO,
    ),
    Entry(
        "InvalidResourceGroup",
        "Azure does not take the resource group's name",
        "Check AZURE_RESOURCE_GROUP: 1 to 90 letters, digits, dots, hyphens, underscores or parentheses.",
        Retry.NO,
    ),
)

REQUEST: Final = (
    Entry("InvalidRequestContent", "Azure could not read the request", _REPORT, Retry.NO),
    Entry("InvalidRequestFormat", "Azure could not read the request", _REPORT, Retry.NO),
    Entry(
        "PropertyChangeNotAllowed",
        "Something cannot be changed in place",
        "Delete the workspace and create it again.",
        Retry.NO,
    ),
    Entry(
        "AnotherOperationInProgress",
        "Another operation on the container group is still under way; Azure takes one at a time",
        "Wait ten seconds or more between calls.",
        Retry.YES,
    ),
)

PASSING: Final = (
    Entry(
        "InternalServerError",
        "Something failed inside Azure",
        "Try again; if it goes on, give Azure support the request id. With ACI_VNET_NAME set, check that the subnet is"
        " delegated to Container Instances and used by nothing else, for Azure says no more than this then.",
        Retry.YES,
    ),
    Entry("BadGateway", "Something failed inside Azure", _REQUEST_ID, Retry.YES),
    Entry("GatewayTimeout", "Something inside Azure did not answer in time", _REQUEST_ID, Retry.YES),
    Entry("ServerTimeout", "Something inside Azure did not answer in time", _REQUEST_ID, Retry.YES),
    Entry(
        "TooManyRequests",
        "Too many container groups were made or deleted in this hour, or too many requests sent",
        _WAIT,
        Retry.LATER,
    ),
    Entry("SubscriptionRequestsThrottled", "The subscription sent too many requests", _WAIT, Retry.LATER),
    Entry(
        "OperationNotAllowed",
        "The subscription's budget of creates and deletes is used up for now",
        _WAIT,
        Retry.LATER,
    ),
    Entry(
        "QuotaExceeded",
        "A quota of the subscription is used up",
        "Delete what is not needed, or ask Azure support for more.",
        Retry.NO,
    ),
    Entry(
        "ResourceQuotaExceeded",
        "The resource group or the subscription holds as many resources as it may",
        "Delete what is not needed, or choose another AZURE_RESOURCE_GROUP.",
        Retry.NO,
    ),
)

PLATFORM: Final = (*WHO, *RULES, *PLACE, *NAMES, *REQUEST, *PASSING)
"""Every code of the platform."""
