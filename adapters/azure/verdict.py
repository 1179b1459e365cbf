"""Why a group does not come up: Azure's events and end states, read as one of our errors.

A failed operation has no ``error`` object: its reason is in its events (Azure/Azure-Landing-Zones#2404),
and a group whose image cannot be pulled stays in Waiting for half an hour before it fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from adapters.azure.observed import ContainerEvent, Observed
from statemachine.errors import AzureError, CapacityError, ImageError, ProvisioningError, QuotaError, bounded
from statemachine.ports import Presence

GIVE_UP: Final = (
    "Delete the workspace (`devpod delete`) and create it again; until then Azure may go on trying, and billing."
)
"""Ends the hint of what leaves a group behind."""
EXITED: Final = f"The image's process must keep running: check the image and its command. {GIVE_UP}"
IMAGE: Final = f"{ImageError.remedy} {GIVE_UP}"
MOUNT: Final = f"Check the storage account, its key and the share. {GIVE_UP}"

CRASHES: Final = 3
"""A container that has been restarted this often without staying up will not."""


class Sign(NamedTuple):
    """An event that tells how the wait will end."""

    name: re.Pattern[str]
    message: re.Pattern[str]
    error: type[AzureError]
    text: str
    repeats: int
    """How often it must have happened; a first failure to pull may be a passing one."""
    remedy: str | None = None


def _re(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


SIGNS: Final = (
    Sign(_re("InsufficientCapacity"), _re(""), CapacityError, "the region has no room for it", 1),
    Sign(_re(""), _re("requested resource is not available"), CapacityError, "the region has no room for it", 1),
    Sign(_re("Quota"), _re(""), QuotaError, "the quota is used up", 1),
    Sign(
        _re("Fail|BackOff|Err|Inaccessible"),
        _re(
            "(pull|image).*(not found|no such|unauthori[sz]ed|denied|manifest unknown|does not exist|not accessible"
            "|no match(ing)? .*platform|invalid reference)"
        ),
        ImageError,
        "its image cannot be pulled",
        1,
        IMAGE,
    ),
    Sign(_re("BackOff|ImagePullBackOff"), _re("back-?off pulling"), ImageError, "its image cannot be pulled", 1, IMAGE),
    Sign(
        _re("Fail|ErrImagePull"),
        _re("failed to pull|pulling image"),
        ImageError,
        "its image cannot be pulled",
        2,
        IMAGE,
    ),
    Sign(_re("FailedMount|FailedAttachVolume"), _re(""), ProvisioningError, "a volume cannot be mounted", 1, MOUNT),
)
"""Texts as recorded and documented (Container Instances troubleshooting; REST examples)."""


def of_events(events: Iterable[ContainerEvent], doing: str) -> AzureError | None:
    """The error the newest telling event stands for; None while there is hope."""
    for event in sorted(events, key=lambda item: item.last, reverse=True):
        for sign in SIGNS:
            fits = sign.name.search(event.name) and sign.message.search(event.message)
            if fits and event.type != "Normal" and event.count >= sign.repeats:
                said, text = bounded(event.message, 400), f"Azure could not {doing}: {sign.text}"
                return sign.error(text, code=event.name.rstrip("."), azure_message=said, remedy=sign.remedy)
    return None


def of_group(seen: Observed, news: tuple[ContainerEvent, ...], doing: str, log: str = "") -> AzureError | None:
    """Why the group will not run, if that is certain; ``news`` are the events of this attempt."""
    if seen.presence is Presence.RUNNING:
        return None
    if telling := of_events(news, doing):
        return telling
    if seen.presence is Presence.FAILED:
        return ProvisioningError(f"Azure could not {doing}: {seen.detail}", remedy=GIVE_UP)
    crashing = seen.presence is Presence.PENDING and (
        seen.restarts >= CRASHES or "crashloop" in seen.detail_status.replace(" ", "").lower()
    )
    if seen.presence is Presence.STOPPED or crashing:
        return ended(seen, news, doing, log)
    return None


def ended(seen: Observed, news: tuple[ContainerEvent, ...], doing: str, log: str) -> AzureError:
    """The container ran and is not running any more, or does not stay up."""
    code = seen.exit_code if seen.exit_code is not None else seen.previous_exit_code
    facts = ["the container does not stay up" if seen.restarts else "the container ended at once"]
    if code is not None:
        facts.append(f"exit code {code}")
    if seen.detail_status:
        facts.append(seen.detail_status)
    facts += [f"{event.name}: {event.message}" for event in news if event.warning][-2:]
    text = f"Azure could not {doing}: {bounded(', '.join(facts), 400)}"
    if log:
        text += f"; its last output: {bounded(log[-400:], 300)}"
    return ProvisioningError(text, remedy=EXITED)
