"""Run one command over an exec session of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from adapters.tunnel.caller.signals import ENDING_SIGNALS, signals_noted
from adapters.tunnel.caller.stream import Stream
from adapters.tunnel.caller.terminal import come_to_the_foreground, terminal_given_over
from adapters.tunnel.loop import Loop
from adapters.tunnel.packets import messages
from adapters.tunnel.session import Session
from adapters.tunnel.spec import CommandSpec, ExecOpener, OnEvent, Tuning, ignore_event
from adapters.tunnel.starting import helperfile
from statemachine.errors import ProviderError


def run_command(
    spec: CommandSpec,
    opener: ExecOpener,
    *,
    stdin: int,
    stdout: int,
    stderr: int,
    ca_file: str | None = None,
    on_event: OnEvent = ignore_event,
    tuning: Tuning | None = None,
) -> int:
    """Run it and return its exit status, 128+n for signal n; raises ``ProviderError`` subclasses.

    SIGTERM, SIGINT, SIGHUP and SIGQUIT end the command in the container and give 128+n at once. When nobody reads
    stdout any more, the command is ended too and the status is 141.
    """
    loop = Loop()
    results: list[int | ProviderError] = []

    def ended(_: Stream, result: int | ProviderError) -> None:
        results.append(result)

    def caught(number: int) -> None:
        results.insert(0, 128 + number)

    order = messages.encode_open(spec)
    session = Session(
        loop,
        opener,
        helperfile.load_helper(),
        tuning=tuning or Tuning(),
        ca_file=ca_file,
        on_event=on_event,
        on_lost=lambda _: None,
    )
    try:
        with signals_noted(loop, caught, ENDING_SIGNALS), contextlib.ExitStack() as stack:
            begin: Callable[[], None] | None = None
            come_to_the_foreground(stdin)
            if spec.tty is not None:
                begin = stack.enter_context(
                    terminal_given_over(stdin, loop, lambda size: stream.resize(size.rows, size.columns))
                )
            stream = session.open(order, (stdin, stdout, stderr), ended)
            session.start()
            while not results:
                if begin is not None and stream.was_sent:
                    begin()
                    begin = None
                session.step()
            session.close()
    finally:
        session.close()
        loop.close()
    result = results[0]
    if isinstance(result, ProviderError):
        raise result
    return result
