"""A link with its channels: dials, dials again when one breaks, and gives up when it must."""

from __future__ import annotations

import contextlib
import math
import select
import threading
import time
from collections.abc import Callable
from typing import Final

from adapters.tunnel.caller.stream import Stream
from adapters.tunnel.channel.websocket import Channel, ChannelClosedError, NothingRanError
from adapters.tunnel.link import ForgottenError, Link
from adapters.tunnel.loop import Loop
from adapters.tunnel.packets.malformed import MalformedError
from adapters.tunnel.packets.messages import NOBODY
from adapters.tunnel.packets.packet import Packet
from adapters.tunnel.spec import ExecOpener, OnEvent, Tuning
from adapters.tunnel.starting.bootstrap import Ready, dial
from adapters.tunnel.starting.explain import CutShortError, SilentError
from adapters.tunnel.starting.helperfile import Helper
from statemachine.errors import (
    ExecRefusedError,
    HelperMismatchError,
    InternalError,
    NoShellError,
    ProviderError,
    TransitioningError,
    TunnelError,
    TunnelLostError,
    TunnelUnreachableError,
)

INTRUDER: Final = (
    "See that no process in the container writes to its terminals; stopping and starting the workspace ends them all."
)
TICK: Final = 0.1
ASLEEP: Final = 5.0
"""A jump of the time of day over the monotonic clock by so many seconds means that the computer slept."""
SETTLE: Final = 0.7
BYE_SECONDS: Final = 1.0
FIRST_CUTS: Final = 8
DOUBLINGS_MOST: Final = 16
ONCE_MORE: Final = 1.0
TROUBLE_SECONDS: Final = 8.0
CROWDED_SECONDS: Final = 30.0
CONFLICT: Final = 409
# Once there was a session, these may pass: a cap still counts the broken one, a network comes back.
_PASSING: Final = (ExecRefusedError, TunnelUnreachableError, NoShellError)

time_of_day: Final = time.time


class Session:
    """Commands over one link. ``on_lost`` is told when there is no link and will be none."""

    def __init__(
        self,
        loop: Loop,
        opener: ExecOpener,
        helper: Helper,
        *,
        tuning: Tuning,
        ca_file: str | None,
        on_event: OnEvent,
        on_lost: Callable[[ProviderError], None],
        owner: bytes = NOBODY,
    ) -> None:
        self._loop = loop
        self._opener = opener
        self._helper = helper
        self._tuning = tuning
        self._ca_file = ca_file
        self._on_event = on_event
        self._on_lost = on_lost
        self.link = Link(helper.digest, tuning, self._packet, on_event, owner)
        self.streams: dict[int, Stream] = {}
        self._next_stream = 1
        self._channel: Channel | None = None
        self._dialling = False
        self._broken_at: float | None = None
        self._attempt = self._cuts = 0
        self._patience = tuning.resume
        self._short = 0  # dials that were cut short: a long message may have been the reason
        self._over = False
        self._ahead = time_of_day() - time.monotonic()
        self._loop.after(TICK, self._tick)

    def start(self) -> None:
        """Dial for the first time."""
        self._dial()

    def open(
        self, order: bytes, fds: tuple[int, int, int], on_end: Callable[[Stream, int | ProviderError], None]
    ) -> Stream:
        """Run a command; its OPEN goes out as soon as there is a link."""

        def ended(stream: Stream, result: int | ProviderError) -> None:
            self.streams.pop(stream.number, None)
            on_end(stream, result)

        stream = Stream(self._next_stream, self.link, self._loop, fds, ended, compress=self._tuning.compress)
        self._next_stream += 1
        self.streams[stream.number] = stream
        stream.open(order)
        return stream

    def step(self) -> None:
        """Serve what comes next."""
        channel = self._channel
        if channel is not None:
            channel.flush()
            if channel.closed is not None:
                self._readable(select.POLLHUP)
        # After the flush: it is what makes room for more input.
        for stream in list(self.streams.values()):
            stream.update()
        if channel is not None and self._channel is channel:
            events = select.POLLIN | (select.POLLOUT if channel.wants_write else 0)
            self._loop.watch(channel.fileno(), events, self._readable)
        self._loop.step()

    def close(self) -> None:
        """End the session at both ends."""
        self._over = True
        channel, self._channel = self._channel, None
        if channel is not None:
            self._loop.forget(channel.fileno())
            self.link.bye()
            _hear_out(channel, BYE_SECONDS)
            channel.shut()

    # Dialling

    def _dial(self) -> None:
        self._dialling = True
        threading.Thread(target=self._dial_in_thread, name="tunnel-dial", daemon=True).start()

    def _dial_in_thread(self) -> None:
        result: Ready | ProviderError
        try:
            result = dial(
                self._opener, self._helper, self._tuning, self._ca_file, self._on_event, careful=self._careful
            )
            settle = SETTLE * min(self.link.learned.strikes, 3)
            if settle:
                time.sleep(settle)  # an echo that comes late must be past before the channel is judged
        except ProviderError as problem:
            result = problem
        except Exception as problem:  # noqa: BLE001 - a thread's exception would vanish; it is reported instead
            result = InternalError(f"dialling failed: {type(problem).__name__}: {problem}")
        self._loop.from_thread(lambda: self._dialled(result))

    def _dialled(self, result: Ready | ProviderError) -> None:
        self._dialling = False
        if isinstance(result, Ready):
            if self._over:
                result.channel.shut(0)
                return
            if self._patience < self._tuning.resume:
                # The endpoint's first trouble is past. What the line can take is still to be found out, which has
                # a time of its own.
                self._patience, self._attempt, self._broken_at = self._tuning.resume, 0, time.monotonic()
            self._channel = result.channel
            self._guard(lambda: self.link.begin(result.channel, result.rest))
        elif not self._over:
            self._refused(result)

    @property
    def _careful(self) -> bool:
        """Whether the next dial is one with short messages: each second one is, for they take their time."""
        return self._short > 0 and self._short % 2 == 0

    def _refused(self, problem: ProviderError) -> None:
        if isinstance(problem, CutShortError):
            self._short += 1 + (problem.too_long and not self._short % 2)
        if self._broken_at is None:
            patience = _first_patience(problem)
            if patience is None:
                self._lose(problem)
                return
            self._patience = min(self._tuning.resume, patience)
        if isinstance(problem, CutShortError) and not self.link.known:
            self._patience = self._tuning.resume  # Azure may count what broke for a while
            self._cuts += 1
            passes = self._cuts < FIRST_CUTS
        else:
            # The helper there has worked before: what ends it now is the line, or its host.
            passes = _passes(problem) or (self.link.known and isinstance(problem, HelperMismatchError))
        if passes:
            self._try_again(problem)
        else:
            why = f"the session broke and could not be resumed: {problem.message}"
            self._lose(TunnelLostError(why, remedy=problem.hint or None), problem)

    # The channel

    def _readable(self, _: int) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            received = channel.receive()
        except ChannelClosedError as closed:
            self._break(f"the exec session was closed ({closed})", too_long=closed.code == 1009)
            return
        self._guard(lambda: self._feed(received))
        if self._broken_at is not None and self.link.moving:
            self._on_event(f"resumed after {time.monotonic() - self._broken_at:.1f} s")
            self._broken_at = None
            self._attempt = 0
            self._patience = self._tuning.resume

    def _feed(self, received: list[memoryview]) -> None:
        # Terminals give small pieces: a packet is looked for once, not once for each.
        if received:
            self.link.feed(received[0] if len(received) == 1 else b"".join(received))

    def _guard(self, action: Callable[[], object]) -> None:
        try:
            action()
        except ForgottenError as problem:
            self._begin_anew(problem)
        except MalformedError as problem:
            self._break(f"the far side sent what cannot be understood: {problem}", malformed=True)
        except TunnelError as problem:
            self._lose(problem)

    def _begin_anew(self, why: ForgottenError) -> None:
        """The container does not know the session. Commands that were never sent to it can still run in a new one."""
        waiting = {number: stream for number, stream in self.streams.items() if not stream.was_sent}
        if not waiting:
            self._lose(why)
            return
        for stream in [stream for stream in self.streams.values() if stream.was_sent]:
            stream.fail(why)
        self._part()
        self.link.restart(waiting)
        for stream in waiting.values():
            stream.renumbered()
        self._on_event(f"{why.message}; beginning anew for {len(waiting)} commands that were not sent yet")
        self._try_again(why)

    def _break(self, why: str, *, malformed: bool = False, too_long: bool = False) -> None:
        self._part(malformed=malformed, too_long=too_long)
        self._on_event(f"link broken: {why}")
        if self.link.hopeless:
            self._lose(TunnelError(f"the container's end does not speak the tunnel's protocol: {why}", remedy=INTRUDER))
            return
        self._try_again(TunnelLostError(why))

    def _part(self, *, malformed: bool = False, too_long: bool = False) -> None:
        self.link.end(malformed=malformed, too_long=too_long)
        channel, self._channel = self._channel, None
        if channel is not None:
            self._loop.forget(channel.fileno())
            channel.shut(0)

    def _try_again(self, why: ProviderError) -> None:
        now = time.monotonic()
        self._broken_at = now if self._broken_at is None else self._broken_at
        waited = now - self._broken_at
        pause = min(self._tuning.backoff_first * 2 ** min(self._attempt, DOUBLINGS_MOST), self._tuning.backoff_most)
        if waited + pause > self._patience:
            lost = TunnelLostError(f"the session broke and was not resumed within {waited:.0f} s: {why.message}")
            self._lose(lost, why)
            return
        self._attempt += 1
        self._loop.after(pause, lambda: None if self._over or self._dialling else self._dial())

    def _lose(self, problem: ProviderError, unsent: ProviderError | None = None) -> None:
        """There is no session and will be none; ``unsent`` is for commands that the container never heard of."""
        if self._over:
            return
        self.close()
        for stream in list(self.streams.values()):
            stream.fail(problem if unsent is None or stream.was_sent else unsent)
        self._on_lost(problem)

    def _packet(self, packet: Packet) -> None:
        stream = self.streams.get(packet.stream)
        if stream is not None:
            stream.take(packet)

    def _tick(self) -> None:
        if self._over:
            return
        self._loop.after(TICK, self._tick)
        ahead, self._ahead = self._ahead, time_of_day() - time.monotonic()
        if self._channel is not None and self._ahead - ahead > ASLEEP:
            # After so long the other end has most likely dropped the connection: dial anew instead of waiting for that.
            self._break(f"the computer slept for {self._ahead - ahead:.0f} s")
            return
        try:
            self.link.tick(time.monotonic())
        except TimeoutError:
            self._break("the far side is silent")


def _first_patience(problem: ProviderError) -> float | None:
    """Seconds for which the first dial of all is worth another; None: what stands is to be told at once."""
    if isinstance(problem, CutShortError):
        return math.inf
    if isinstance(problem, SilentError):
        return ONCE_MORE  # enough to ask Azure once more: if the container has ended, that will tell
    if isinstance(problem, NothingRanError):
        # Ended containers and an endpoint with trouble of its own look alike; each further dial asks Azure first.
        return TROUBLE_SECONDS
    # One session too many: another command may end soon, or a dead holder's session be noticed.
    return CROWDED_SECONDS if _is_conflict(problem) else None


def _passes(problem: ProviderError) -> bool:
    """Whether another dial may go better."""
    return problem.retryable or _is_conflict(problem) or isinstance(problem, _PASSING)


def _is_conflict(problem: ProviderError) -> bool:
    """Whether Azure answered 409: how it says "too many sessions" is not documented, but that it may.

    A transition is none: that it ends has been waited for already.
    """
    return getattr(problem, "http_status", 0) == CONFLICT and not isinstance(problem, TransitioningError)


def _hear_out(channel: Channel, seconds: float) -> None:
    """Wait until the other end has closed: a BYE may never be delivered if the connection is closed right behind it."""
    deadline = time.monotonic() + seconds
    with contextlib.suppress(TimeoutError, ChannelClosedError):
        while time.monotonic() < deadline:
            channel.wait(deadline)
