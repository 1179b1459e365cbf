"""One command's three streams: between the caller's descriptors and the packets of a link."""

from __future__ import annotations

import contextlib
import errno
import select
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from adapters.tunnel.caller.fds import PIECES_MOST, Sink, Source
from adapters.tunnel.link import MESSAGE_MOST, Link
from adapters.tunnel.loop import Loop
from adapters.tunnel.packets import messages
from adapters.tunnel.packets.deflate import PIECE_LEAST, Deflater
from adapters.tunnel.packets.malformed import MalformedError
from adapters.tunnel.packets.messages import CHANNEL_ERR, CHANNEL_IN, CHANNEL_OUT
from adapters.tunnel.packets.packet import (
    DEFLATED,
    HEADER_SIZE,
    MORE,
    PAYLOAD_MOST,
    STREAM_WINDOW,
    Packet,
    Type,
)
from statemachine.errors import OutputError, ProviderError, TunnelError, UserUnknownError

# One packet of input fills one message exactly.
INPUT_MOST: Final = MESSAGE_MOST - HEADER_SIZE
CREDIT_STEP: Final = STREAM_WINDOW // 4
STATUS_PIPE: Final = 128 + 13
PACKETS_A_TURN: Final = 4
LOOSE_MOST: Final = 256
"""Pieces of output that wait as they came: each takes two hundred bytes beside its own, and may have a single one."""


class _Output:
    def __init__(self, sink: Sink, channel: int) -> None:
        self.sink = sink
        self.channel = channel
        self.pending: deque[memoryview] = deque()
        self.pending_bytes = 0
        self.loose = 0  # pieces at its end, at most, that have not been put together
        self.consumed = 0
        self.broken = False
        self.full = False  # the loop says when there is room again


class Stream:
    """A command that runs, or is about to. ``on_end`` is called once, with a status or an error."""

    def __init__(
        self,
        number: int,
        link: Link,
        loop: Loop,
        fds: tuple[int, int, int],
        on_end: Callable[[Stream, int | ProviderError], None],
        *,
        compress: bool = True,
    ) -> None:
        self.number = number
        self._link = link
        self._loop = loop
        self._on_end = on_end
        with contextlib.ExitStack() as opened:  # where descriptors run out none is to stay
            self._source: Source | None = opened.enter_context(contextlib.closing(Source(fds[0])))
            sinks = [opened.enter_context(contextlib.closing(Sink(fd))) for fd in fds[1:]]
            opened.pop_all()
        self._outputs = (_Output(sinks[0], CHANNEL_OUT), _Output(sinks[1], CHANNEL_ERR))
        self._credit = STREAM_WINDOW
        self._deflater = Deflater() if compress else None
        self._result: int | ProviderError | None = None
        self._first = link.next_number
        self.ended = False
        self.reading = True
        """Whether the input is ours to read: a terminal may be somebody else's for a while."""

    @property
    def was_sent(self) -> bool:
        """Whether the container may know of the command; before that it can still run in another session."""
        return self._link.was_sent(self._first)

    def renumbered(self) -> None:
        """The link has begun a new session: whatever it sends from now on may be this command's."""
        self._first = 0

    def open(self, order: bytes) -> None:
        """Send the encoded OPEN."""
        for at in range(0, len(order), PAYLOAD_MOST):
            last = at + PAYLOAD_MOST >= len(order)
            self._link.send(Type.OPEN, self.number, order[at : at + PAYLOAD_MOST], 0 if last else MORE)

    def resize(self, rows: int, columns: int) -> None:
        """Tell the command's terminal its new size."""
        self._link.send(Type.WINSIZE, self.number, messages.encode_size(rows, columns))

    def kill(self) -> None:
        """End the command and forget it: nobody wants its output or status."""
        if self._result is None:
            self._link.send(Type.KILL, self.number)
        self._end(STATUS_PIPE)

    def fail(self, problem: ProviderError) -> None:
        """The session is lost: deliver what arrived, then the error."""
        if self._result is None:
            self._result = problem
        self._finish_if_drained()

    def abandon(self, problem: ProviderError) -> None:
        """As ``fail``, but at once: output that is not delivered yet is lost, so the result is an error in any case."""
        self._end(self._result if isinstance(self._result, ProviderError) else problem)

    def update(self) -> None:
        """Write what has come since the last turn; read input when there is credit and room for it, and only then."""
        for output in self._outputs:
            if output.pending and not output.full and not self.ended:
                self._writable(output)
        if self._source is None or self.ended:
            return
        if self.reading and self._credit > 0 and self._link.has_room:
            self._loop.watch(self._source.fd, select.POLLIN, self._readable)
        else:
            self._loop.forget(self._source.fd)

    def take(self, packet: Packet) -> None:
        """A packet of the helper for this stream."""
        kind = packet.type
        if kind == Type.STDOUT:
            self._deliver(self._outputs[0], packet.payload)
        elif kind == Type.STDERR:
            self._deliver(self._outputs[1], packet.payload)
        elif kind == Type.CREDIT:
            channel, count = messages.decode_credit(packet.payload)
            if channel != CHANNEL_IN or self._credit + count > STREAM_WINDOW:
                raise MalformedError("credit that cannot be")
            self._credit += count
        elif kind == Type.STDIN_CLOSED:
            self._close_source()
        elif kind == Type.EXIT:
            self._conclude(messages.decode_exit(packet.payload))
        elif kind == Type.ERROR:
            self._conclude(_explain(*messages.decode_error(packet.payload)))
        else:
            raise MalformedError(f"packet {kind} from the helper")

    def _readable(self, _: int) -> None:
        if self._source is None or not self.reading or self._credit <= 0 or not self._link.has_room:
            return
        squeeze = self._deflater.room(self._credit, self._link.under_way) if self._deflater is not None else 0
        data = self._source.read(squeeze or min(INPUT_MOST * PACKETS_A_TURN, self._credit))
        if data is None:
            return
        if not data:
            self._link.send(Type.STDIN_EOF, self.number)
            self._close_source()
            return
        if self._deflater is not None:
            payload = self._deflater.squeeze(data) if squeeze and len(data) >= PIECE_LEAST else None
            if payload is not None:
                self._credit -= len(payload)
                self._link.send(Type.STDIN, self.number, payload, DEFLATED)
                return
            self._deflater.passed(len(data))
        self._credit -= len(data)
        view = memoryview(data)
        for at in range(0, len(data), INPUT_MOST):
            self._link.send(Type.STDIN, self.number, view[at : at + INPUT_MOST])

    def _close_source(self) -> None:
        if self._source is not None:
            self._loop.forget(self._source.fd)
            self._source.close()
            self._source = None

    def _deliver(self, output: _Output, data: bytes) -> None:
        if output.pending_bytes + len(data) > STREAM_WINDOW:
            raise MalformedError("more output than there was credit for")
        if self.ended:
            return
        if output.broken:
            self._consumed(output, len(data))
            return
        # Written in the next ``update``, which comes before the loop waits again: many packets in one call.
        if data:
            output.pending.append(memoryview(data))
            output.pending_bytes += len(data)
            output.loose = min(output.loose + 1, len(output.pending))
            if output.loose == LOOSE_MOST:
                last = [output.pending.pop() for _ in range(LOOSE_MOST)]
                output.pending.append(memoryview(b"".join(reversed(last))))
                output.loose = 0

    def _writable(self, output: _Output) -> None:
        while output.pending:
            taken = self._write(output)
            if taken is None:
                return
            output.pending_bytes -= taken
            while output.pending and taken >= len(output.pending[0]):
                taken -= len(output.pending.popleft())
            if output.pending:
                output.pending[0] = output.pending[0][taken:]
                output.full = True
                self._loop.watch(output.sink.fd, select.POLLOUT, lambda _: self._writable(output))
                return
        output.full = False
        self._loop.forget(output.sink.fd)
        self._finish_if_drained()

    def _write(self, output: _Output) -> int | None:
        """Write what fits, and give credit back for it; None when nobody reads any more."""
        try:
            taken = output.sink.write(list(islice(output.pending, PIECES_MOST)))
        except OSError as problem:
            self._broken(output, problem)
            return None
        self._consumed(output, taken)
        return taken

    def _consumed(self, output: _Output, count: int) -> None:
        output.consumed += count
        if output.consumed >= CREDIT_STEP and self._result is None:
            self._link.send(Type.CREDIT, self.number, messages.encode_credit(output.channel, output.consumed))
            output.consumed = 0

    def _broken(self, output: _Output, problem: OSError) -> None:
        """Nobody reads any more: as with a local pipe, that is the end of who writes to stdout; stderr goes nowhere."""
        output.broken = True
        unread, output.pending_bytes = output.pending_bytes, 0
        output.pending.clear()
        self._loop.forget(output.sink.fd)
        if output.channel == CHANNEL_ERR:
            self._consumed(output, unread)
            self._finish_if_drained()
            return
        if self._result is None:
            self._link.send(Type.KILL, self.number)
        gone = problem.errno in (errno.EPIPE, errno.ECONNRESET, errno.EIO)
        self._end(STATUS_PIPE if gone else OutputError(f"standard output cannot be written: {problem.strerror}"))

    def _conclude(self, result: int | ProviderError) -> None:
        self._result = result
        self._close_source()
        self._finish_if_drained()

    def _finish_if_drained(self) -> None:
        if self._result is not None and not any(output.pending for output in self._outputs):
            self._end(self._result)

    def _end(self, result: int | ProviderError) -> None:
        if self.ended:
            return
        self.ended = True
        self._close_source()
        for output in self._outputs:
            self._loop.forget(output.sink.fd)
            output.sink.close()
        self._on_end(self, result)


def _explain(kind: str, text: str) -> ProviderError:
    if kind == "user-unknown":
        return UserUnknownError(
            text,
            remedy="Name one that the image has: remoteUser or containerUser in devcontainer.json, or `shell --user`.",
        )
    if kind == "user-denied":
        return UserUnknownError(text, remedy="Use an image whose user is root, or that user.")
    if kind == "input":
        return TunnelError(f"the command was ended because of its input: {text}")
    return TunnelError(f"the command could not be started: {text}")
