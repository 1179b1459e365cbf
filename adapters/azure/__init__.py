"""Container groups on Azure. Cheap to import: the Azure SDK is loaded by the first request."""

from adapters.azure.findings import Finding, Level
from adapters.azure.groups import AzureGroups
from adapters.azure.order import EmptyDir, GroupOrder, RegistryLogin
from adapters.azure.settings import AzureSettings

__all__ = [
    "AzureGroups",
    "AzureSettings",
    "EmptyDir",
    "Finding",
    "GroupOrder",
    "Level",
    "RegistryLogin",
]
