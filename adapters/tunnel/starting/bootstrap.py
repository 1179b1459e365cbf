"""From an exec session to a running helper: ask the shell for it, and upload it if it is not there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from adapters.tunnel.channel.websocket import Channel, ChannelClosedError
from adapters.tunnel.spec import ExecOpener, OnEvent, Tuning
from adapters.tunnel.starting import memorytext, shelltext
from adapters.tunnel.starting.explain import closed_early, no_answer, no_place, quoted, without_echo
from adapters.tunnel.starting.helperfile import Helper
from statemachine.errors import TunnelError

# A report from the field says that input messages were cut at about fifty characters: lines are that careful,
# the upload only if its first attempt arrived damaged.
LINE_MESSAGE: Final = 48
UPLOAD_MESSAGE: Final = 512
HEARD_MOST: Final = 65536
RETYPE_AFTER: Final = 2.0
INTERRUPT: Final = b"\x03"
UPLOAD_STALL: Final = 5.0
BAD_MOST: Final = 4
"""Uploads that arrived damaged; one is enough to make messages short, so more of them have another reason."""


@dataclass(frozen=True)
class Ready:
    """A channel whose other end is the helper; ``rest`` came behind its marker."""

    channel: Channel
    rest: bytes


def dial(
    opener: ExecOpener,
    helper: Helper,
    tuning: Tuning,
    ca_file: str | None,
    on_event: OnEvent,
    *,
    careful: bool = False,
) -> Ready:
    """One exec call, one WebSocket, and the helper at its end; raises ``ProviderError`` subclasses.

    ``careful``: the last one was cut short, perhaps because a message was too long.
    """
    began = time.monotonic()
    endpoint = opener()
    on_event(f"exec session opened in {(time.monotonic() - began) * 1000:.0f} ms")
    channel = Channel.open(endpoint.uri, ca_file, tuning.connect, endpoint.ahead)
    try:
        channel.send_text(endpoint.password.reveal())
        size = LINE_MESSAGE if careful else UPLOAD_MESSAGE
        ready = _Conversation(channel, helper, tuning, on_event, size).run()
    except BaseException:
        channel.shut(0)
        raise
    on_event(f"helper ready {(time.monotonic() - began) * 1000:.0f} ms after the start")
    return ready


class _Conversation:
    def __init__(self, channel: Channel, helper: Helper, tuning: Tuning, on_event: OnEvent, size: int) -> None:
        self._channel = channel
        self._helper = helper
        self._tuning = tuning
        self._on_event = on_event
        self._size = size  # of the upload's messages
        self._nonce = shelltext.Nonce()
        self._heard = bytearray()
        self._passed = b""  # what came before the last answer
        self._typed: list[bytes] = []
        self._answered = False
        self._interrupted = False

    def run(self) -> Ready:
        nonce, helper = self._nonce, self._helper
        start = [shelltext.SOBER, shelltext.start_line(helper.build, nonce)]
        if self._ask(start, [nonce.relay(), nonce.said("need")]) == nonce.relay():
            return self._ready()
        lines = shelltext.place_lines(helper.build, helper.digest, nonce)
        if self._teach(lines, {"pack": shelltext.packed_text, "send": shelltext.upload_text}):
            return self._ready()
        tried = nonce.places_tried(self._passed)
        self._on_event("no folder takes an executable file; trying without one")
        if self._teach(memorytext.memory_lines(helper.digest, nonce), {"send": memorytext.upload_text}):
            return self._ready()
        raise no_place([*tried, *nonce.places_tried(self._passed)])

    def _ask(self, lines: list[bytes], answers: list[bytes]) -> bytes:
        """Type lines and wait for one of the answers."""
        seconds = self._tuning.shell
        deadline = time.monotonic() + seconds
        self._type(lines)
        while not self._answered:  # some shells, and some front ends, throw away what comes while they start
            try:
                return self._expect(answers, min(time.monotonic() + RETYPE_AFTER, deadline))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    break
                self._on_event("the shell has not answered; typing the line again")
                self._type([self._fresh_line(), *lines])
        try:
            return self._expect(answers, deadline)
        except TimeoutError:
            self._give_up(f"did not answer in {seconds:g} s")

    def _type(self, lines: list[bytes]) -> None:
        self._typed += lines
        for line in lines:
            self._channel.send(line, LINE_MESSAGE)

    def _fresh_line(self) -> bytes:
        """What a shell that lost the beginning of a line, perhaps in quotes, forgets the rest of it for."""
        # Where nothing has been printed but our echo there may be no shell yet, and after "have" there is none now:
        # an interrupt would be their end. One is enough, or what only takes long would never come to its own.
        if self._interrupted or self._nonce.said("have") in self._heard or not self._printed():
            return b"\n"
        self._interrupted = True
        return INTERRUPT + b"\n"

    def _expect(self, answers: list[bytes], deadline: float) -> bytes:
        failed = self._nonce.failed()
        while True:
            found = [(self._heard.find(answer), answer) for answer in (*answers, failed)]
            first = min((pair for pair in found if pair[0] >= 0), default=None)
            if first is not None and first[1] != failed:
                self._passed = bytes(self._heard[: first[0]])
                del self._heard[: first[0] + len(first[1])]
                self._answered = True
                return first[1]
            if first is not None and b"]" in self._heard[first[0] + len(failed) :]:
                text = bytes(self._heard[first[0] + len(failed) :]).partition(b"]")[0]
                raise TunnelError(f"the helper cannot run in the container: {quoted(text)}")
            del self._heard[:-HEARD_MOST]
            if time.monotonic() > deadline:  # one who never stops talking leaves no other moment to look
                raise TimeoutError
            try:
                for data in self._channel.wait(deadline):
                    self._heard += data
            except ChannelClosedError as closed:
                started = self._answered or self._nonce.said("have") in self._heard
                raise closed_early(closed, self._printed(), started=started) from closed

    def _printed(self) -> str:
        """What the other end said, without the echo of what we typed."""
        lines = self._typed
        messages = (line[at : at + LINE_MESSAGE] for line in lines for at in range(0, len(line), LINE_MESSAGE))
        return quoted(without_echo(bytes(self._heard), messages))

    def _give_up(self, what: str) -> NoReturn:
        raise no_answer(what, self._printed())

    def _ready(self) -> Ready:
        return Ready(self._channel, bytes(self._heard))

    def _teach(self, lines: list[bytes], texts: Mapping[str, Callable[[bytes], bytes]]) -> bool:
        """Hand the helper to whoever the lines make ask for it, in the form that the word asks for.

        False when nobody there could take it.
        """
        nonce = self._nonce
        relay, none, bad = nonce.relay(), nonce.said("none"), nonce.said("bad")
        asks = {nonce.said(word): form for word, form in texts.items()}
        deadline = time.monotonic() + self._tuning.upload
        found = self._ask(lines, [relay, none, *asks])
        size, damaged = self._size, 0
        try:
            while found != relay:
                if found == none:
                    return False
                text = asks[found](self._helper.data)
                self._on_event(f"placing the helper: {len(self._helper.data)} bytes as {len(text)}")
                self._channel.send(text, size)
                found = self._expect_end_of_upload([relay, bad, none], deadline)
                if found == bad:
                    size, damaged = LINE_MESSAGE, damaged + 1
                    if damaged >= BAD_MOST:
                        raise TunnelError("the helper arrives damaged in the container, again and again")
                    found = self._expect([relay, none, *asks], deadline)
        except TimeoutError:
            self._give_up(f"did not take the helper in {self._tuning.upload:g} s")
        return True

    def _expect_end_of_upload(self, answers: list[bytes], deadline: float) -> bytes:
        """A channel that cuts long messages has cut the end as well: then say it once more, in a short one."""
        try:
            return self._expect(answers, min(deadline, time.monotonic() + UPLOAD_STALL))
        except TimeoutError:
            self._channel.send(b"\n.\n", LINE_MESSAGE)
        return self._expect(answers, deadline)
