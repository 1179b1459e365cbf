"""The wire format: vectors that both sides read, and properties that hold for any bytes."""

from __future__ import annotations

import shutil
import subprocess
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.tunnel.packets import armour, messages
from adapters.tunnel.packets.armour import Armour
from adapters.tunnel.packets.deflate import EXPANDED_MOST
from adapters.tunnel.packets.malformed import MalformedError
from adapters.tunnel.packets.packet import Packet, pack, unpack
from adapters.tunnel.packets.parser import Pad, Parser, Probe
from adapters.tunnel.starting import memorytext, shelltext

HERE = Path(__file__).parents[1]
HELPER = HERE.parents[2] / "adapters" / "tunnel" / "helper"
VECTORS = [
    line.split() for line in (HERE / "vectors.txt").read_text().splitlines() if line and not line.startswith("#")
]


def hexed(text):
    return b"" if text == "-" else bytes.fromhex(text)


def events(data, piece, *, lenient):
    parser = Parser(lenient=lenient)
    seen = []
    try:
        for at in range(0, len(data), piece):
            for event in parser.feed(data[at : at + piece]):
                seen.append(f"{event.type}:{event.number}:{event.payload.hex() or '-'}")  # noqa: PERF401  # must survive the error
    except MalformedError:
        seen.append("!")
    return seen


def stream(words):
    other = zlib.decompressobj(-zlib.MAX_WBITS)
    return [(hexed(word.partition(":")[0]), other) for word in words]


def expanded(packet, other):
    """What zlib makes of a packet, within the limits that the protocol adds."""
    try:
        found = other.decompress(packet)
    except zlib.error:
        return "!"
    if other.eof or len(found) > EXPANDED_MOST or not packet.endswith(b"\0\0\xff\xff"):
        return "!"
    return found.hex() or "-"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector[0])
def test_vector(vector):
    kind, *words = vector
    if kind == "packet":
        number = [int(word) for word in words[:4]]
        raw = pack(number[0], number[2], number[3], hexed(words[4]), number[1])
        assert raw.hex() == words[5]
        assert unpack(raw) == Packet(*number, hexed(words[4]))
    elif kind == "base64":
        assert armour.encode(Armour.BASE64, b"", hexed(words[0])) == words[1].encode() + b"\n"
    elif kind == "escape":
        assert armour.encode(Armour.ESCAPE, hexed(words[0]), hexed(words[1])).hex() == words[2]
    elif kind == "choose":
        assert armour.choose(hexed(words[0])) == int(words[1])
    elif kind == "judge":
        assert armour.judge(hexed(words[0])).hex() == words[1]
    elif kind == "inflate":
        assert [f"{packet.hex() or '-'}:{expanded(packet, other)}" for packet, other in stream(words)] == words
    else:
        data = hexed(words[1])
        for piece in range(1, len(data) + 1):
            assert events(data, piece, lenient=words[0] == "1") == words[2:]


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    program = tmp_path_factory.mktemp("harness") / "harness"
    sources = [HELPER / f"{name}.c" for name in ("parser", "armour", "packet", "crc", "order", "inflate", "util")]
    subprocess.run(
        ["gcc", "-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{HELPER}",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", program, HERE / "harness.c", *sources],
        check=True,
    )  # fmt: skip
    return program


def test_the_helper_reads_the_same_vectors_under_sanitizers(harness):
    done = subprocess.run([harness, HERE / "vectors.txt"], capture_output=True, text=True, check=False)
    assert done.stdout == f"{len(VECTORS)} vectors hold\n", done.stdout + done.stderr


BAD = st.one_of(st.binary(min_size=32, max_size=32), st.sets(st.integers(0, 255), max_size=6).map(
    lambda values: bytes(sum(1 << (v & 7) for v in values if v >> 3 == at) for at in range(32))
))  # fmt: skip
PACKETS = st.lists(st.tuples(st.sampled_from([16, 17, 19, 20, 23]), st.binary(max_size=400)), max_size=6)


@given(packets=PACKETS, bad=BAD, sizes=st.lists(st.integers(1, 300), min_size=1), kinds=st.lists(st.integers(0, 2)))
@settings(max_examples=150, deadline=None)
def test_any_packets_in_any_armour_in_any_pieces(packets, bad, sizes, kinds):
    least = armour.choose(bad)
    sent, wire = [], b""
    for at, (kind, payload) in enumerate(packets):
        chosen = Armour(max(least, kinds[at % len(kinds)] if kinds else 0))
        coded = armour.encode(chosen, bad, pack(kind, 1, at, payload))
        if chosen is least and least is Armour.ESCAPE:
            assert not any(armour.is_bad(bad, value) for value in coded)
        wire += coded
        sent.append((kind, payload))
    parser = Parser(lenient=False)
    seen = []
    at = turn = 0
    while at < len(wire):
        size = sizes[turn % len(sizes)]
        seen += [(event.type, event.payload) for event in parser.feed(wire[at : at + size])]
        at += size
        turn += 1
    assert seen == sent


@given(data=st.binary(max_size=2000), piece=st.integers(1, 64), lenient=st.booleans(), probing=st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_noise_ends_in_packets_or_one_error(data, piece, lenient, probing):
    parser = Parser(lenient=lenient)
    parser.probing = probing
    try:
        for at in range(0, len(data), piece):
            list(parser.feed(data[at : at + piece]))
    except MalformedError:
        assert not lenient


@given(st.sets(st.integers(0, 255), max_size=60))
def test_the_probe_finds_what_a_channel_eats(eaten):
    eaten -= set(b"<>]probe-end[")
    sent = armour.probe()[1 : -len(armour.PROBE_END)]
    bad = armour.judge(bytes(value for value in sent if value not in eaten))
    assert {value for value in range(256) if armour.is_bad(bad, value)} == eaten


@given(st.binary(max_size=3000))
@settings(max_examples=40, deadline=None)
def test_the_upload_is_what_printf_makes_of_it(data):
    text = shelltext.upload_text(data)
    assert all(32 <= value < 127 or value == 10 for value in text)
    assert b"!" not in text
    assert all(len(line) < 1000 for line in text.split(b"\n"))
    script = 'while IFS= read -r l&&case $l in .)false;;esac;do printf "$l";done'
    made = subprocess.run(["/bin/sh", "-c", script], input=text, capture_output=True, check=False)
    assert made.stdout == data


@given(st.binary(max_size=3000))
@settings(max_examples=20, deadline=None)
def test_the_packed_upload_is_what_base64_and_gzip_make_of_it(data):
    text = shelltext.packed_text(data)
    assert all(32 <= value < 127 or value == 10 for value in text)
    assert all(len(line) < 1000 for line in text.split(b"\n"))
    script = "awk '/^[.]$/{exit}{print}'|base64 -d|gzip -dc"
    made = subprocess.run(["/bin/sh", "-c", script], input=text, capture_output=True, check=False)
    assert (made.stdout, made.stderr) == (data, b"")


def test_lines_typed_into_a_shell_are_plain_and_short():
    nonce = shelltext.Nonce()
    for line in (
        shelltext.SOBER,
        shelltext.start_line("0" * 16, nonce),
        *shelltext.place_lines("0" * 16, "0" * 64, nonce),
        *memorytext.memory_lines("0" * 64, nonce),
    ):
        assert len(line) <= shelltext.LINE_MOST
        assert line.endswith(b"\n")
        assert all(32 <= value < 127 for value in line[:-1])
        assert b"!" not in line
        assert nonce.said("need") not in line
        assert nonce.relay() not in line


@given(st.integers(0, 255), st.integers(0, 255))
def test_exit_statuses(how, code):
    payload = bytes([how and 1]) + code.to_bytes(4, "little")
    assert messages.decode_exit(payload) == (128 + code if how else code)


FLOODS = {
    "marks": b"~" * 262_144 + b"\n",
    "marks without an end": b"~" * 262_144,
    "marks and letters": b"~A" * 131_072 + b"\n",
    "marks of probes": b"~?" * 131_072 + b"\n",
}


@pytest.mark.parametrize("probing", [False, True])
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_marks_is_past_in_no_time_and_hides_no_packet(flood, probing):
    parser = Parser()
    parser.probing = probing
    packet = pack(1, 0, 0, b"hello")
    begun = time.monotonic()
    seen = [*parser.feed(FLOODS[flood]), *parser.feed(armour.encode(Armour.BASE64, b"", packet))]
    if probing and "probes" in flood:
        parser.probing = False
        seen += parser.feed(armour.encode(Armour.BASE64, b"", packet))
    assert time.monotonic() - begun < 3
    assert unpack(packet) in seen


def test_a_pad_without_end_is_not_kept():
    parser = Parser()
    parser.probing = True
    seen = [event for piece in [b"=", *[b"p" * 65_536] * 8] for event in parser.feed(piece)]
    assert [type(event) for event in seen] == [Pad]
    assert not list(parser.feed(armour.encode(Armour.BASE64, b"", pack(1, 0, 0))[:10]))


def test_a_probe_behind_a_mark_is_found():
    parser = Parser()
    parser.probing = True
    assert list(parser.feed(b"noise ~ and more " + armour.probe())) == [Probe(armour.NOTHING_BAD)]
