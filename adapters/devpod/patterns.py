"""What option values must look like, as regular expressions.

Written in the part of the syntax that Python and Go's RE2 share (no lookaround, no back reference), because
the same text goes into the manifests, where DevPod's own parser uses it. All of them match a whole value;
whoever puts one into a manifest adds the anchors.
"""

from __future__ import annotations

from typing import Final

GUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
TENANT: Final = rf"(?:{GUID}|[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+)"

# Azure allows letters and digits of every script here, so only the ASCII that it forbids is excluded.
_GROUP_CHARACTER: Final = r"[^\x00-'*-,/:-@\[-^\x60{-\x7f]"
_GROUP_LAST: Final = r"[^\x00-'*-,./:-@\[-^\x60{-\x7f]"
RESOURCE_GROUP: Final = rf"{_GROUP_CHARACTER}{{0,89}}{_GROUP_LAST}"

REGION: Final = r"[a-z][0-9a-z]{2,49}"
CPU: Final = r"[0-9]{1,2}(?:\.[0-9]{1,2})?"
MEMORY: Final = r"[0-9]{1,3}(?:\.[0-9])?"
DNS_LABEL: Final = r"[a-z][0-9a-z-]{3,61}[0-9a-z]"
PORTS: Final = r"[0-9]{1,5}(?:,[0-9]{1,5}){0,4}"
BOOLEAN: Final = r"true|false"

HOST: Final = r"[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?(?:\.[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?)*(?::[0-9]{1,5})?"
ENDPOINT: Final = rf"https://{HOST}/?"
AUTHORITY: Final = rf"(?:https://)?{HOST}/?"
KEY_VAULT: Final = rf"https://{HOST}/?"

_IMAGE_PART: Final = r"[0-9a-z]+(?:(?:\.|_|__|-+)[0-9a-z]+)*"
IMAGE: Final = (
    rf"(?:{HOST}/)?{_IMAGE_PART}(?:/{_IMAGE_PART})*"
    r"(?::[0-9A-Za-z_][0-9A-Za-z_.-]{0,127})?"
    r"(?:@[A-Za-z][0-9A-Za-z]*(?:[-_+.][A-Za-z][0-9A-Za-z]*)*:[0-9a-fA-F]{32,})?"
)

IDENTITY: Final = (
    rf"(?i:/subscriptions/{GUID}/resourceGroups/){_GROUP_CHARACTER}{{1,90}}"
    r"(?i:/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/)[0-9A-Za-z][0-9A-Za-z_-]{2,127}"
)

NETWORK: Final = r"[0-9A-Za-z](?:[0-9A-Za-z_.-]{0,62}[0-9A-Za-z_])?"
SUBNET: Final = r"[0-9A-Za-z](?:[0-9A-Za-z_.-]{0,78}[0-9A-Za-z_])?"
STORAGE_ACCOUNT: Final = r"[0-9a-z]{3,24}"
STORAGE_KEY: Final = r"[0-9A-Za-z+/]{86}=="
FILE_SHARE: Final = r"[0-9a-z](?:-?[0-9a-z]){2,62}"
VAULT_ITEM: Final = r"[0-9A-Za-z-]{1,127}"
USERNAME: Final = r"[^\x00-\x1f\x7f:]{1,256}"

# DevPod puts it between single quotes in a shell command.
AGENT_PATH: Final = r"/[^\x00-\x1f\x7f']*[^\x00-\x1f\x7f'/]"
# Neither a user name nor a signature: whatever is an option can be read by who reads the configuration.
DOWNLOADS: Final = r"https?://[^\x00-\x20\x7f'\"\\@?#]+"
SHA256: Final = r"[0-9a-f]{64}"
LOCAL_PATH: Final = r"[^\x00-\x1f\x7f]+"
