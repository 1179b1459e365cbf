"""The reliable link: numbered packets over whatever channel there is at the moment. No I/O in here.

``Link`` outlives its channels. ``begin`` gives it a fresh one whose other end is a helper that has just
printed its marker; ``feed`` what comes in; it writes through the channel's ``send``. What is numbered is
kept until the other end has it, and sent again over the next channel.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Final, Protocol

from adapters.tunnel.packets import armour, messages
from adapters.tunnel.packets.armour import Armour
from adapters.tunnel.packets.malformed import MalformedError
from adapters.tunnel.packets.packet import (
    FIRST_NUMBERED,
    LINK_WINDOW,
    Packet,
    Type,
    before,
    pack,
    unpack,
)
from adapters.tunnel.packets.parser import Pad, Parser, Probe
from adapters.tunnel.spec import OnEvent, Tuning
from statemachine.errors import HelperMismatchError, TunnelError, TunnelLostError

MESSAGE_MOST: Final = 32768  # a limit that some servers come with
MESSAGE_SAFE: Final = 48
MESSAGE_SIZES: Final = (MESSAGE_MOST, 8192, 512, MESSAGE_SAFE)
STRIKES_MOST: Final = 5
UNFINISHED_MOST: Final = 7  # two for each size but the last, and one
STUCK_MOST: Final = 3
EARLY_MOST: Final = 8192  # bytes that may go out before the channel is known to be clean
ACK_BYTES: Final = 1 << 20
ACK_ALONG: Final = 256 * 1024  # so much is acknowledged together with what is sent anyway
ACK_PACKETS: Final = 64
ACK_SECONDS: Final = 0.2
BACKLOG_MOST: Final = 128 * 1024
ANSWERS_MOST: Final = 2 * LINK_WINDOW
"""Bytes that may wait for the channel before acknowledgements are put off: more than a window in any armour."""


class ForgottenError(TunnelLostError):
    """The other end does not know the session: the container has restarted, or the session was given up there."""


class Sender(Protocol):
    """What a link needs of a channel."""

    backlog: int

    def send(self, data: bytes, size: int) -> None:
        """Queue bytes as messages of at most ``size``."""


@dataclass
class Learned:
    """What earlier channels of this session have taught."""

    pad: int = MESSAGE_MOST  # the longest message that has not yet broken a channel
    armour: Armour = Armour.RAW
    strikes: int = 0  # channels that brought what cannot be understood, since the last packet that came through
    unfinished: int = 0  # channels in a row that ended before the ends had agreed
    stuck_at: int | None = None  # the packet that came first, and did not arrive, when a channel ended
    stuck: int = 0  # channels in a row that ended at that one


class Link:
    """One session. ``on_packet`` gets every numbered packet of the other end, once and in order."""

    def __init__(
        self,
        digest: str,
        tuning: Tuning,
        on_packet: Callable[[Packet], None],
        on_event: OnEvent,
        owner: bytes = messages.NOBODY,
    ) -> None:
        self._digest = bytes.fromhex(digest)
        self._tuning = tuning
        self._on_packet = on_packet
        self._on_event = on_event
        self._id = secrets.token_bytes(16)
        self._owner = owner
        self._known = False  # the other end has the session
        self._sender: Sender | None = None
        self._parser = Parser()
        self._armour = self._armour_down = Armour.BASE64
        self._bad = armour.NOTHING_BAD
        self._size = MESSAGE_SAFE
        self._up = False
        self._attached = False
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._early_bytes = 0
        self._early: set[int] = set()
        self._instance = b""  # which server is at the other end
        self._told = b""  # which one was given commands before it said that it has the session
        self._next_number = 0
        self._sent_next = 0  # what has this number or a later one was never given to a channel
        self._receive_next = 0
        self._unacked_bytes = 0
        self._unacked_packets = 0
        self._began = self._heard = self._spoke = self._acked_at = 0.0
        self.learned = Learned()

    @property
    def moving(self) -> bool:
        """Whether it is up, and what was on its way first when the last channel ended has arrived."""
        return self._up and not (self._kept and self._kept[0][0] == self.learned.stuck_at)

    @property
    def has_room(self) -> bool:
        """Whether more data should be handed in: both the window and the channel have room."""
        return (
            self._up
            and self._sender is not None
            and self._kept_bytes < LINK_WINDOW
            and self._sender.backlog < BACKLOG_MOST
        )

    @property
    def known(self) -> bool:
        """Whether the other end has ever confirmed the session: only then can it be lost."""
        return self._known

    @property
    def next_number(self) -> int:
        """The number the next packet gets."""
        return self._next_number

    def was_sent(self, number: int) -> bool:
        """Whether the packet of that number was ever given to a channel: it may have arrived then."""
        return before(number, self._sent_next)

    def restart(self, streams: Container[int]) -> None:
        """Become a new session that keeps only the packets of these streams, none of which may have been sent yet."""
        waiting = [unpack(data) for _, data in self._kept]
        self._id = secrets.token_bytes(16)
        self._known = False
        self._told = b""
        self._kept.clear()
        self._kept_bytes = self._next_number = self._sent_next = self._receive_next = 0
        self._unacked_bytes = self._unacked_packets = 0
        self.learned.unfinished = 0
        for packet in waiting:
            if packet.stream in streams:
                self.send(Type(packet.type), packet.stream, packet.payload, packet.flags)

    @property
    def under_way(self) -> int:
        """Bytes sent, or about to be, that the other end has not acknowledged."""
        return self._kept_bytes

    def begin(self, sender: Sender, rest: bytes) -> None:
        """Go on over this channel, whose first bytes were ``rest``."""
        self._sender = sender
        self._parser = Parser()
        self._armour = Armour.BASE64
        self._size = MESSAGE_SAFE
        self._up = self._attached = False
        self._early_bytes = 0
        self._early.clear()
        self._began = self._heard = self._spoke = time.monotonic()
        self.feed(rest)

    def end(self, *, malformed: bool = False, too_long: bool = False) -> None:
        """The channel is gone: because of what it carried, or because a message was too long for it."""
        if self._sender is None:
            return
        learned = self.learned
        if malformed:
            learned.strikes += 1
            learned.armour = Armour.BASE64
        if self._up:
            self._note_where_it_ended()
        else:
            learned.unfinished += 1
            # The first long message may have been the one too long, even if nobody said so.
            if self._attached and (too_long or learned.unfinished % 2 == 0):
                learned.pad = next((size for size in MESSAGE_SIZES if size < learned.pad), MESSAGE_SAFE)
        self._sender = None
        self._up = False

    def _note_where_it_ended(self) -> None:
        """Some back ends end a session at certain bytes (docker's detach keys): do not send those again as they are."""
        learned = self.learned
        first = self._kept[0][0] if self._kept else None
        learned.stuck = learned.stuck + 1 if first == learned.stuck_at and first is not None else 1
        learned.stuck_at = first
        if learned.stuck >= STUCK_MOST:
            learned.armour = Armour.BASE64

    @property
    def hopeless(self) -> bool:
        """Whether channels have failed again and again in ways that a new one will not mend."""
        unfinished = not self._known and self.learned.unfinished >= UNFINISHED_MOST
        return self.learned.strikes >= STRIKES_MOST or unfinished

    def feed(self, data: bytes | memoryview) -> None:
        """Take what came in; raises MalformedError (drop the channel) or TunnelError (give up)."""
        self._heard = time.monotonic()
        for event in self._parser.feed(data):
            if isinstance(event, Packet):
                if event.type >= FIRST_NUMBERED:
                    self._numbered(event)
                else:
                    self._control(event)
            elif isinstance(event, Probe):
                self._attach(event.bad)
            elif isinstance(event, Pad):
                raise MalformedError("padding from the helper")

    def send(self, kind: Type, stream: int, payload: bytes | memoryview = b"", flags: int = 0) -> None:
        """Number a packet, keep it, and send it when there is a channel."""
        number = self._next_number
        self._next_number = (number + 1) & 0xFFFFFFFF
        data = pack(kind, stream, number, payload, flags)
        self._kept.append((number, data))
        self._kept_bytes += len(data)
        if self._up:
            self._sent_next = self._next_number
            along = self._unacked_bytes >= ACK_ALONG
            self._write(*(self._acknowledgement(time.monotonic()), data) if along else (data,))
        elif self._attached and not self._known and len(self._early) == len(self._kept) - 1:
            self._send_early(number, data)

    def bye(self) -> None:
        """End the session at the other end at once."""
        if self._sender is not None and self._attached:
            self._write(pack(Type.BYE, 0, 0))

    def tick(self, now: float) -> None:
        """Acknowledge, keep alive; raises TimeoutError when the other end is silent."""
        if self._sender is None:
            return
        if not self._up:
            if now - self._began > self._tuning.greeting:
                raise TimeoutError
            return
        if self._unacked_packets and now - self._acked_at >= ACK_SECONDS and self._takes_answers:
            self._write(self._acknowledgement(now))
        if now - self._heard >= self._tuning.dead:
            raise TimeoutError
        if now - self._spoke >= self._tuning.ping:
            self._write(pack(Type.PING, 0, 0, b"\0" * 8))

    @property
    def _takes_answers(self) -> bool:
        return self._sender is not None and self._sender.backlog < ANSWERS_MOST

    def _write(self, *packets: bytes) -> None:
        """Send packets in as few messages as they fit into: the other end wakes up for each."""
        if self._sender is None:
            return
        self._spoke = time.monotonic()
        if self._armour is not Armour.RAW:
            packets = tuple(armour.encode(self._armour, self._bad, data) for data in packets)
        self._sender.send(packets[0] if len(packets) == 1 else b"".join(packets), self._size)

    def _acknowledgement(self, now: float) -> bytes:
        self._unacked_bytes = self._unacked_packets = 0
        self._acked_at = now
        return pack(Type.ACK, 0, 0, messages.encode_number(self._receive_next))

    def _numbered(self, packet: Packet) -> None:
        if not self._up:
            if self._parser.lenient:
                return  # noise that happens to be a packet of an earlier session
            raise MalformedError("a stream packet before WELCOME")
        if packet.number != self._receive_next:
            if before(packet.number, self._receive_next):
                return
            raise MalformedError("a packet is missing")
        self._receive_next = (packet.number + 1) & 0xFFFFFFFF
        self._unacked_bytes += len(packet.payload)
        self._unacked_packets += 1
        self.learned.strikes = 0
        if (self._unacked_bytes >= ACK_BYTES or self._unacked_packets >= ACK_PACKETS) and self._takes_answers:
            self._write(self._acknowledgement(time.monotonic()))
        self._on_packet(packet)

    def _control(self, packet: Packet) -> None:
        if packet.type == Type.HELLO:
            self._greeted(packet.payload)
        elif packet.type == Type.WELCOME and self._attached and not self._up:
            self._welcomed(messages.decode_welcome(packet.payload))
        elif packet.type == Type.ACK and self._up:
            self._forget(messages.decode_number(packet.payload))
        elif packet.type == Type.PING and self._up:
            self._answer(packet.payload)
        elif packet.type != Type.PONG and not self._parser.lenient:
            raise MalformedError(f"unexpected packet {packet.type}")

    def _answer(self, payload: bytes) -> None:
        # Who lets so much wait for him needs no other sign of life, and one who only asks is not to fill our memory.
        if self._sender is not None and self._sender.backlog < BACKLOG_MOST:
            self._write(pack(Type.PONG, 0, 0, payload))

    def _greeted(self, payload: bytes) -> None:
        hello = messages.decode_hello(payload)
        if hello.version != messages.PROTOCOL_VERSION or hello.digest != self._digest:
            raise HelperMismatchError(
                f"the helper in the container is another build ({hello.digest.hex()[:16]}…)",
                remedy="Stop and start the workspace to get rid of it.",
            )
        self._instance = hello.instance
        if self._told not in (b"", hello.instance) and not self._known:
            raise ForgottenError("the container has restarted before it answered")
        self._parser.probing = True

    def _attach(self, bad: bytes) -> None:
        """The helper's probe has arrived: introduce ourselves, and let our own probe follow."""
        self._parser.probing = False
        if self._attached or self._sender is None:
            return  # the helper greeted twice before it heard us
        self._attached = True
        self._armour_down = max(armour.choose(bad), self.learned.armour)
        self._parser.lenient = False
        tuning = self._tuning
        self._write(
            pack(
                Type.ATTACH, 0, 0,
                messages.encode_attach(
                    session=self._id, resume=self._known, armour=self.learned.armour, next_number=self._receive_next,
                    ping=tuning.ping, dead=tuning.dead, grace=tuning.resume, bad=bad, owner=self._owner,
                ),
            )
        )  # fmt: skip
        pad = b"=" + b"p" * (self.learned.pad - 2) + b"\n"
        self._sender.send(armour.probe(), MESSAGE_SAFE)
        self._sender.send(pad, len(pad))
        self._write(pack(Type.PROBED, 0, 0))
        if not self._known:
            for number, data in self._kept:
                if not self._send_early(number, data):
                    break

    def _send_early(self, number: int, data: bytes) -> bool:
        """Do not wait for WELCOME with a first command that is short."""
        self._early_bytes += len(data)
        if self._early_bytes > EARLY_MOST:
            return False
        self._early.add(number)
        self._told = self._instance
        self._sent_next = (number + 1) & 0xFFFFFFFF
        self._write(data)
        return True

    def _welcomed(self, welcome: messages.Welcome) -> None:
        if not welcome.attached:
            raise ForgottenError("the container has restarted or has given the session up")
        self._bad = welcome.bad
        self._armour = max(armour.choose(welcome.bad), self.learned.armour)
        whole = welcome.pad_seen >= self.learned.pad - 2
        self._size = self.learned.pad if whole else max(welcome.pad_seen + 1, 16)
        self._up = True
        self._acked_at = time.monotonic()
        if self._armour is not Armour.RAW or self._armour_down is not Armour.RAW or not whole:
            up, down = self._armour.name, self._armour_down.name
            self._on_event(f"the channel is not clean: armour {up} up, {down} down, messages of {self._size} bytes")
        self.learned.unfinished = 0
        self._known = True
        self._forget(welcome.next_number)
        if self._kept and self._kept[0][0] != welcome.next_number:
            raise TunnelError("the helper asks for packets it has acknowledged")
        for number, data in self._kept:
            if number not in self._early:
                self._write(data)
        self._sent_next = self._next_number
        self._early.clear()

    def _forget(self, next_number: int) -> None:
        while self._kept and before(self._kept[0][0], next_number):
            self._kept_bytes -= len(self._kept.popleft()[1])
