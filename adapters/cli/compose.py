"""The composition root: puts the parts together for one invocation. Azure is connected when first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from msgspec.structs import replace as with_changes

from adapters.azure import AzureGroups, AzureSettings
from adapters.azure.trust import trusted
from adapters.cli.console import say, tracer
from adapters.cli.host import LocalProcesses, SystemClock, host, user
from adapters.devpod import Settings, Target, parse, target
from adapters.devpod.identity import TAG_CREATOR
from adapters.devpod.settings import segment_in
from eventlog import Actor, EventLog, default_path
from statemachine.events import GroupRef
from statemachine.fold import Workspace
from statemachine.lifecycle import World
from statemachine.ports import Presence, Sighting
from statemachine.states import State

PATIENT: Final = 120.0
"""Seconds for which a request that fails for a passing reason is repeated."""
BRISK: Final = 60.0
"""The same for a poll: DevPod does not ask again after a failure, and Azure may name half a minute to wait for."""


@dataclass
class Session:
    """One invocation about one workspace: who asks, for what, with which options, writing where."""

    environ: Mapping[str, str]
    target: Target
    settings: Settings
    patience: float = PATIENT
    say: Callable[[str], None] = say
    _groups: AzureGroups | None = field(default=None, init=False)
    _identity: str = field(default="", init=False)
    _said: str = field(default="", init=False)

    @property
    def subject(self) -> str:
        """The workspace's name in the log."""
        return self.target.subject

    @property
    def trace(self) -> Callable[[str], None]:
        """Takes a line of debugging; nothing becomes of it where nobody asked."""
        return tracer(self.environ) or (lambda _text: None)

    @property
    def groups(self) -> AzureGroups:
        """Azure; importing its SDK takes longer than everything else, so only who needs it asks."""
        if self._groups is None:
            self._groups = AzureGroups(
                azure_settings(self.settings, tracer(self.environ), patience=self.patience, say=self.say)
            )
        return self._groups

    @cached_property
    def log(self) -> EventLog:
        """The event log of this user."""
        path, segment = default_path(self.environ), self.settings.event_log_segment
        return EventLog(path, actor=self.actor, correlation=correlation(), segment=segment)

    @cached_property
    def world(self) -> World:
        """The ports the lifecycle works through."""
        return World(journal=self.log, clock=SystemClock(), processes=LocalProcesses(), look=self.look, say=self.say)

    def actor(self) -> Actor:
        """Who is acting; the Azure identity is known once Azure has been asked."""
        return Actor(user=user(), host=host(), azure=self._groups.identity() if self._groups else self._identity)

    def group(self, workspace: Workspace) -> GroupRef:
        """The group this workspace has, whatever options changed since; else the one it would get."""
        known = workspace.group if workspace.state is not State.ABSENT else None
        return known or GroupRef(
            subscription=self.settings.subscription,
            resource_group=self.settings.resource_group,
            name=self.target.group_name,
            container=self.target.container_name,
        )

    def look(self, workspace: Workspace) -> Sighting:
        """One poll of Azure. A group that this log knows nothing of may be a colleague's: say whose it is."""
        sighting = self._look_through_holder(workspace) or self.groups.look(self.group(workspace))
        if workspace.state is State.ABSENT and sighting.presence is not Presence.ABSENT:
            # Azure does not tell tag names apart by case, and may give them back in another one.
            tags = {name.lower(): value for name, value in sighting.tags.items()}
            maker = tags.get(TAG_CREATOR, "somebody unnamed")
            line = f"container group {self.group(workspace).name} is there already, made by {maker}"
            if line != self._said:
                self.say(line)
                self._said = line
            if sighting.facts is not None:
                named = with_changes(sighting.facts, name=self.target.name)
                sighting = with_changes(sighting, facts=named)
        return sighting

    def _look_through_holder(self, workspace: Workspace) -> Sighting | None:
        """A poll over the holder's connection, where there is one: no sign-in, and the SDK stays unloaded."""
        if workspace.state is not State.RUNNING or self._groups is not None or os.name != "posix":
            return None
        from adapters.cli.polls import ask
        from adapters.cli.sockets import holder_socket

        socket = holder_socket(self, workspace)
        seen = ask(socket, self.group(workspace)) if socket else None
        if seen is None:
            return None
        self._identity = seen.identity
        return seen.sighting


def session(environ: Mapping[str, str] = os.environ, *, patience: float = PATIENT) -> Session:
    """The invocation that an environment describes. Raises OptionError, UnsupportedError."""
    about = target(environ, creator=f"{user()}@{host()}")
    return Session(environ=environ, target=about, settings=parse(environ, about.mode), patience=patience)


def azure_settings(
    settings: Settings,
    trace: Callable[[str], None] | None,
    *,
    patience: float,
    say: Callable[[str], None] | None = None,
) -> AzureSettings:
    """What the Azure adapter needs of the options; ``patience`` is how many seconds a failing request is repeated."""
    credentials = settings.credentials
    return AzureSettings(
        subscription=settings.subscription,
        auth=credentials.mode,
        tenant=credentials.tenant,
        client_id=credentials.client_id,
        client_secret=credentials.client_secret or None,
        identity_client_id=credentials.identity_client_id,
        authority_host=settings.authority_host,
        resource_manager_url=settings.resource_manager_url,
        deadline=settings.operation_timeout,
        retry_deadline=patience,
        say=say,
        trace=trace,
    )


def own_log(environ: Mapping[str, str]) -> EventLog:
    """The user's own log, for verbs that are about no workspace. Raises LogError, OptionError."""
    me = Actor(user=user(), host=host())
    return EventLog(default_path(environ), actor=lambda: me, correlation=correlation(), segment=segment_in(environ))


def correlation() -> str:
    """One id for everything this invocation writes."""
    from uuid import uuid4

    return str(uuid4())


def ca_file(environ: Mapping[str, str]) -> str | None:
    """The certificates that the tunnel trusts, which are those of REST; None leaves it to the system.

    Raises OptionError for a file that is not there.
    """
    found = trusted(environ)
    return found if isinstance(found, str) else None
