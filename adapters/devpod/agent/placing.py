"""The agent is in the container before DevPod asks for it.

A container's first process starts ``place.sh`` beside itself; what DevPod sends to look for the agent is preceded by
``await.sh``. All of it is POSIX shell, for an image owes us nothing but ``/bin/sh``.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from adapters.devpod.agent.release import ASSET, Release
from adapters.devpod.plan import RunPlan
from statemachine.secret import Secret

VARIABLE: Final = "DEVPOD_ACI_AGENT"
"""Tells the first process what to fetch. A secure value, as an address may hold a signature."""
IN_CONTAINER: Final = "/usr/local/bin/devpod"
"""Where DevPod has its agent in a dev container (pkg/agent/agent.go)."""

_SHELL: Final = "/bin/sh"
_FOLDER: Final = Path(__file__).parent
_FOLDER_LINE: Final = re.compile(r'^INSTALL_DIR="(/[^"$`\\]*)"$', re.MULTILINE)
_NAME_LINE: Final = re.compile(r'^INSTALL_FILENAME="([^"$`\\/]+)"$', re.MULTILINE)
_VERSION_LINE: Final = re.compile(r" version 2>/dev/null .*\" != \"([^\"]+)\" \]", re.MULTILINE)
_ADDRESS_LINE: Final = re.compile(rf'^ *DOWNLOAD_URL="([^"$`\\\s]*{ASSET}[^"$`\\\s]*)"$', re.MULTILINE)


_DOWNLOAD: Final = re.compile(r"^download\(\) \{\n.*?^\}$", re.MULTILINE | re.DOTALL)
_GIVEN_UP: Final = (
    (re.compile(r"\bexit (\d+)$", re.MULTILINE), r"return \1"),
    (re.compile(r"^( *max_iteration=)\d+$", re.MULTILINE), r"\g<1>1"),
    (re.compile(r'^( *)(echo "error: no download tool)', re.MULTILINE), r"\1>&2 \2"),
)
"""What ends DevPod's download, and what becomes of it: one try, an end that is not the script's, a word on stderr."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What DevPod's own script (pkg/inject/inject.sh) looks for."""

    path: str
    version: str
    url: str


def at_start(plan: RunPlan, release: Release | None, path: str) -> RunPlan:
    """The plan whose first process has the agent fetched; the same plan where no shell is that process."""
    if release is None or not plan.command or plan.command[0] != _SHELL:
        return plan
    return msgspec.structs.replace(
        plan,
        command=(_SHELL, "-c", program("start"), "sh", program("facts", "place"), *plan.command),
        environment={**plan.environment, VARIABLE: Secret(_facts(release, path))},
    )


def asked(text: str) -> Asked | None:
    """What a command that DevPod sends looks for; None when it is not, or no longer, the script we know."""
    found = [line.search(text) for line in (_FOLDER_LINE, _NAME_LINE, _VERSION_LINE, _ADDRESS_LINE)]
    folder, name, version, url = [each.group(1) if each else "" for each in found]
    if not (folder and name and version):
        return None
    return Asked(path=f"{folder.rstrip('/')}/{name}", version=version, url=url)


def pushed_without_download(text: str) -> str:
    """DevPod's script, told to ask for the agent where there is none to be downloaded.

    In a machine it prefers ``download || inject``, and never comes to the second: its download ends the script, after
    half a minute, and DevPod begins again until it gives up. Any other text stays as it is.
    """

    def resigned(found: re.Match[str]) -> str:
        body = found[0]
        for pattern, instead in _GIVEN_UP:
            body = pattern.sub(instead, body)
        return body

    return _DOWNLOAD.sub(resigned, text, count=1)


def before_asked(text: str, release: Release, path: str) -> str:
    """DevPod's script, told to begin when the agent is there or will not come soon."""
    words = [_SHELL, "-c", program("facts", "await"), "await", program("facts", "place"), _facts(release, path)]
    return f"{shlex.join(words)} </dev/null >/dev/null 2>&1 || :\n{text}"


@cache
def program(*names: str) -> str:
    """The programs of these names as one text, without what is said to people only."""
    lines = "".join((_FOLDER / f"{name}.sh").read_text(encoding="utf-8") for name in names).splitlines()
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def _facts(release: Release, path: str) -> str:
    return f"{release.version} {release.sha256} {release.size // 1000} {release.url} {path}"
