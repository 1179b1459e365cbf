"""Groups of verbs that import a verb's module when it is called: DevPod starts us for every call."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from sys import maxsize
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with the whole first sentence of their help: cut to a line, many lose what tells them apart."""
        found = ((verb, self.get_command(ctx, verb)) for verb in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(verb, command.get_short_help_str(maxsize)) for verb, command in found if command])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that is called; for a word that is none, the error names the one that is most like it."""
        word = args[0]
        if word not in self.verbs and not word.startswith("-"):
            from difflib import get_close_matches

            for meant in get_close_matches(word, self.list_commands(ctx), 1):
                ctx.fail(f"No such command {word!r}, but there is {meant!r}.")
        return super().resolve_command(ctx, args)
