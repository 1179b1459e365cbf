"""Which release of DevPod's agent a container may fetch by itself: its version, where it is and what it must hash to.

The reference is the DevPod the user runs: the release's command line for Linux *is* the agent (pkg/agent/inject.go
pushes its own executable), so its hash is the hash of what is fetched. DevPod publishes no checksums beside its
releases (.github/workflows/release.yaml), so where that reference is missing another one must be given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from adapters.devpod.agent.local import Binary, is_ours_alone, known
from adapters.devpod.settings import Settings

ASSET: Final = "devpod-linux-amd64"
"""The release's file for what Container Instances runs (pkg/inject/download_urls.go)."""
RELEASES: Final = "https://github.com/loft-sh/devpod/releases/download/${VERSION}"
UNRELEASED: Final = "v0.0.0"
"""What a DevPod that somebody built says of itself (pkg/version)."""

_USUAL: Final = 85_000_000
"""The size of 0.6.15's, in bytes."""
_VERSION: Final = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?")
_ADDRESS: Final = re.compile(r"https?://[^\s\x00-\x1f\x7f]+")


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One file of one release."""

    version: str
    sha256: str
    size: int
    """In bytes; a guess where only the hash is known."""
    url: str


def wanted_release(environ: Mapping[str, str], settings: Settings, cache: Path, told: str = "") -> Release | None:
    """The release that the user's DevPod wants to find in the container.

    ``told`` is the address DevPod itself would take it from, where the caller knows; ``cache`` is a file that spares
    later calls a hash over the binary. None where there is no release, or none that could be checked.
    """
    if not settings.agent_fetch or not environ.get("DEVPOD"):
        return None
    here = known(Path(environ["DEVPOD"]), cache)
    if here.version == UNRELEASED or not _VERSION.fullmatch(here.version):
        return None
    file = here if here.sha256 or settings.agent_sha256 else _pushed(cache)
    sha256, size = (settings.agent_sha256, _USUAL) if settings.agent_sha256 else (file.sha256, file.size)
    if not sha256:
        return None
    # What was told to us alone comes first; the rest is DevPod's own order (pkg/agent/agent.go).
    base = settings.agent_url or environ.get("DEVPOD_AGENT_URL", "") or RELEASES
    url = told if told and not settings.agent_url else address(base, here.version)
    if not _ADDRESS.fullmatch(url):
        return None
    return Release(version=here.version, sha256=sha256, size=size, url=url)


def address(base: str, version: str) -> str:
    """The agent's address below ``base``: DevPod's rules (pkg/inject/download_urls.go), and ``${VERSION}``."""
    base = base.replace("${VERSION}", version)
    if "${BIN_NAME}" in base:
        return base.removesuffix("/").replace("${BIN_NAME}", ASSET, 1)
    folder, question, query = base.partition("?")
    return f"{folder.rstrip('/')}/{ASSET}{question}{query}"


def _pushed(cache: Path) -> Binary:
    """The agent DevPod would push from a computer that is no Linux one: it keeps one for that (pkg/agent/inject.go).

    Where everybody has the same temporary folder, anybody may have made that file: it is never run, and its hash counts
    only where it can be nobody else's.
    """
    from tempfile import gettempdir

    path = Path(gettempdir()) / "devpod-cache" / ASSET
    return known(path, cache, run=False) if is_ours_alone(path) else Binary()
