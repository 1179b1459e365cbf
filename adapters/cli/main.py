"""The ``devpod-provider-aci`` command: finds the verb, runs it, turns every error into one line and a status."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

import click
from click.exceptions import NoArgsIsHelpError

from adapters.cli.console import (
    UNWRITTEN,
    debugging,
    fill_closed_streams,
    flush_streams,
    replace_unencodable,
    report_if_unwritable,
    say,
)
from adapters.cli.lazy import LazyGroup
from adapters.cli.leaving import leave
from statemachine.errors import InternalError, ProviderError, one_line

VERBS: Final = {
    "init": "adapters.cli.setup",
    "options": "adapters.cli.setup",
    "manifest": "adapters.cli.setup",
    "create": "adapters.cli.lifecycle",
    "start": "adapters.cli.lifecycle",
    "stop": "adapters.cli.lifecycle",
    "delete": "adapters.cli.lifecycle",
    "status": "adapters.cli.lifecycle",
    "run": "adapters.cli.container",
    "find": "adapters.cli.container",
    "logs": "adapters.cli.container",
    "target-architecture": "adapters.cli.container",
    "command": "adapters.cli.command",
    "shell": "adapters.cli.shell",
    "tunnel-holder": "adapters.cli.holder",
    "history": "adapters.cli.history",
    "verify": "adapters.cli.history",
    "audit": "adapters.cli.audit.group",
    "replay": "adapters.cli.audit.replay",
    "explain": "adapters.cli.audit.explain",
}
"""Where each verb lives; a module is imported when its verb is called, for DevPod starts us for every call."""

HIDDEN: Final = frozenset({"tunnel-holder"})

READ_BY_PEOPLE: Final = frozenset({"options", "logs", "history", "verify", "audit", "replay", "explain"})
"""Verbs whose answer is of use with a character missing; DevPod gets its own exactly, or an error."""


@click.command(
    cls=LazyGroup, verbs=VERBS, hidden_verbs=HIDDEN, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="devpod-provider-aci")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run DevPod's dev containers on Azure Container Instances.

    DevPod calls most of these verbs and passes options, machine and workspace in the environment; `shell`, `logs`,
    `history`, `verify`, `audit`, `replay`, `explain`, `options` and `manifest` are for people.
    """
    if ctx.invoked_subcommand in READ_BY_PEOPLE:
        replace_unencodable()


def main() -> None:
    """Entry point of the console script; never returns."""
    fill_closed_streams()
    leave(flush_streams(run(sys.argv[1:])))


def run(arguments: list[str]) -> int:
    """Run one verb and give the exit status; whatever goes wrong becomes one line on stderr."""
    try:
        status = cli.main(arguments, prog_name="devpod-provider-aci", standalone_mode=False)
    except ProviderError as error:
        say(f"error: {error}")
        return error.exit_status
    except NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        say(f"error: {one_line(_with_help(error))}")
        return error.exit_code
    except click.Abort:
        return 130
    except Exception as error:  # noqa: BLE001  # the last line of defence: no traceback reaches a user
        if report_if_unwritable(error):
            return UNWRITTEN
        if debugging(os.environ):
            import traceback

            traceback.print_exc()
        defect = _defect(error)
        say(f"error: {defect}")
        return defect.exit_status
    return status if isinstance(status, int) else 0


def _defect(error: Exception) -> InternalError:
    """What is said of an error that nobody expected."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return InternalError(os.strerror(error.errno), remedy="Raise the limit (`ulimit -n`), or end other programs.")
    return InternalError(one_line(f"unexpected {type(error).__name__}: {error}"))


def _with_help(error: click.ClickException) -> str:
    """What was wrong with the call; for what click itself refused, where the right one is shown."""
    said = error.format_message()
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    return f"{said.rstrip('.')}. See `{where} --help`." if where else said
