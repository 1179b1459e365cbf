"""From an exec session to a helper that speaks: the shell is asked once, and taught the helper if need be."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, NoReturn

from adapters.tunnel import shelltext
from adapters.tunnel.helperfile import Helper
from adapters.tunnel.spec import ExecOpener, OnEvent, Tuning
from adapters.tunnel.websocket import Channel, ChannelClosedError
from statemachine.errors import ExecRefusedError, HelperMismatchError, NoPlaceError, NoShellError, TunnelError

# A report from the field says that input messages were cut at about fifty characters: lines are that careful,
# the upload only if its first attempt arrived damaged.
LINE_MESSAGE: Final = 48
UPLOAD_MESSAGE: Final = 512
HEARD_MOST: Final = 65536
QUOTED_MOST: Final = 300
RETYPE_AFTER: Final = 2.5
UPLOAD_STALL: Final = 5.0


class CutShortError(ExecRefusedError):
    """The connection broke before the helper spoke: worth another try."""


@dataclass(frozen=True)
class Ready:
    """A channel whose other end is the helper; ``rest`` came behind its marker."""

    channel: Channel
    rest: bytes


def dial(opener: ExecOpener, helper: Helper, tuning: Tuning, ca_file: str | None, on_event: OnEvent) -> Ready:
    """One exec call, one WebSocket, and the helper at its end; raises ``ProviderError`` subclasses."""
    began = time.monotonic()
    endpoint = opener()
    on_event(f"exec session opened in {(time.monotonic() - began) * 1000:.0f} ms")
    channel = Channel.open(endpoint.uri, ca_file, tuning.connect)
    try:
        channel.send_text(endpoint.password.reveal())
        ready = _Conversation(channel, helper, tuning, on_event).run()
    except BaseException:
        channel.shut(0)
        raise
    on_event(f"helper ready {(time.monotonic() - began) * 1000:.0f} ms after the start")
    return ready


def quoted(heard: bytes) -> str:
    """The end of what a terminal printed, safe to show: one line, no control characters."""
    text = heard.decode("utf-8", "replace")
    shown = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(shown.split())[-QUOTED_MOST:]


class _Conversation:
    def __init__(self, channel: Channel, helper: Helper, tuning: Tuning, on_event: OnEvent) -> None:
        self._channel = channel
        self._helper = helper
        self._tuning = tuning
        self._on_event = on_event
        self._nonce = shelltext.Nonce()
        self._heard = bytearray()
        self._typed: list[bytes] = []
        self._answered = False

    def run(self) -> Ready:
        relay = self._nonce.relay()
        need = self._nonce.said("need")
        found = self._ask(shelltext.start_line(self._helper.build, self._nonce), [relay, need], self._tuning.shell)
        if found == relay:
            return self._ready()
        return self._place()

    def _ask(self, line: bytes, answers: list[bytes], seconds: float) -> bytes:
        """Type a line and wait for one of the answers."""
        began = time.monotonic()
        self._typed.append(line)
        self._channel.send(line, LINE_MESSAGE)
        if not self._answered:  # some shells throw away what is typed while they start
            try:
                return self._expect(answers, began + min(RETYPE_AFTER, seconds))
            except TimeoutError:
                self._on_event("the shell has not answered; typing the line again")
                self._channel.send(b"\n" + line, LINE_MESSAGE)
        try:
            return self._expect(answers, began + seconds)
        except TimeoutError:
            self._give_up(f"did not answer in {seconds:g} s")

    def _expect(self, answers: list[bytes], deadline: float) -> bytes:
        failed = self._nonce.failed()
        while True:
            found = [(self._heard.find(answer), answer) for answer in (*answers, failed)]
            first = min((pair for pair in found if pair[0] >= 0), default=None)
            if first is not None and first[1] != failed:
                del self._heard[: first[0] + len(first[1])]
                self._answered = True
                return first[1]
            if first is not None and b"]" in self._heard[first[0] + len(failed) :]:
                text = bytes(self._heard[first[0] + len(failed) :]).partition(b"]")[0]
                raise TunnelError(f"the helper cannot run in the container: {quoted(text)}")
            del self._heard[:-HEARD_MOST]
            try:
                for data in self._channel.wait(deadline):
                    self._heard += data
            except ChannelClosedError as closed:
                self._explain_close(closed)

    def _explain_close(self, closed: ChannelClosedError) -> NoReturn:
        text = self._printed()
        started = self._answered or self._nonce.said("have") in self._heard
        # A prompt is no explanation: who cannot start a shell says so in words.
        if closed.code == 1006 and (started or not any(map(str.isalpha, text))):
            raise CutShortError(f"the exec session broke before the helper spoke ({closed})") from closed
        if started:
            raise HelperMismatchError(
                f"the helper in the container ended before it spoke ({closed}): {text}",
                remedy="Stop and start the workspace to get rid of it.",
            ) from closed
        if closed.code == 1008:
            raise ExecRefusedError(f"the exec endpoint refused the session's password ({closed})") from closed
        if closed.code == 1011 and not text:
            message = f"the container has ended, so no process can be started in it ({closed})"
            raise ExecRefusedError(message) from closed
        if text:
            raise NoShellError(f"/bin/sh could not be used ({closed}): {text}") from closed
        raise ExecRefusedError(f"the exec session was closed before a process ran ({closed})") from closed

    def _printed(self) -> str:
        """What the other end said, without the echo of what we typed."""
        heard = bytes(self._heard)
        for line in self._typed:
            # Message by message: the shell's own words may stand between two of them.
            for at in range(0, len(line), LINE_MESSAGE):
                heard = heard.replace(line[at : at + LINE_MESSAGE].strip(), b"", 1)
        return quoted(heard)

    def _give_up(self, what: str) -> NoReturn:
        text = self._printed()
        raise NoShellError(f"/bin/sh {what}" + (f"; it printed: {text}" if text else "; it printed nothing"))

    def _ready(self) -> Ready:
        return Ready(self._channel, bytes(self._heard))

    def _place(self) -> Ready:
        """Teach the shell the helper."""
        nonce = self._nonce
        line = shelltext.upload_line(self._helper.build, self._helper.digest, nonce)
        relay, send, none, bad = nonce.relay(), nonce.said("send"), nonce.said("none"), nonce.said("bad")
        text = shelltext.upload_text(self._helper.data)
        deadline = time.monotonic() + self._tuning.upload
        found = self._ask(line, [send, none], self._tuning.shell)
        size = UPLOAD_MESSAGE
        try:
            while True:
                if found == send:
                    self._on_event(f"placing the helper: {len(self._helper.data)} bytes as {len(text)}")
                    self._channel.send(text, size)
                    found = self._expect_end_of_upload([relay, bad, none], deadline)
                if found == relay:
                    return self._ready()
                if found == none:
                    raise NoPlaceError("no folder in the container takes an executable file")
                size = LINE_MESSAGE
                found = self._expect([send, none], deadline)
        except TimeoutError:
            self._give_up(f"did not take the helper in {self._tuning.upload:g} s")

    def _expect_end_of_upload(self, answers: list[bytes], deadline: float) -> bytes:
        """A channel that cuts long messages has cut the end as well: then say it once more, in a short one."""
        try:
            return self._expect(answers, min(deadline, time.monotonic() + UPLOAD_STALL))
        except TimeoutError:
            self._channel.send(b"\n.\n", LINE_MESSAGE)
        return self._expect(answers, deadline)
