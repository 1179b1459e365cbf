"""The command line: ``serve`` until told to stop, or ``run`` one command beside it."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from emulator.containers.runtime import SandboxError
from emulator.images import parse_mapping
from emulator.server import Server
from emulator.settings import PRESETS, Settings, build, dotted, merge
from emulator.tls import write_private

Command = Callable[..., Any]
_OPTIONS = (
    click.option(
        "--port", type=click.IntRange(0, 65535), default=None, help="Port of ARM and Entra; 0 takes a free one."
    ),
    click.option(
        "--state-dir",
        type=click.Path(path_type=Path),
        default=None,
        help="Folder for certificates and containers (default: a temporary one).",
    ),
    click.option("--preset", type=click.Choice(sorted(PRESETS)), default="fast", show_default=True),
    click.option("--strict", is_flag=True, help="Short for --preset strict."),
    click.option("--isolation", type=click.Choice(["auto", "namespaces", "process"]), default=None),
    click.option(
        "--image", "images", multiple=True, metavar="NAME=ROOTFS[:USER]", help="Serve an image from a root file system."
    ),
    click.option("--imds", is_flag=True, help="Open a managed-identity endpoint (plain HTTP)."),
    click.option("--rtt-ms", type=click.FloatRange(min=0), default=None, help="Added round-trip time of the line."),
    click.option("--mbit", type=click.FloatRange(min=0), default=None, help="Bandwidth of the line, Mbit/s."),
    click.option("--link", is_flag=True, help="Put a line in front that can be shaped later."),
    click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any setting of emulator/settings.py, e.g. --set exec.cap=10; docs/emulator.md explains them.",
    ),
    click.option("--config", type=click.File("rb"), default=None, help="Settings as JSON; - is stdin."),
    click.option("--verbose", is_flag=True, help="Log every request to stderr."),
)


def _shared(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Azure Container Instances on this computer."""


@main.command()
@_shared
@click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    default=None,
    help="Also write the environment there (mode 0600), once ready.",
)
@click.option("--die-with-parent", is_flag=True, help="End when the starting process ends.")
def serve(*, env_file: Path | None, die_with_parent: bool, **options: Any) -> None:
    """Serve until SIGTERM or SIGINT; prints the environment clients need."""

    def ready(server: Server) -> None:
        env = server.environment()
        for name, value in env.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        if env_file is not None:
            text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in env.items())
            write_private(env_file, text.encode())

    parent = os.getppid() if die_with_parent else 0
    _guarded(options, lambda server: _serve(server, ready, parent))


@main.command(context_settings={"ignore_unknown_options": True})
@_shared
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...], **options: Any) -> None:
    """Start an emulator, run COMMAND with its environment, stop; returns COMMAND's status."""
    sys.exit(_guarded(options, lambda server: _run(server, command)))


def _settings(options: Mapping[str, Any]) -> Settings:
    chosen: dict[str, Any] = {}
    if options["config"] is not None:
        chosen = msgspec.json.decode(options["config"].read(), type=dict[str, Any])
    chosen = merge(chosen, dotted(list(options["assignments"])))
    for name in ("port", "isolation"):
        if options[name] is not None:
            chosen[name] = options[name]
    if options["imds"]:
        chosen["imds"] = True
    line = {k: options[k] for k in ("rtt_ms", "mbit") if options[k] is not None}
    if line or options["link"]:
        chosen = merge(chosen, {"link": {"enabled": True, **line}})
    if options["images"]:
        mapped = [msgspec.to_builtins(parse_mapping(text)) for text in options["images"]]
        chosen["images"] = [*mapped, *chosen.get("images", [])]
    return build("strict" if options["strict"] else options["preset"], chosen)


def _guarded(options: Mapping[str, Any], work: Callable[[Server], Any]) -> int:
    logging.basicConfig(
        level=logging.INFO if options["verbose"] else logging.WARNING,
        format="%(asctime)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    try:
        settings = _settings(options)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as problem:
        raise click.UsageError(str(problem)) from None
    given: Path | None = options["state_dir"]
    state = given or Path(tempfile.mkdtemp(prefix="aci-emulator-"))
    try:
        return int(asyncio.run(work(Server(settings, state.resolve()))) or 0)
    except (OSError, SandboxError) as problem:
        raise click.ClickException(str(problem)) from None
    finally:
        if given is None:
            shutil.rmtree(state, ignore_errors=True)


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _serve(server: Server, ready: Callable[[Server], None], parent: int) -> None:
    stop = _stop_event()
    try:
        await server.start()
        ready(server)
        while not stop.is_set():
            if parent and os.getppid() != parent:
                break
            try:
                await asyncio.wait_for(stop.wait(), 0.5 if parent else None)
            except TimeoutError:
                continue
    finally:
        await server.close()


async def _run(server: Server, command: tuple[str, ...]) -> int:
    stop = _stop_event()
    try:
        await server.start()
        env = {**os.environ, **server.environment()}
        try:
            process = await asyncio.create_subprocess_exec(*command, env=env)
        except FileNotFoundError:
            click.echo(f"{command[0]}: not found", err=True)
            return 127
        ended = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            process.terminate()
        status = await ended
        stopped.cancel()
        return status if status >= 0 else 128 - status
    finally:
        await server.close()
