"""Groups of verbs that import a verb's module when it is called: DevPod starts us for every call."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group made from a table of verb to module; each module has a command named as its verb."""

    def __init__(
        self, *args: Any, verbs: Mapping[str, str], hidden_verbs: frozenset[str] = frozenset(), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs
        self.hidden_verbs = hidden_verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order people meet them."""
        return [verb for verb in self.verbs if verb not in self.hidden_verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None for a word that is none."""
        if cmd_name not in self.verbs:
            return None
        found = getattr(import_module(self.verbs[cmd_name]), cmd_name.replace("-", "_"))
        return found if isinstance(found, click.Command) else None
