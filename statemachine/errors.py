"""Every way this provider fails, each with its exit status and its remedy.

::

    ProviderError
    ├── OptionError                    64  an option is missing or malformed
    ├── RunOptionsError                65  DEVCONTAINER_RUN_OPTIONS cannot be understood
    ├── UnsupportedError               66  asked for something Container Instances cannot do (or not yet)
    ├── RefusedError                   67  the workspace's state forbids the verb
    ├── BusyError                      68  another operation holds the workspace and did not end in time
    ├── AzureError                     84  Azure refused: any 4xx without a leaf of its own
    │   ├── CredentialsError           70  no usable credentials
    │   ├── AuthenticationError        71  Entra ID refused the credentials
    │   ├── AccessDeniedError          72  authenticated, but a role is missing
    │   ├── ImageError                 73  the image cannot be pulled
    │   ├── NameRefusedError           74  a name Azure refuses or that is taken
    │   ├── CapacityError              75  the region has no room for the size asked
    │   ├── QuotaError                 76  the subscription's quota is used up
    │   ├── NotRegisteredError         77  the resource provider is not registered
    │   ├── ThrottledError             78  still throttled at the deadline
    │   ├── UnavailableError           79  5xx or no connection until the deadline
    │   ├── DeadlineError              80  the operation did not finish in time
    │   ├── GroupMissingError          81  the container group does not exist
    │   ├── TransitioningError         82  still transitioning at the deadline
    │   └── ProvisioningError          83  Azure accepted, then failed to run the group
    ├── LogError                       85  the event log cannot be used
    │   ├── LogDamagedError            86  the event log's chain is broken
    │   └── LogConflictError           87  somebody else appended to the same workspace first
    ├── TunnelError                    97  the far side does not speak our protocol
    │   ├── ExecRefusedError           90  Azure opened no exec session
    │   ├── TunnelUnreachableError     91  the exec endpoint cannot be reached
    │   ├── NoShellError               92  the container has no usable /bin/sh
    │   ├── NoPlaceError               93  no writable folder that allows execution
    │   ├── UserUnknownError           94  no such user in the container, or not allowed to become it
    │   ├── TunnelLostError            95  the session broke and could not be resumed
    │   └── HelperMismatchError        96  the helper is not the one we built
    ├── OutputError                    98  what the command wrote could not be written here
    └── InternalError                  99  a defect of this program

Statuses 64-99 are ours; ``command`` gives every other status to the command that ran
(0-63, 100-255, 128+n for signal n), and a command may of course use ours too.
"""

from __future__ import annotations

from typing import ClassVar


class ProviderError(Exception):
    """Base of all errors shown to a user: one line of what and where, one of what to do."""

    exit_status: ClassVar[int] = 99
    retryable: ClassVar[bool] = False
    remedy: ClassVar[str] = ""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = type(self).remedy if remedy is None else remedy

    def __str__(self) -> str:
        return one_line(f"{self.message.rstrip('.')}. {self.hint}" if self.hint else self.message)


def one_line(text: str) -> str:
    """``text`` with every run of white space folded to a single blank."""
    return " ".join(text.split())


def bounded(text: str, limit: int) -> str:
    """``text`` on one line of at most ``limit`` characters."""
    line = one_line(text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


class OptionError(ProviderError):
    """A provider option is missing or malformed."""

    exit_status = 64
    remedy = "Set it with `devpod provider set-options`."

    def __init__(self, option: str, message: str, *, remedy: str | None = None) -> None:
        super().__init__(f"option {option}: {message}", remedy=remedy)
        self.option = option


class RunOptionsError(ProviderError):
    """DEVCONTAINER_RUN_OPTIONS is not what DevPod documents."""

    exit_status = 65
    remedy = "Run the verb through DevPod, which fills it in."


class UnsupportedError(ProviderError):
    """Something Container Instances cannot do, or this version does not do yet."""

    exit_status = 66


class RefusedError(ProviderError):
    """The workspace is in a state that forbids the verb."""

    exit_status = 67


class BusyError(ProviderError):
    """Another invocation is working on the workspace and did not finish in time."""

    exit_status = 68
    retryable = True
    remedy = "Try again when it has finished; `devpod-provider-aci history` shows what is running."


class AzureError(ProviderError):
    """Azure refused a request; keeps what support asks for: code, message, HTTP status, request id."""

    exit_status = 84

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        http_status: int = 0,
        request_id: str = "",
        azure_message: str = "",
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.code = code
        self.http_status = http_status
        self.request_id = request_id
        self.azure_message = azure_message
        self.attempts = 1
        """How often the request was sent before this was raised."""
        self.retry_after: float | None = None
        """Seconds that Azure asks to wait."""

    def __str__(self) -> str:
        facts = [
            self.code,
            f"HTTP {self.http_status}" if self.http_status else "",
            f"request id {self.request_id}" if self.request_id else "",
        ]
        known = ", ".join(fact for fact in facts if fact)
        said = f": {self.azure_message}" if self.azure_message and self.azure_message not in self.message else ""
        text = f"{self.message.rstrip('.')}{said.rstrip('.')}"
        if known:
            text += f" ({known})"
        return one_line(f"{text}. {self.hint}" if self.hint else text)


class CredentialsError(AzureError):
    """No way to authenticate was found."""

    exit_status = 70
    remedy = "Run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."


class AuthenticationError(AzureError):
    """Entra ID refused the credentials."""

    exit_status = 71
    remedy = "Check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; the secret may have expired."


class AccessDeniedError(AzureError):
    """The identity is known but lacks a role."""

    exit_status = 72
    remedy = "Ask for a role with that action on the resource group."


class ImageError(AzureError):
    """The registry does not hand out the image."""

    exit_status = 73
    remedy = "Check the image's name and tag, and the registry's credentials; only linux/amd64 images run."


class NameRefusedError(AzureError):
    """A name that Azure refuses, or that somebody else has."""

    exit_status = 74


class CapacityError(AzureError):
    """The region has no room for the requested size at the moment."""

    exit_status = 75
    retryable = True
    remedy = "Try later, another AZURE_REGION, or fewer ACI_CPU_CORES and ACI_MEMORY_GB."


class QuotaError(AzureError):
    """The subscription's quota is used up."""

    exit_status = 76
    remedy = "Delete container groups you do not need, or ask Azure support to raise the quota."


class NotRegisteredError(AzureError):
    """The subscription has not registered Microsoft.ContainerInstance."""

    exit_status = 77
    remedy = "Run `az provider register --namespace Microsoft.ContainerInstance` once."


class ThrottledError(AzureError):
    """Azure kept answering 429 until the deadline."""

    exit_status = 78
    retryable = True
    remedy = "Wait for the time Azure names, then try again."


class UnavailableError(AzureError):
    """Azure answered 5xx, or not at all, until the deadline."""

    exit_status = 79
    retryable = True
    remedy = "Check the network and https://azure.status.microsoft, then try again."


class DeadlineError(AzureError):
    """Azure accepted the operation but did not finish it in time."""

    exit_status = 80
    retryable = True
    remedy = "Call the same verb again: it continues where this one stopped waiting."


class GroupMissingError(AzureError):
    """The container group is not there."""

    exit_status = 81


class TransitioningError(AzureError):
    """Azure kept saying that the group is still transitioning."""

    exit_status = 82
    retryable = True
    remedy = "Try again in a minute; if it stays so, delete the workspace."


class ProvisioningError(AzureError):
    """Azure accepted the group and then could not run it."""

    exit_status = 83


class LogError(ProviderError):
    """The event log cannot be read or written."""

    exit_status = 85
    remedy = "Make the path writable, or set ACI_EVENT_LOG to one that is."


class LogDamagedError(LogError):
    """The event log's hash chain is broken."""

    exit_status = 86
    remedy = "Run `devpod-provider-aci verify`; restore the file from a copy, or move it away to begin a new one."


class LogConflictError(LogError):
    """Another process appended an event for the same workspace first."""

    exit_status = 87
    retryable = True
    remedy = "Try again."


class TunnelError(ProviderError):
    """The far side does not speak the tunnel's protocol."""

    exit_status = 97


class ExecRefusedError(TunnelError):
    """Azure opened no exec session, or closed it before a process ran."""

    exit_status = 90
    remedy = (
        "See whether the container still runs (`devpod-provider-aci status -w NAME`), and its `logs`; then try again."
    )


class TunnelUnreachableError(TunnelError):
    """The exec endpoint cannot be reached from here."""

    exit_status = 91
    remedy = "Ask your network team to allow outbound TCP to that host and port."


class NoShellError(TunnelError):
    """The image has no usable /bin/sh."""

    exit_status = 92
    remedy = "Use an image that has /bin/sh."


class NoPlaceError(TunnelError):
    """No folder in the container is writable and allows execution."""

    exit_status = 93
    remedy = "Give the image a writable /tmp, /dev/shm or home folder that is not mounted noexec."


class UserUnknownError(TunnelError):
    """The user does not exist in the container, or the image's user may not become it."""

    exit_status = 94


class TunnelLostError(TunnelError):
    """The session broke and could not be resumed."""

    exit_status = 95
    retryable = True
    remedy = "Run the command again."


class HelperMismatchError(TunnelError):
    """The helper in the wheel or in the container is not the one that was built."""

    exit_status = 96
    remedy = "Install devpod-provider-aci again."


class OutputError(ProviderError):
    """What the command wrote could not be written here; the command was ended."""

    exit_status = 98
    remedy = "Make room where standard output goes, then run the command again."


class InternalError(ProviderError):
    """A defect of this program."""

    exit_status = 99
    remedy = "Set DEVPOD_DEBUG=true and report what it prints."
