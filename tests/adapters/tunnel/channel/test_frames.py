"""Our WebSocket frames against the library's, as the other end and as bytes in any pieces."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from adapters.tunnel.channel.frames import BINARY, CLOSE, PING, Control, FrameError, FrameReader, FrameWriter, closing
from adapters.tunnel.channel.websocket import Channel, ChannelClosedError
from adapters.tunnel.channel.wire import Wire

payloads = st.one_of(st.binary(max_size=300), st.integers(0, 70000).map(lambda size: bytes(range(256)) * (size // 256)))
data_frames = st.tuples(st.sampled_from([Opcode.BINARY, Opcode.TEXT, Opcode.CONT]), payloads, st.booleans())
control_frames = st.tuples(
    st.sampled_from([Opcode.PING, Opcode.PONG, Opcode.CLOSE]), st.binary(max_size=125), st.just(True)
)


def read(pieces):
    reader = FrameReader()
    data, controls = bytearray(), []
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, Control):
                controls.append(event)
            else:
                data += event
    return bytes(data), controls


@given(st.lists(st.one_of(data_frames, control_frames), max_size=12), st.lists(st.integers(1, 5000), max_size=40))
def test_what_a_server_sends_arrives_in_whatever_pieces(frames, cuts):
    wire = b"".join(Frame(opcode, data, fin).serialize(mask=False) for opcode, data, fin in frames)
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(wire[at : at + cut])
        at += cut
    pieces.append(wire[at:])
    assert read(pieces) == (
        b"".join(data for opcode, data, _ in frames if opcode < 8),
        [Control(opcode, data) for opcode, data, _ in frames if opcode >= 8],
    )


@given(st.lists(payloads, max_size=8))
def test_what_we_send_is_what_a_server_understands(messages):
    server = ServerProtocol(state=State.OPEN, max_size=None)
    writer = FrameWriter()
    for message in messages:
        server.receive_data(b"".join(writer.frame(BINARY, memoryview(message))))
    events = server.events_received()
    assert [bytes(event.data) for event in events] == messages
    assert all(event.opcode is Opcode.BINARY and event.fin for event in events)


def test_no_two_masks_are_alike():
    writer = FrameWriter()
    masks = {writer.frame(BINARY, b"")[0][2:6] for _ in range(3000)}
    assert len(masks) > 2990


def test_a_frame_longer_than_memory_passes_as_it_comes():
    reader = FrameReader()
    assert list(reader.feed(b"\x82\x7f" + (1 << 62).to_bytes(8, "big"))) == []
    for _ in range(100):
        assert sum(map(len, reader.feed(bytes(100_000)))) == 100_000


@pytest.mark.parametrize(
    "wire",
    [
        b"\xc2\x01a",  # a reserved bit: no extension was agreed on
        b"\x82\x81\0\0\0\0a",  # masked, which only clients do
        b"\x83\x00",  # of an unknown kind
        b"\x89\x7e\x00\x80",  # a long ping
        b"\x09\x01a",  # a ping in parts
    ],
)
def test_what_no_server_may_send_is_refused(wire):
    with pytest.raises(FrameError):
        list(FrameReader().feed(wire))


def test_a_close_frame_says_why():
    assert closing(b"") == (1005, "")
    assert closing((1011).to_bytes(2, "big") + "gone ✗".encode()) == (1011, "gone ✗")


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    with ours, theirs:
        yield Channel(Wire(ours)), theirs


def test_a_ping_is_answered_and_a_close_too(ends):
    channel, theirs = ends
    server = ServerProtocol(state=State.OPEN)
    server.send_ping(b"alive?")
    server.send_binary(b"data")
    server.send_close(1001, "session limit")
    theirs.sendall(b"".join(server.data_to_send()))
    assert b"".join(channel.receive()) == b"data"
    with pytest.raises(ChannelClosedError) as closed:
        channel.receive()
    assert (closed.value.code, closed.value.reason) == (1001, "session limit")
    server.receive_data(theirs.recv(1000))
    assert [(event.opcode, bytes(event.data)[:6]) for event in server.events_received()] == [
        (PING + 1, b"alive?"),
        (CLOSE, (1001).to_bytes(2, "big") + b"sess"),
    ]


def test_an_end_without_a_close_frame_is_abnormal(ends):
    channel, theirs = ends
    theirs.sendall(b"\x82\x05ab")
    theirs.close()
    assert b"".join(channel.receive()) == b"ab"
    with pytest.raises(ChannelClosedError) as closed:
        channel.receive()
    assert closed.value.code == 1006


def test_bytes_that_are_no_frames_close_the_channel(ends):
    channel, theirs = ends
    theirs.sendall(b"\x82\x01a" + b"SSH-2.0-OpenSSH")
    assert b"".join(channel.receive()) == b"a"
    with pytest.raises(ChannelClosedError) as closed:
        channel.receive()
    assert closed.value.code == 1002


def test_what_does_not_fit_waits_for_room(ends):
    channel, theirs = ends
    data = bytes(range(256)) * 16384
    channel.send(data, 16384)
    channel.flush()
    assert channel.wants_write
    server = ServerProtocol(state=State.OPEN, max_size=None)
    while channel.wants_write:
        server.receive_data(theirs.recv(1 << 20))
        channel.flush()
    assert channel.backlog == 0
    theirs.setblocking(False)
    while True:
        try:
            server.receive_data(theirs.recv(1 << 20))
        except BlockingIOError:
            break
    assert b"".join(event.data for event in server.events_received()) == data
