"""What the adapter must be told: the subscription, how to authenticate, where Azure is, how long to wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from statemachine.errors import OptionError
from statemachine.secret import Secret

PUBLIC_MANAGER: Final = "https://management.azure.com"
PUBLIC_AUTHORITY: Final = "https://login.microsoftonline.com"

METHODS: Final = ("auto", "cli", "service-principal", "managed-identity")
"""The values of ``AzureSettings.auth``."""


@dataclass(frozen=True, kw_only=True)
class AzureSettings:
    """Everything that tells one Azure (or an emulator of it) from another; times are in seconds."""

    subscription: str
    tenant: str = ""
    client_id: str = ""
    client_secret: Secret | None = None
    auth: str = "auto"
    """One of METHODS."""
    identity_client_id: str = ""
    """The client id of a user-assigned managed identity; empty means the system-assigned one."""
    authority_host: str = ""
    """AZURE_AUTHORITY_HOST; empty means the public cloud."""
    resource_manager_url: str = ""
    """AZURE_RESOURCE_MANAGER_URL; empty means the public cloud."""
    deadline: float = 1800.0
    """How long one operation may take; the default is the service's own provisioning timeout."""
    retry_deadline: float = 120.0
    """How long one request is repeated while it fails for reasons that may pass."""
    poll_interval: float = 1.0
    poll_ceiling: float = 5.0
    """Waiting between two looks grows from the first to the second."""
    settle: float = 45.0
    """How long a read may contradict a write Azure has just accepted (reads are eventually consistent)."""
    say: Callable[[str], None] | None = None
    """Gets a line for the person who waits."""
    trace: Callable[[str], None] | None = None
    """Gets one line per request: method, path, status, request id, milliseconds."""

    @property
    def manager_url(self) -> str:
        """Azure Resource Manager's base address, without a slash at the end."""
        return https_url("AZURE_RESOURCE_MANAGER_URL", self.resource_manager_url or PUBLIC_MANAGER)

    @property
    def authority(self) -> str:
        """Entra ID's base address, without a slash at the end."""
        return https_url("AZURE_AUTHORITY_HOST", self.authority_host or PUBLIC_AUTHORITY)

    @property
    def scope(self) -> str:
        """What a token is asked for."""
        return f"{self.manager_url}/.default"


def https_url(option: str, value: str) -> str:
    """``value`` as an https address; a bare host name is one too. Tokens never travel in the clear."""
    text = value.strip().rstrip("/")
    if ":/" not in value:
        text = f"https://{text}"
    parts = urlsplit(text)
    if parts.scheme.lower() != "https" or not parts.hostname:
        raise OptionError(
            option, f"{value!r} is not an https:// address", remedy="Give an address that begins with https://."
        )
    return text
