"""An authenticated session with Azure: the SDK's clients over our transport, and the call that wraps every request.

Imported only when a request is about to be made: the Azure SDK takes 0.3 s to import.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from azure.core.exceptions import DeserializationError, HttpResponseError, IncompleteReadError
from azure.core.pipeline import policies
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from adapters.azure import retry
from adapters.azure.answer import Answer, AnyErrorDecodePolicy, answer_of, keep
from adapters.azure.budget import within
from adapters.azure.credentials import Credential
from adapters.azure.destination import OneServerPolicy
from adapters.azure.errors import error_for
from adapters.azure.fault import Fault, Kind, fault_of
from adapters.azure.settings import AzureSettings
from adapters.azure.transport import TracedTransport, silence_libraries
from adapters.azure.trust import check_proxies, trusted
from statemachine.errors import AzureError, GroupMissingError, ProviderError
from statemachine.events import GroupRef
from statemachine.secret import Secret

if TYPE_CHECKING:
    from azure.mgmt.containerinstance import ContainerInstanceManagementClient
    from azure.mgmt.resource.resources import ResourceManagementClient

T = TypeVar("T")

USER_AGENT: Final = "devpod-provider-aci"

UNREADABLE: Final = (DeserializationError, HttpResponseError, json.JSONDecodeError, RecursionError)
"""With a status of success: no JSON, or not the JSON that was asked for, or brackets without end."""

PORTAL: Final = "Is a proxy or a captive portal in between? Open a web page in a browser, then try again."

OPERATION_SECONDS: Final = 2.0
"""Time limit of one poll of an operation: it only adds the reason of a failure."""

NO_VERDICT: Final = frozenset({401, 403, 404, 408, 409, 429})
"""Refusals of the poll itself, which say nothing about how the operation ends."""

AMBIGUOUS: Final = frozenset({500, 502, 503, 504})
"""A gateway may answer these after the service behind it has accepted the request."""


class Session:
    """Clients that share one connection pool and one credential."""

    def __init__(self, settings: AzureSettings) -> None:
        silence_libraries()
        check_proxies()
        verify = trusted()
        self.settings = settings
        self.host = urlsplit(settings.manager_url).hostname or ""
        self.transport = TracedTransport(verify=verify, trace=settings.trace)
        self.credential = Credential(settings, verify=verify)
        self.transport.connect_ahead(settings.manager_url)
        self._clients: dict[str, ContainerInstanceManagementClient] = {}

    @property
    def groups(self) -> ContainerInstanceManagementClient:
        """Container groups, containers and locations of the subscription that the settings name."""
        return self._groups_in(self.settings.subscription)

    def groups_of(self, ref: GroupRef) -> ContainerInstanceManagementClient:
        """The same of the subscription that a group is in: the settings may have changed since it was made."""
        return self._groups_in(ref.subscription)

    def _groups_in(self, subscription: str) -> ContainerInstanceManagementClient:
        if subscription not in self._clients:
            from azure.mgmt.containerinstance import ContainerInstanceManagementClient

            self._clients[subscription] = ContainerInstanceManagementClient(
                credential=self.credential, subscription_id=subscription, **self._options()
            )
        return self._clients[subscription]

    @cached_property
    def resources(self) -> ResourceManagementClient:
        """Resource groups and resource providers."""
        # Not at azure.mgmt.resource since 26.0.0 (Azure/azure-sdk-for-python#47651).
        from azure.mgmt.resource.resources import ResourceManagementClient

        return ResourceManagementClient(
            credential=self.credential, subscription_id=self.settings.subscription, **self._options()
        )

    @cached_property
    def _bare(self) -> Any:
        """For addresses Azure gives us, which no generated method takes."""
        base = self.settings.manager_url
        return ARMPipelineClient(base_url=base, policies=self._policies(), transport=self.transport)

    def call(
        self,
        doing: str,
        action: Callable[[], T],
        *,
        secrets: tuple[Secret, ...] = (),
        extra: tuple[retry.Rule, ...] = (),
    ) -> T:
        """Run one SDK call, again while its failure may pass. Raises the ProviderError the failure stands for."""
        attempts = 0

        def once() -> T:
            nonlocal attempts
            attempts += 1
            return action()

        try:
            with within(self.settings.retry_deadline):
                waits = retry.reporter(doing, self.settings.say)
                return retry.repeat(once, self._fault, extra=extra, note=self.transport.note, waits=waits)
        except ProviderError:
            raise
        except Exception as error:
            fault = fault_of(error)
            if fault.kind is Kind.OTHER and isinstance(error, UNREADABLE):
                # Its own text may quote the answer, and the answer may hold a password.
                raise AzureError(
                    f"cannot {doing}: {self.host} answered what is not an answer", remedy=PORTAL
                ) from error
            if fault.kind is Kind.OTHER and not isinstance(error, OSError):
                raise
            found = error_for(fault, doing, self.host, secrets)
            if isinstance(found, AzureError):
                found.attempts = attempts
            raise found from error

    def careful(
        self,
        doing: str,
        action: Callable[[], Answer],
        accepted: Callable[[], bool],
        *,
        secrets: tuple[Secret, ...] = (),
        extra: tuple[retry.Rule, ...] = (),
    ) -> Answer | None:
        """Run a call that must not happen twice.

        Where the answer got lost, ``accepted`` looks whether Azure did it all the same; None means it did.
        """
        doubtful: list[Exception] = []

        def once() -> Answer | None:
            if doubtful:
                try:
                    if accepted():
                        return None
                except ProviderError as error:
                    # Not knowing is no reason to send it again, and no better explanation either.
                    raise doubtful[-1] from error
                doubtful.clear()
            try:
                return action()
            except Exception as error:
                if is_doubtful(fault_of(error)):
                    doubtful.append(error)
                raise

        return self.call(doing, once, secrets=secrets, extra=extra)

    def ask(self, action: Callable[[], object], *, content: bool = True) -> Answer:
        """Run one SDK call with ``cls=keep``; a success is one whatever the SDK thinks of it.

        The SDK raises for a status of success that its specification does not list, and for one field of another
        type than in its models. Where ``content`` matters, it must be a JSON object.
        """
        try:
            return cast("Answer", action())
        except IncompleteReadError:
            raise
        except UNREADABLE as error:
            response: Any = error.response if isinstance(error, HttpResponseError) else self.transport.last
            if response is None or not 200 <= response.status_code < 300:
                raise
            answer = answer_of(response)
            if content and not isinstance(answer.body, dict):
                raise
            return answer

    def group(self, ref: GroupRef) -> Answer | None:
        """One GET of the container group; None when it, or its resource group, is not there."""
        try:
            return self.call(
                f"read container group {ref.name}",
                lambda: self.ask(
                    lambda: self.groups_of(ref).container_groups.get(ref.resource_group, ref.name, cls=keep)
                ),
            )
        except GroupMissingError:
            return None

    def operation(self, url: str) -> Answer | None:
        """One GET of a running operation; None where it cannot be asked at once: the group itself tells as well.

        A refusal that stands is how an operation fails whose address has no status of its own (``Location``).
        """

        def get() -> Answer:
            response = self._bare.send_request(HttpRequest("GET", url))
            answer = answer_of(response)
            if 400 <= answer.status < 500 and answer.status not in NO_VERDICT and isinstance(answer.body, dict):
                return replace(answer, body={**answer.body, "status": "Failed"})
            response.raise_for_status()
            return answer

        try:
            with within(OPERATION_SECONDS):
                return self.call("follow the operation", get)
        except ProviderError:
            return None

    def close(self) -> None:
        """Close connections."""
        self.transport.close()
        self.credential.close()

    def _fault(self, error: BaseException) -> Fault:
        if isinstance(error, ProviderError):
            return Fault(kind=Kind.OTHER)
        fault = fault_of(error)
        if fault.status == 401:
            self.credential.forget()
        return fault

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self.settings.manager_url,
            "credential_scopes": [self.settings.scope],
            "transport": self.transport,
            "policies": self._policies(),
        }

    def _policies(self) -> list[Any]:
        """azure-core's pipeline without its retries (ours is ``retry``), redirects (a token must not follow
        one) and logging, and without the policy that registers resource providers unasked.
        """
        return [
            policies.RequestIdPolicy(),
            policies.HeadersPolicy(),
            policies.UserAgentPolicy(base_user_agent=USER_AGENT),
            policies.ProxyPolicy(),
            AnyErrorDecodePolicy(),
            OneServerPolicy(self.settings.manager_url),
            ARMChallengeAuthenticationPolicy(self.credential, self.settings.scope),
        ]


def is_doubtful(fault: Fault) -> bool:
    """Whether Azure may have accepted a request that failed so."""
    return fault.kind is Kind.LOST or (fault.kind is Kind.ANSWERED and fault.status in AMBIGUOUS)
