"""``--workspace``: names a workspace of the log, from which the variables follow that DevPod would have set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import click

from adapters.cli.call_error import CallError
from adapters.cli.compose import own_log
from adapters.cli.unicode_text import unicode_text
from adapters.devpod.identity import variables_of

WORKSPACE: Final = click.option(
    "-w",
    "--workspace",
    type=unicode_text,
    metavar="NAME",
    help="Of this workspace, as `history` calls it; DevPod says that otherwise.",
)


def environment(workspace: str | None) -> Mapping[str, str]:
    """The environment in which a verb is about a workspace of the log; ours as it is when none is named.

    How to sign in is left to the environment. Raises CallError for a name without a container group, LogError.
    """
    if workspace is None:
        return os.environ
    log = own_log(os.environ)
    group = log.recall(workspace).group
    if group is None:
        raise CallError(
            f"{log.path} has no container group of a workspace {workspace}; `devpod-provider-aci history` shows them"
        )
    where = {"AZURE_SUBSCRIPTION_ID": group.subscription, "AZURE_RESOURCE_GROUP": group.resource_group}
    return {**os.environ, **where, **variables_of(workspace, group.name)}
