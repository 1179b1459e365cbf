"""The one table of options. Settings, both manifests and the reference page are made from it."""

from __future__ import annotations

from typing import Final

from adapters.devpod import patterns as p
from adapters.devpod import values as v
from adapters.devpod.option import Mode, Option

SIGN_IN: Final = "Azure sign-in"
PLACE: Final = "Where it runs"
SIZE: Final = "Size and behaviour"
NETWORK: Final = "Network"
REGISTRY: Final = "Private registry"
STORAGE: Final = "Storage"
AGENT: Final = "DevPod agent"
PROVIDER: Final = "This provider"
ENDPOINTS: Final = "Endpoints"

GROUPS: Final[tuple[tuple[str, bool], ...]] = (
    (PLACE, True),
    (SIZE, True),
    (SIGN_IN, False),
    (NETWORK, False),
    (REGISTRY, False),
    (STORAGE, False),
    (AGENT, False),
    (PROVIDER, False),
    (ENDPOINTS, False),
)
"""In the order people meet them, and whether DevPod shows the group unfolded."""

_MACHINE: Final[tuple[Mode, ...]] = ("machine",)

_GUID: Final = "a GUID like 01234567-89ab-cdef-0123-456789abcdef"
_NOT_YET: Final = "this version does not do that yet, so the value would have no effect"

TABLE: Final[tuple[Option, ...]] = (
    Option(
        name="AZURE_SUBSCRIPTION_ID",
        group=PLACE,
        description="The Azure subscription that is billed. Taken from the environment or from `az account show` "
        "when the provider is added.",
        required=True,
        command='if [ -n "${AZURE_SUBSCRIPTION_ID:-}" ]; then printf "%s" "${AZURE_SUBSCRIPTION_ID}"; '
        "else az account show --query id --output tsv 2>/dev/null || true; fi",
        pattern=p.GUID,
        expected=_GUID,
    ),
    Option(
        name="AZURE_RESOURCE_GROUP",
        group=PLACE,
        description="The resource group that holds the container groups; it is created when it is missing.",
        required=True,
        default="devpod-aci-rg",
        command='printf "%s" "${AZURE_RESOURCE_GROUP:-devpod-aci-rg}"',
        pattern=p.RESOURCE_GROUP,
        check=v.resource_group,
        expected="1 to 90 letters, digits and -_.(), not ending in a dot",
    ),
    Option(
        name="AZURE_REGION",
        group=PLACE,
        description="The Azure region, by its short name (`az account list-locations --query '[].name'`).",
        required=True,
        default="eastus",
        command='printf "%s" "${AZURE_REGION:-eastus}"',
        suggestions=("eastus", "westus2", "westeurope", "northeurope", "southeastasia", "australiaeast"),
        pattern=p.REGION,
        expected="a region's short name like westeurope",
    ),
    Option(
        name="ACI_CPU_CORES",
        group=SIZE,
        description="vCPUs of the container.",
        default="2",
        suggestions=("1", "2", "4", "8"),
        pattern=p.CPU,
        check=v.cpu,
        expected=f"a number above 0 and up to {v.MAX_CPU:g} with at most two decimals, like 2 or 0.5",
    ),
    Option(
        name="ACI_MEMORY_GB",
        group=SIZE,
        description="Memory of the container in GB.",
        default="4",
        suggestions=("2", "4", "8", "16"),
        pattern=p.MEMORY,
        check=v.memory,
        expected=f"a number above 0 and up to {v.MAX_MEMORY_GB:g} with at most one decimal, like 4 or 1.5",
    ),
    Option(
        name="ACI_RESTART_POLICY",
        group=SIZE,
        description="When Azure starts the container again after its main process has ended.",
        default="Never",
        enum=("Never", "OnFailure", "Always"),
    ),
    Option(
        name="WORKSPACE_IMAGE",
        group=SIZE,
        description="The image of the machine, which is also the dev container; devcontainer.json's own image is "
        "used in devcontainer mode only.",
        default="mcr.microsoft.com/devcontainers/base:ubuntu",
        pattern=p.IMAGE,
        check=v.image,
        expected="an image reference like mcr.microsoft.com/devcontainers/base:ubuntu",
        modes=_MACHINE,
    ),
    Option(
        name="ACI_GPU_COUNT",
        group=SIZE,
        kind="number",
        description="GPUs. Azure retired GPU container groups on 2025-07-14, so only 0 is accepted.",
        default="0",
        pattern=r"[0-9]{1,3}",
        expected="0",
        refusal="Azure retired GPU container groups on 2025-07-14, so no region has them",
        harmless="0",
        since="",
    ),
    Option(
        name="AZURE_AUTH_MODE",
        group=SIGN_IN,
        description="How to sign in. auto takes the service principal when its three options are set, else a managed "
        "identity where AZURE_IDENTITY_CLIENT_ID or the environment (IDENTITY_ENDPOINT) names one, else the Azure CLI.",
        default="auto",
        enum=("auto", "cli", "service-principal", "managed-identity"),
    ),
    Option(
        name="AZURE_TENANT_ID",
        group=SIGN_IN,
        description="The Entra ID tenant; needed for a service principal.",
        command='printf "%s" "${AZURE_TENANT_ID:-}"',
        pattern=p.TENANT,
        expected=f"{_GUID}, or the tenant's domain name",
    ),
    Option(
        name="AZURE_CLIENT_ID",
        group=SIGN_IN,
        description="The service principal's application (client) ID.",
        command='printf "%s" "${AZURE_CLIENT_ID:-}"',
        pattern=p.GUID,
        expected=_GUID,
    ),
    Option(
        name="AZURE_CLIENT_SECRET",
        group=SIGN_IN,
        description="The service principal's client secret. Like every option it is kept in DevPod's own "
        "configuration once it is set, or exported when the provider is added.",
        command='printf "%s" "${AZURE_CLIENT_SECRET:-}"',
        password=True,
    ),
    Option(
        name="AZURE_IDENTITY_CLIENT_ID",
        group=SIGN_IN,
        description="The client ID of a user-assigned managed identity of this computer, where it has several.",
        pattern=p.GUID,
        expected=_GUID,
    ),
    Option(
        name="ACI_PORTS",
        group=NETWORK,
        description="TCP ports to open to the internet on a public IP address. DevPod needs none of them.",
        suggestions=("8080", "3000,8080"),
        pattern=p.PORTS,
        check=v.ports,
        expected="up to 5 port numbers between commas, like 3000,8080, without 22, 1025-1027, 3389-3399, 9999, "
        "19000, 19080, 19100, 19390, 20000-30000 and 49152-65534",
    ),
    Option(
        name="ACI_DNS_LABEL",
        group=NETWORK,
        description="A public host name for the IP address, <label>.<region>.azurecontainer.io; needs ACI_PORTS.",
        pattern=p.DNS_LABEL,
        expected="5 to 63 lower case letters, digits and hyphens, first a letter, last no hyphen",
    ),
    Option(
        name="ACI_VNET_NAME",
        group=NETWORK,
        description="The virtual network to run in.",
        pattern=p.NETWORK,
        expected="a virtual network's name: 1 to 64 letters, digits and _.-",
        refusal=_NOT_YET,
        since="",
    ),
    Option(
        name="ACI_SUBNET_NAME",
        group=NETWORK,
        description="The subnet to run in, delegated to Microsoft.ContainerInstance/containerGroups.",
        pattern=p.SUBNET,
        expected="a subnet's name: 1 to 80 letters, digits and _.-",
        refusal=_NOT_YET,
        since="",
    ),
    Option(
        name="ACR_SERVER",
        group=REGISTRY,
        description="The registry that private images are pulled from.",
        suggestions=("myregistry.azurecr.io",),
        pattern=p.HOST,
        expected="a host name without https://, like myregistry.azurecr.io",
    ),
    Option(
        name="ACR_AUTH_MODE",
        group=REGISTRY,
        description="How to sign in to the registry; KeyVault is refused until a later version reads from it.",
        default="ManagedIdentity",
        enum=("ManagedIdentity", "UsernamePassword", "KeyVault"),
        not_yet=("KeyVault",),
    ),
    Option(
        name="USER_ASSIGNED_IDENTITY_RESOURCE_ID",
        group=REGISTRY,
        description="The user-assigned managed identity that the container group gets: it pulls from ACR_SERVER, "
        "and processes in the container can use it too.",
        pattern=p.IDENTITY,
        expected="/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.ManagedIdentity/"
        "userAssignedIdentities/<name>",
    ),
    Option(
        name="ACR_USERNAME",
        group=REGISTRY,
        description="The registry's user name, with ACR_AUTH_MODE UsernamePassword.",
        pattern=p.USERNAME,
        expected="up to 256 characters without a colon",
    ),
    Option(
        name="ACR_PASSWORD",
        group=REGISTRY,
        description="The registry's password, with ACR_AUTH_MODE UsernamePassword.",
        password=True,
    ),
    Option(
        name="KEYVAULT_URI",
        group=REGISTRY,
        description="The key vault that holds the registry's user name and password.",
        pattern=p.KEY_VAULT,
        expected="an address like https://myvault.vault.azure.net",
        refusal=_NOT_YET,
        since="",
    ),
    Option(
        name="ACR_USERNAME_SECRET_NAME",
        group=REGISTRY,
        description="The secret in KEYVAULT_URI that holds the registry's user name.",
        pattern=p.VAULT_ITEM,
        expected="1 to 127 letters, digits and hyphens",
        refusal=_NOT_YET,
        since="",
    ),
    Option(
        name="ACR_PASSWORD_SECRET_NAME",
        group=REGISTRY,
        description="The secret in KEYVAULT_URI that holds the registry's password.",
        pattern=p.VAULT_ITEM,
        expected="1 to 127 letters, digits and hyphens",
        refusal=_NOT_YET,
        since="",
    ),
    Option(
        name="ACI_STORAGE_ACCOUNT_NAME",
        group=STORAGE,
        description="The storage account with the Azure Files share that keeps the workspace.",
        pattern=p.STORAGE_ACCOUNT,
        expected="3 to 24 lower case letters and digits",
        refusal=_NOT_YET,
        since="",
    ),
    Option(
        name="ACI_STORAGE_ACCOUNT_KEY",
        group=STORAGE,
        description="The storage account's key.",
        pattern=p.STORAGE_KEY,
        expected="the 88 characters Azure shows, ending in ==",
        password=True,
        refusal=_NOT_YET,
        since="",
    ),
    Option(
        name="ACI_FILE_SHARE_NAME",
        group=STORAGE,
        description="The Azure Files share that keeps the workspace.",
        pattern=p.FILE_SHARE,
        check=v.file_share,
        expected="3 to 63 lower case letters, digits and single hyphens between them",
        refusal=_NOT_YET,
        since="",
    ),
    Option(
        name="AGENT_PATH",
        group=AGENT,
        description="Where DevPod puts its agent in the machine. The default is where DevPod also looks for it "
        "in the dev container, so one upload serves both.",
        default="/usr/local/bin/devpod",
        pattern=p.AGENT_PATH,
        expected="an absolute path without quotes",
        modes=_MACHINE,
    ),
    Option(
        name="ACI_AGENT_FETCH",
        group=AGENT,
        kind="boolean",
        description="Whether the container fetches the release of DevPod's agent by itself while it starts, so that "
        "DevPod need not upload it. Only a file with the SHA-256 of your own DevPod is put into place.",
        default="true",
        pattern=p.BOOLEAN,
        expected="true or false",
    ),
    Option(
        name="ACI_AGENT_URL",
        group=AGENT,
        description="Where the container finds the agent instead of where DevPod would look (DEVPOD_AGENT_URL, else "
        "its releases on GitHub): the address of a folder that holds devpod-linux-amd64. ${VERSION} and ${BIN_NAME} in "
        "it are replaced.",
        pattern=p.DOWNLOADS,
        expected="an http or https address without user name, query or fragment",
    ),
    Option(
        name="ACI_AGENT_SHA256",
        group=AGENT,
        description="The SHA-256 of your DevPod version's devpod-linux-amd64. Needed only where your own DevPod is not "
        "that file: on macOS and Windows, or built by somebody else. Without it, nothing is fetched there.",
        pattern=p.SHA256,
        expected="64 hexadecimal digits in lower case",
    ),
    Option(
        name="INACTIVITY_TIMEOUT",
        group=AGENT,
        kind="duration",
        description="Ends the container, and with it the bill, after so long without a session; files outside of "
        "the repository's remote are lost. 0 in devcontainer mode and 8760h in machine mode mean never. Needs a "
        "restart policy other than Always; in machine mode also an image whose user is root or can use sudo.",
        default="0",
        machine_default="30m",
        suggestions=("30m", "2h", "8h"),
        check=v.inactivity,
        expected="a duration like 30m or 8h, at least 1m",
    ),
    Option(
        name="INJECT_GIT_CREDENTIALS",
        group=AGENT,
        kind="boolean",
        description="Whether git in the container can use this computer's git credentials.",
        default="true",
        pattern=p.BOOLEAN,
        expected="true or false",
    ),
    Option(
        name="INJECT_DOCKER_CREDENTIALS",
        group=AGENT,
        kind="boolean",
        description="Whether the container can use this computer's registry credentials.",
        default="false",
        pattern=p.BOOLEAN,
        expected="true or false",
    ),
    Option(
        name="ACI_OPERATION_TIMEOUT",
        group=PROVIDER,
        kind="duration",
        description="How long one operation, such as create or start, may take. Azure itself gives up after 30m.",
        default="30m",
        suggestions=("10m", "30m", "45m"),
        check=v.at_least_a_second,
        expected="a duration like 30m or 1h30m, at least 1s",
    ),
    Option(
        name="ACI_TUNNEL_IDLE",
        group=PROVIDER,
        kind="duration",
        description="How long a connection to the container is kept for the next command; 0: until the last one ends.",
        default="10m",
        suggestions=("0", "10m", "1h"),
        check=v.duration,
        expected="a duration like 10m, or 0",
    ),
    Option(
        name="ACI_TUNNEL_RESUME",
        group=PROVIDER,
        kind="duration",
        description="How long a command outlives a broken connection: until then it is resumed, then it is hung up and "
        "ends with exit status 95.",
        default="5m",
        suggestions=("1m", "5m", "1h"),
        check=v.up_to_a_day,
        expected="a duration from 1s to 24h, like 5m",
    ),
    Option(
        name="ACI_TUNNEL_COMPRESSION",
        group=PROVIDER,
        kind="boolean",
        description="Whether what a command reads, such as DevPod's agent when it is uploaded, is compressed on its "
        "way while the line is the bottleneck.",
        default="true",
        pattern=p.BOOLEAN,
        expected="true or false",
    ),
    Option(
        name="ACI_EVENT_LOG",
        group=PROVIDER,
        description="Where the event log is kept, instead of in the user's state directory; never choose one of "
        "DevPod's folders, which are deleted with the workspace.",
        pattern=p.LOCAL_PATH,
        expected="a path",
        environment_only=True,
    ),
    Option(
        name="ACI_EVENT_LOG_SEGMENT",
        group=PROVIDER,
        kind="number",
        description="MiB from which on the event log's file is sealed, compressed and followed by a new one.",
        default="64",
        suggestions=("16", "64", "256"),
        pattern=r"[0-9]{1,4}",
        check=v.segment,
        expected=f"a whole number from 1 to {v.MAX_SEGMENT_MIB}",
        environment_only=True,
    ),
    Option(
        name="AZURE_AUTHORITY_HOST",
        group=ENDPOINTS,
        description="Entra ID's address; another one for a national cloud.",
        default="https://login.microsoftonline.com",
        pattern=p.AUTHORITY,
        expected="an https address without a path",
        environment_only=True,
    ),
    Option(
        name="AZURE_RESOURCE_MANAGER_URL",
        group=ENDPOINTS,
        description="Azure Resource Manager's address; another one for a national cloud.",
        default="https://management.azure.com",
        pattern=p.ENDPOINT,
        expected="an https address without a path",
        environment_only=True,
    ),
)

BY_NAME: Final[dict[str, Option]] = {option.name: option for option in TABLE}


def in_manifest(mode: Mode) -> tuple[Option, ...]:
    """The options DevPod offers in one mode."""
    return tuple(option for option in TABLE if mode in option.modes and not option.environment_only)
