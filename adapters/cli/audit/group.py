"""audit: the group of verbs that answer from the event log alone."""

from __future__ import annotations

from typing import Any, Final

import click

from adapters.cli.audit.filters import filter_options, limit_option
from adapters.cli.audit.source import Source, from_option
from adapters.cli.call_error import CallError
from adapters.cli.lazy import LazyGroup

AUDIT_VERBS: Final[dict[str, str]] = {
    "who": "adapters.cli.audit.who",
    "cost": "adapters.cli.audit.cost",
    "report": "adapters.cli.audit.report",
    "export": "adapters.cli.audit.ship",
    "ship": "adapters.cli.audit.ship",
    "sql": "adapters.cli.audit.sql",
    "writers": "adapters.cli.audit.writers",
    "key": "adapters.cli.audit.trust",
    "seal": "adapters.cli.audit.trust",
    "archive": "adapters.cli.audit.retention",
    "expire": "adapters.cli.audit.retention",
}
"""Where each verb of the group lives; a module is imported when its verb is called."""

OWN_LOG: Final = frozenset({"ship", "key", "seal", "archive", "expire"})
"""Verbs that sign, send or shorten: they act on the user's own log, whatever else may be read."""


@click.group(cls=LazyGroup, verbs=AUDIT_VERBS, invoke_without_command=True)
@from_option
@filter_options
@limit_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--follow", "-f", is_flag=True, help="Go on, and show what is recorded from now on.")
@click.pass_context
def audit(ctx: click.Context, /, *, source: Source, **options: Any) -> None:
    """Show who did what, when, from where, as whom in Azure, and how it ended.

    Without a verb: the operations that all filters agree on, newest last. Times are UTC.
    """
    if ctx.invoked_subcommand is None:
        from adapters.cli.audit.listing import show

        show(source, **options)
        return
    if ctx.invoked_subcommand in OWN_LOG and (source.chosen is not None or source.writers):
        raise CallError(f"{ctx.invoked_subcommand} acts on your own log; --from and --writer belong to verbs that read")
    given = [
        parameter.opts[0]
        for parameter in ctx.command.params
        if parameter.name in options
        and ctx.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise CallError(f"{given[0]} belongs behind the verb: audit {ctx.invoked_subcommand} {given[0]} …")
