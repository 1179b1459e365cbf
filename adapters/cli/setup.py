"""init, options, manifest: what a person or DevPod calls before there is a workspace."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import click

from adapters.cli.call_error import CallError
from adapters.cli.compose import BRISK, azure_settings
from adapters.cli.console import say, tracer

PASSING: Final = frozenset({"capacity", "quota"})
"""What may be otherwise tomorrow, or be used up by one's own workspaces: told, but no reason to refuse the options."""


@click.command()
def init() -> None:
    """Check the options, the helper, the event log, and that Azure lets us in."""
    from adapters.azure import AzureGroups, Level
    from adapters.devpod import parse
    from adapters.tunnel import load_helper
    from eventlog import default_path, ensure_writable

    settings = parse(os.environ, None)
    load_helper()
    ensure_writable(default_path(os.environ))
    groups = AzureGroups(azure_settings(settings, tracer(os.environ), patience=BRISK, say=say))
    findings = groups.check(settings.resource_group, settings.region, cpu=settings.cpu, memory_gb=settings.memory_gb)
    problems = (one for one in findings if one.level is Level.PROBLEM and one.error)
    refused = next((one for one in problems if one.subject not in PASSING), None)
    for finding in findings:
        if finding is not refused:
            say(f"{finding.level:7} {finding.subject}: {finding.text}")
    if refused and refused.error:
        raise refused.error


@click.command()
@click.option("--mode", type=click.Choice(["machine", "devcontainer"]), help="Judge the options as this mode would.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def options(*, mode: str | None, as_json: bool) -> None:
    """Show every option: its value, where it came from, and what is wrong with it; secrets are masked."""
    import msgspec

    from adapters.devpod import resolved
    from eventlog.table import json_line, printable

    rows = resolved(os.environ, "machine" if mode == "machine" else "devcontainer" if mode else None)
    if as_json:
        for row in rows:
            value = row.value.encode("utf-8", "replace").decode()  # a variable may hold bytes that are no text
            click.echo(json_line(msgspec.json.encode(msgspec.structs.replace(row, value=value))))
        return
    wide = max(len(row.name) for row in rows)
    shown = [row.value or "-" for row in rows]
    group = None
    for row, value in zip(rows, shown, strict=True):
        if row.group != group:
            group = row.group
            click.echo(f"{group}:")
        note = f"  <- {row.note}" if row.note else ""
        click.echo(printable(f"  {row.name:{wide}}  {row.origin:11}  {value}{note}"))


@click.command()
@click.option("--mode", type=click.Choice(["machine", "devcontainer"]), default="devcontainer", show_default=True)
@click.option(
    "--absolute",
    is_flag=True,
    help="Name this program by its full path, for DevPod started from a desktop whose PATH lacks it.",
)
def manifest(*, mode: str, absolute: bool) -> None:
    """Print the provider manifest for `devpod provider add`."""
    from adapters.devpod import render

    program = "devpod-provider-aci"
    if absolute:
        found = shutil.which(program)
        if found is None:
            raise CallError(f"--absolute: {program} is not on PATH; install it first (uv tool install, pipx install)")
        program = str(Path(found).resolve())
    click.echo(render("machine" if mode == "machine" else "devcontainer", program=program), nl=False)
