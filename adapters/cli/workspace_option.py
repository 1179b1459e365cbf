"""``--workspace``: names a workspace of the log, from which the variables follow that DevPod would have set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import click

from adapters.cli.call_error import CallError
from adapters.cli.compose import own_log
from adapters.cli.unicode_text import unicode_text
from adapters.devpod.identity import variables_of

if TYPE_CHECKING:
    from eventlog import EventLog

WORKSPACE: Final = click.option(
    "-w",
    "--workspace",
    type=unicode_text,
    metavar="NAME",
    help="Of this workspace, by its name or the id that `history` shows; DevPod says that otherwise.",
)


def environment(workspace: str | None) -> Mapping[str, str]:
    """The environment in which a verb is about a workspace of the log; ours as it is when none is named.

    How to sign in is left to the environment. Raises CallError for a name without a container group, LogError.
    """
    if workspace is None:
        return os.environ
    log = own_log(os.environ)
    subject = workspace if log.recall(workspace).group else _called(log, workspace)
    group = log.recall(subject).group
    if group is None:
        raise CallError(
            f"{log.path} has no container group of a workspace {workspace}; `devpod-provider-aci history` shows them"
        )
    where = {"AZURE_SUBSCRIPTION_ID": group.subscription, "AZURE_RESOURCE_GROUP": group.resource_group}
    return {**os.environ, **where, **variables_of(subject, group.name)}


def _called(log: EventLog, name: str) -> str:
    """The subject of the workspace that people call so; the name itself where there is none.

    Raises CallError where several of that name exist at once.
    """
    from eventlog.audit.names import called

    found, exist = called(name, log.states(verified=False))
    if exist and len(found) > 1:
        raise CallError(f"{len(found)} workspaces are called {name}: {', '.join(found)}; say which of them")
    return found[0] if found else name
