"""Error codes of Container Instances itself, and names of the events its containers fail with.

From Microsoft's articles on Container Instances (learn.microsoft.com/azure/container-instances, "Troubleshoot common
issues") and its support articles (MicrosoftDocs/SupportArticles-docs, support/azure/azure-container-instances), and
from what users reported; where Azure says little the entry says what it has meant so far.
"""

from __future__ import annotations

from typing import Final

from eventlog.audit.entry import Entry, Retry

_SIZE: Final = "Try later, choose another AZURE_REGION, or ask for fewer ACI_CPU_CORES and ACI_MEMORY_GB."
_AMD64: Final = "Use an image for linux/amd64; an arm64 image must be built again for amd64."
_PULLS: Final = (
    "Check the image's name and tag, and for a private registry ACR_SERVER and its credentials; a registry behind a"
    " firewall must let trusted Azure services in and be used with a managed identity."
)
_LOGS: Final = "Read `devpod-provider-aci logs -w NAME`; the image's entrypoint may need arguments or a variable."
_SPOT: Final = "Remove what Spot containers cannot have from the group's definition, or use regular ones."

IMAGE: Final = (
    Entry(
        "InaccessibleImage",
        "The registry did not hand out the image: it does not exist under that name and tag, it is private and the"
        " credentials are missing or wrong, the registry's firewall keeps Azure out, or the registry did not answer for"
        " a moment",
        "Check the name and tag, and for a private registry ACR_SERVER and its credentials (a stray blank in a password"
        " is enough); if all is right, try once more.",
        Retry.LATER,
    ),
    Entry(
        "RegistryErrorResponse",
        "The registry answered with an error, most often Docker Hub's limit on anonymous pulls: since July 2024 Azure's"
        " addresses have no exemption from it",
        "Wait some minutes, log in to the registry (ACR_SERVER, ACR_USERNAME, ACR_PASSWORD), or copy the image to a"
        " registry of your own.",
        Retry.LATER,
    ),
    Entry(
        "InvalidImageRegistryIdentity",
        "The managed identity may not pull from the registry, or is not one of the container group's; only a"
        " user-assigned identity can pull",
        "Check USER_ASSIGNED_IDENTITY_RESOURCE_ID, and give that identity the AcrPull role on the registry.",
        Retry.NO,
    ),
    Entry(
        "InvalidImageRegistryCredentialType",
        "The registry's credentials are of a kind this version of the service does not take",
        "Check ACR_AUTH_MODE, and use either a name and a password or a managed identity.",
        Retry.NO,
    ),
    Entry(
        # Spelt so by Azure.
        "AmbiguousImageResitryCredentialType",
        "The registry's credentials have both a name and a managed identity",
        "Check ACR_AUTH_MODE, and set either ACR_USERNAME and ACR_PASSWORD or USER_ASSIGNED_IDENTITY_RESOURCE_ID.",
        Retry.NO,
    ),
    Entry(
        "OsVersionNotSupported",
        "The image is made for a version of its operating system that Container Instances does not run",
        "Use an image for linux/amd64.",
        Retry.NO,
    ),
    Entry(
        "ImageOsTypeNotMatchContainerGroup",
        "The image is for another operating system or processor than the container group",
        _AMD64,
        Retry.NO,
    ),
    Entry("ErrImagePull", "The image could not be pulled", _PULLS, Retry.LATER),
    Entry(
        "ImagePullBackOff", "The image could not be pulled, and Azure waits before it tries again", _PULLS, Retry.LATER
    ),
)

ROOM: Final = (
    Entry(
        "ServiceUnavailable",
        "The region has no room for a group of this size at the moment",
        _SIZE,
        Retry.LATER,
    ),
    Entry(
        "InsufficientCapacity",
        "The region has no room for a group of this size at the moment; Azure accepted it and then found no place",
        _SIZE,
        Retry.LATER,
    ),
    Entry(
        "ContainerGroupQuotaReached",
        "The subscription's quota of cores or container groups in this region is used up; a limit of 0 means that this"
        " kind of subscription has none there, or that many groups were asked for in several regions at once",
        "Delete container groups that are not needed, choose another AZURE_REGION, or ask Azure support for more.",
        Retry.NO,
    ),
    Entry(
        "ContainerLimitGreaterThanContainerGroupTotalRequest",
        "A container's limit is larger than everything the group asks for",
        "Ask for more ACI_CPU_CORES or ACI_MEMORY_GB.",
        Retry.NO,
    ),
    Entry(
        "ResourceRequestsNotSpecified",
        "The group was asked for without a number of vCPU and GB",
        "Set ACI_CPU_CORES and ACI_MEMORY_GB.",
        Retry.NO,
    ),
    Entry(
        "SpotPriorityContainerGroupNotSupportedForInboundConnectivity",
        "Spot containers cannot have a public address or ports",
        "Unset ACI_PORTS and ACI_DNS_LABEL, or use regular containers.",
        Retry.NO,
    ),
    Entry(
        "SpotPriorityContainerGroupNotSupportedInSku", "Spot containers are of the Standard SKU only", _SPOT, Retry.NO
    ),
    Entry(
        "SpotPriorityContainerGroupWithGPUResourcesNotSupported",
        "Spot containers cannot have GPUs",
        "Set ACI_GPU_COUNT to 0, or use regular containers.",
        Retry.NO,
    ),
    Entry("PriorityNotSpecified", "The priority must be Regular or Spot", _SPOT, Retry.NO),
)

STATE: Final = (
    Entry(
        "ContainerGroupTransitioning",
        "Another operation on the container group is still under way; Azure takes one at a time",
        "Wait ten seconds or more between calls; if it stays so for half an hour, delete the workspace.",
        Retry.YES,
    ),
    Entry(
        "ContainerGroupDeploymentNotReady",
        "The container group is not deployed yet",
        "Try again in a few seconds.",
        Retry.YES,
    ),
    Entry(
        "ContainerGroupStopped",
        "The container group is stopped, so there is no container to work in",
        "Start the workspace with `devpod up`; files outside volumes were lost when it stopped.",
        Retry.NO,
    ),
    Entry(
        "ContainerLogNotAvailable",
        "The container has not written a log yet",
        "Try again when the container has run for a while.",
        Retry.YES,
    ),
    Entry(
        "InvalidContainerGroupUpdate",
        "Azure cannot change a container group's size, operating system, ports or restart policy in place",
        "Delete the workspace and create it again.",
        Retry.NO,
    ),
    Entry(
        "FailedMount",
        "A volume could not be mounted: wrong storage account key, no such share, the storage account's firewall, or a"
        " name that the virtual network cannot resolve",
        "Check ACI_STORAGE_ACCOUNT_NAME, ACI_STORAGE_ACCOUNT_KEY and ACI_FILE_SHARE_NAME.",
        Retry.NO,
    ),
    Entry(
        "CrashLoopBackOff",
        "The container's main process ends as soon as it starts, again and again",
        _LOGS,
        Retry.NO,
    ),
    Entry(
        "BackOff",
        "The container ended or its image could not be pulled, and Azure waits before it tries again",
        _LOGS,
        Retry.NO,
    ),
    Entry("Failed", "The container could not be started", _LOGS, Retry.NO),
    Entry(
        "Killing",
        "Azure ended the container: for maintenance, to move it to another machine, or because it failed",
        "Run `devpod up` again; if the container's exit code is not 7147 or 7148 (maintenance), read its logs.",
        Retry.YES,
    ),
    Entry(
        "DeploymentFailedReason",
        "Azure accepted the container group and could not run it; its message says why",
        "Do what the message says; the container's events in the Azure portal have more.",
        Retry.NO,
    ),
)

NAMES: Final = (
    Entry(
        "ContainerNotFound",
        "The container group exists, but has no container of that name: it was made by something else",
        "Delete the workspace and create it again.",
        Retry.NO,
    ),
    Entry(
        "DnsNameLabelNotAvailable",
        "Somebody in this region already has the DNS name",
        "Choose another ACI_DNS_LABEL, or none.",
        Retry.NO,
    ),
    Entry(
        "InvalidContainerGroupName",
        "Azure does not take the container group's name",
        "Use lower case letters, digits and single hyphens, 63 characters at most.",
        Retry.NO,
    ),
    Entry(
        "InvalidOsType",
        "The container group was asked for without an operating system, or with one Azure does not know",
        "Report it: this program asks for Linux.",
        Retry.NO,
    ),
    Entry(
        "InvalidCommandLength",
        "The command for the exec session is longer than Azure takes",
        "Report it: this program sends commands through its tunnel, which has no such limit.",
        Retry.NO,
    ),
)

NETWORK: Final = (
    Entry(
        "SubnetMissingRequiredDelegation",
        "The subnet is not delegated to Container Instances",
        "Delegate the subnet to Microsoft.ContainerInstance/containerGroups, or choose another ACI_SUBNET_NAME.",
        Retry.NO,
    ),
    Entry(
        "InvalidNetworkProfile",
        "The network profile is not one, or is of another subnet",
        "Check ACI_VNET_NAME and ACI_SUBNET_NAME.",
        Retry.NO,
    ),
    Entry(
        "SubnetIsFull",
        "The subnet has no free address; Azure gives addresses back some time after a group is gone",
        "Wait some minutes, delete groups that are not needed, or use a subnet of /24 or larger.",
        Retry.LATER,
    ),
    Entry(
        "InUseSubnetCannotBeUpdated",
        "The subnet is used by something else than Container Instances, which wants one for itself",
        "Choose another ACI_SUBNET_NAME that nothing else uses.",
        Retry.NO,
    ),
    Entry(
        "InvalidResourceReference",
        "Something the group refers to does not exist, or is in another region: mostly the subnet or the identity",
        "Check ACI_VNET_NAME, ACI_SUBNET_NAME and USER_ASSIGNED_IDENTITY_RESOURCE_ID; they must be in AZURE_REGION.",
        Retry.NO,
    ),
)

SERVICE: Final = (*IMAGE, *ROOM, *STATE, *NAMES, *NETWORK)
"""Every code of the service."""

EXITS: Final = {
    0: (
        "The container's main process had nothing more to do",
        "Use an image, or an override command, whose main process stays; then `devpod up`.",
    ),
    1: ("The container's main process failed", f"{_LOGS} Then `devpod up`."),
    126: ("The container's main process cannot be executed", f"{_AMD64} Check the entrypoint's permissions as well."),
    127: ("The container's main process does not exist in the image", "Check the image's entrypoint and command."),
    137: (
        "The container's main process was killed: mostly for want of memory, else by the platform",
        "Set more ACI_MEMORY_GB if its work needs it; then `devpod up`.",
    ),
    139: ("The container's main process crashed (segmentation fault)", f"{_LOGS} Then `devpod up`."),
    143: (
        "The container's main process was asked to end (SIGTERM), by the platform or from inside",
        "Run `devpod up`.",
    ),
    7147: ("Azure stopped the container for maintenance, as it may", "Run `devpod up`."),
    7148: ("Azure stopped the container for maintenance, as it may", "Run `devpod up`."),
}
"""What an exit code of a container's main process says; 7147 and 7148 are the platform's own."""
