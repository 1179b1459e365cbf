"""What Azure would refuse, found before it is asked (reference: resource naming rules, service FAQ)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from statemachine.errors import NameRefusedError, OptionError

if TYPE_CHECKING:
    from adapters.azure.order import GroupOrder

NAME: Final = re.compile(r"(?!.*--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DNS_LABEL: Final = re.compile(r"[a-z][a-z0-9-]{3,61}[a-z0-9]")
VOLUME: Final = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{3,61}[a-z0-9]")
RESOURCE_GROUP: Final = re.compile(r"[-\w._()]{0,89}[-\w_()]")

MAX_TAGS: Final = 50
MAX_TAG: Final = 256
MAX_TAG_NAME: Final = 512


def check_order(order: GroupOrder) -> None:
    """Raise NameRefusedError or OptionError for what Azure is known to refuse."""
    for kind, name, rule, words in _names(order):
        if not rule.fullmatch(name):
            raise NameRefusedError(f"Azure refuses {name!r} as the name of a {kind}: it takes {words}")
    if complaint := next(_complaints(order), None):
        option, text, remedy = complaint
        raise OptionError(option, text, remedy=remedy)


def _names(order: GroupOrder) -> Iterator[tuple[str, str, re.Pattern[str], str]]:
    plain = "1-63 lower-case letters, digits and single hyphens, not at either end"
    yield ("container group", order.ref.name, NAME, plain)
    yield ("container", order.ref.container, NAME, plain)
    words = "1-90 letters, digits, '-', '_', '.', '(' and ')', not ending in a dot"
    yield ("resource group", order.ref.resource_group, RESOURCE_GROUP, words)
    if order.facts.dns_label:
        words = "5-63 lower-case letters, digits and hyphens, a letter first and no hyphen last"
        yield ("DNS label", order.facts.dns_label, DNS_LABEL, words)
    for volume in order.volumes:
        yield ("volume", volume.name, VOLUME, "5-63 lower-case letters, digits and single hyphens, not at either end")


Complaint = tuple[str, str, str]
"""The option, what is wrong with it, and the remedy."""


def _complaints(order: GroupOrder) -> Iterator[Complaint]:
    for complaints in (_facts, _address, _tags, _volumes):
        yield from complaints(order)


def _facts(order: GroupOrder) -> Iterator[Complaint]:
    if not order.facts.image:
        yield ("WORKSPACE_IMAGE", "no image", "Name an image.")
    if not order.facts.location:
        yield ("AZURE_REGION", "no region", "Name a region, for example westeurope.")
    if order.facts.cpu <= 0 or order.facts.memory_gb <= 0:
        yield ("ACI_CPU_CORES", "CPU and memory must be more than zero", "Set ACI_CPU_CORES and ACI_MEMORY_GB.")


def _address(order: GroupOrder) -> Iterator[Complaint]:
    if order.facts.dns_label and not order.facts.ports:
        # We open no port that nobody asked for: the label makes it reachable from the whole internet.
        yield ("ACI_DNS_LABEL", "a DNS label needs at least one open port", "Name a port, or leave out the label.")


def _tags(order: GroupOrder) -> Iterator[Complaint]:
    if len(order.tags) >= MAX_TAGS:
        yield ("tags", f"{len(order.tags)} tags, but there is room for {MAX_TAGS - 1}", "Use fewer tags.")
    for name, value in order.tags.items():
        if len(value) > MAX_TAG or not 1 <= len(name) <= MAX_TAG_NAME:
            yield ("tags", f"tag {name[:40]!r} is too long: a value takes {MAX_TAG} characters", "Shorten it.")


def _volumes(order: GroupOrder) -> Iterator[Complaint]:
    for volume in order.volumes:
        if ":" in volume.mount_path or not volume.mount_path.startswith("/"):
            yield ("volumes", f"cannot mount at {volume.mount_path!r}", "Use an absolute path without a colon.")
