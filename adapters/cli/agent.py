"""DevPod's agent in the container, for the verbs: what ``adapters.devpod.agent`` needs of this invocation."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from adapters.cli.compose import Session
from adapters.devpod import RunPlan
from eventlog import default_path

_CACHE: Final = "agent.json"


def with_agent(current: Session, plan: RunPlan) -> RunPlan:
    """The plan of a container that has DevPod's agent fetched while it starts, where that can be."""
    from adapters.devpod.agent import at_start, wanted_release

    release = wanted_release(current.environ, current.settings, _cache(current))
    if release is None:
        current.trace("agent: the container is not told to fetch one")
    return at_start(plan, release, _path(current))


def awaiting_agent(current: Session, text: str) -> str:
    """The text of a command that looks for DevPod's agent, waiting for one that is on its way."""
    from adapters.devpod.agent import asked, before_asked, pushed_without_download, wanted_release

    text = pushed_without_download(text)
    wanted = asked(text)
    if wanted is None:
        return text
    release = wanted_release(current.environ, current.settings, _cache(current), wanted.url)
    if release is None or release.version != wanted.version:
        return text
    return before_asked(text, release, wanted.path)


def _path(current: Session) -> str:
    from adapters.devpod.agent import IN_CONTAINER

    return current.settings.agent_path if current.target.mode == "machine" else IN_CONTAINER


def _cache(current: Session) -> Path:
    return default_path(current.environ).with_name(_CACHE)
