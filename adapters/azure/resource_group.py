"""The resource group: found, or made if absent. It is never deleted; others may use it too."""

from __future__ import annotations

from typing import Any, Final

from adapters.azure.answer import keep
from adapters.azure.session import Session
from statemachine.errors import AccessDeniedError, GroupMissingError

TAGS: Final = {"managed-by": "devpod-provider-aci"}


def find(session: Session, name: str) -> Any | None:
    """The resource group, or None. Raises AccessDeniedError where it may not be read."""
    try:
        return session.call(
            f"read resource group {name}", lambda: session.resources.resource_groups.get(resource_group_name=name)
        )
    except GroupMissingError:
        return None


def ensure(session: Session, name: str, location: str) -> bool:
    """Make the resource group if it is not there; True if it was made."""
    try:
        if find(session, name) is not None:
            return False
    except AccessDeniedError:
        # A role on container groups alone cannot read their resource group. The group's own PUT will tell.
        return False
    from azure.mgmt.resource.resources.models import ResourceGroup

    wanted = ResourceGroup(location=location, tags=dict(TAGS))
    session.call(
        f"create resource group {name}",
        lambda: session.ask(
            lambda: session.resources.resource_groups.create_or_update(
                resource_group_name=name, parameters=wanted, cls=keep
            ),
            content=False,
        ),
    )
    return True
