"""Would a workspace work here? Asked by ``init`` before anything is made; nothing is changed.

A role on one resource group cannot read what is kept per subscription: a 403 there is a note, no problem. So is a
question that is not known where we ask: whether a workspace works does not depend on the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from adapters.azure.findings import Finding, Level
from adapters.azure.resource_group import find as find_resource_group
from adapters.azure.session import Session
from statemachine.errors import (
    AccessDeniedError,
    AzureError,
    CapacityError,
    GroupMissingError,
    NotRegisteredError,
    OptionError,
    ProviderError,
    QuotaError,
)

NAMESPACE: Final = "Microsoft.ContainerInstance"
RESOURCE_TYPE: Final = "containerGroups"


def check(session: Session, resource_group: str, location: str, *, cpu: float, memory_gb: float) -> list[Finding]:
    """Everything looked at, in order; credentials that do not work end it at once."""
    try:
        session.credential.get_token_info(session.settings.scope)
    except ProviderError as error:
        return [_problem("credentials", error)]
    found = [_ok("credentials", f"signed in as {session.credential.identity or 'somebody Azure does not name'}")]
    for subject, looks in (
        ("resource group", lambda: _resource_group(session, resource_group, location)),
        ("provider", lambda: _provider(session, location)),
        ("capacity", lambda: _capacity(session, location, cpu, memory_gb)),
        ("quota", lambda: _quota(session, location, cpu)),
    ):
        found += _tolerant(subject, looks)
    return found


def _tolerant(subject: str, looks: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(looks())
    except AccessDeniedError as error:
        return [Finding(subject=subject, level=Level.NOTE, text=f"not checked: {error}")]
    except ProviderError as error:
        if _is_not_offered(error):
            return [Finding(subject=subject, level=Level.NOTE, text=f"not checked: {error}")]
        return [_problem(subject, error)]
    except (TypeError, AttributeError) as error:
        # Of lists that are missing or have holes; the SDK's models do not say that they may be.
        return [Finding(subject=subject, level=Level.NOTE, text=f"not checked: Azure's answer has a gap ({error})")]


def _is_not_offered(error: ProviderError) -> bool:
    """Whether who answers knows no such question: a private cloud may serve container groups and no more of Azure."""
    return isinstance(error, GroupMissingError) or (isinstance(error, AzureError) and error.http_status in (405, 501))


def _resource_group(session: Session, name: str, location: str) -> Iterator[Finding]:
    found = find_resource_group(session, name)
    if found is None:
        text = f"{name} is not there; the first workspace creates it in {location}"
        yield Finding(subject="resource group", level=Level.NOTE, text=text)
    else:
        yield _ok("resource group", f"{name} is there, in {found.location}")


def _provider(session: Session, location: str) -> Iterator[Finding]:
    provider = session.call(f"read resource provider {NAMESPACE}", lambda: session.resources.providers.get(NAMESPACE))
    state = provider.registration_state or "unknown"
    if state.lower() not in ("registered", "registering"):
        yield _problem("provider", NotRegisteredError(f"{NAMESPACE} is {state} in this subscription"))
    else:
        yield _ok("provider", f"{NAMESPACE} is {state}")
    regions = [
        region
        for kind in provider.resource_types or []
        if (kind.resource_type or "").lower() == RESOURCE_TYPE.lower()
        for region in kind.locations or []
    ]
    if regions and plain(location) not in {plain(region) for region in regions}:
        known = ", ".join(sorted(plain(region) for region in regions))
        remedy = f"Choose one of {known}."
        yield _problem("region", OptionError("AZURE_REGION", f"{location!r} has no container groups", remedy=remedy))
    elif regions:
        yield _ok("region", f"{location} has container groups")


def _capacity(session: Session, location: str, cpu: float, memory_gb: float) -> Iterator[Finding]:
    """The largest group the region runs on Linux without a GPU; the answer comes in pages."""
    items: list[Any] = session.call(
        f"read the capabilities of {location}", lambda: list(session.groups.location.list_capabilities(location))
    )
    sizes = [
        (float(limits.max_cpu or 0), float(limits.max_memory_in_gb or 0))
        for item in items
        if (limits := item.capabilities) and (item.os_type or "").lower() == "linux" and not limits.max_gpu_count
    ]
    if not sizes:
        yield Finding(subject="capacity", level=Level.NOTE, text=f"Azure names no limits for {location}")
        return
    most_cpu, most_memory = max(size[0] for size in sizes), max(size[1] for size in sizes)
    text = f"{location} runs groups of up to {most_cpu:g} vCPU and {most_memory:g} GB"
    if cpu > most_cpu or memory_gb > most_memory:
        yield _problem("capacity", CapacityError(f"{text}, which is less than {cpu:g} vCPU and {memory_gb:g} GB"))
    else:
        yield _ok("capacity", text)


def _quota(session: Session, location: str, cpu: float) -> Iterator[Finding]:
    """Usage against limit, by the names of the usage API, such as ContainerGroups and StandardCores."""
    wanted = {"containergroups": 1.0, "standardcores": cpu}
    items: list[Any] = session.call(
        f"read the usage in {location}", lambda: list(session.groups.location.list_usage(location))
    )
    for item in items:
        name = (item.name.value if item.name else None) or ""
        more = wanted.get(name.lower())
        if more is None or item.limit is None:
            continue
        used, limit = float(item.current_value or 0), float(item.limit)
        text = f"{name}: {used:g} of {limit:g} used in {location}"
        if used + more > limit:
            yield _problem("quota", QuotaError(f"{text}, {more:g} more would not fit"))
        else:
            yield _ok("quota", text)


def plain(region: str) -> str:
    """A region's short name: "West Europe" and "westeurope" are the same place."""
    return region.replace(" ", "").lower()


def _ok(subject: str, text: str) -> Finding:
    return Finding(subject=subject, level=Level.OK, text=text)


def _problem(subject: str, error: ProviderError) -> Finding:
    return Finding(subject=subject, level=Level.PROBLEM, text=str(error), error=error)
