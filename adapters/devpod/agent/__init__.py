"""DevPod's agent: which one the user's DevPod wants, and how it comes into the container without being pushed."""

from __future__ import annotations

from adapters.devpod.agent.placing import IN_CONTAINER, asked, at_start, before_asked, pushed_without_download
from adapters.devpod.agent.release import Release, wanted_release

__all__ = [
    "IN_CONTAINER",
    "Release",
    "asked",
    "at_start",
    "before_asked",
    "pushed_without_download",
    "wanted_release",
]
