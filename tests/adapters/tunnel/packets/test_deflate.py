"""Compressed input: what any compressor makes comes out as it went in, and what nobody made does no harm."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import zlib
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.tunnel.packets import deflate
from adapters.tunnel.packets.deflate import EXPANDED_MOST, OVERHEAD, PIECE_LEAST, PIECE_MOST, TRIAL, UNDER_WAY, Deflater
from adapters.tunnel.packets.packet import PAYLOAD_MOST

HERE = Path(__file__).parents[1]
HELPER = HERE.parents[2] / "adapters" / "tunnel" / "helper"


@pytest.fixture(scope="module")
def expand(tmp_path_factory):
    """The helper's inflate under sanitizers: streams of packets to what each packet expanded to, None ending a list."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    program = tmp_path_factory.mktemp("harness") / "inflate"
    subprocess.run(
        ["gcc", "-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{HELPER}",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", program, HERE / "inflate_harness.c",
         HELPER / "inflate.c", HELPER / "util.c"],
        check=True,
    )  # fmt: skip

    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def one(packets):
        process.stdin.write(" ".join(packet.hex() or "-" for packet in packets).encode() + b"\n")
        process.stdin.flush()
        said = process.stdout.readline().decode()
        assert said.endswith("\n"), process.stderr.read().decode()[:3000]
        return [None if word == "!" else bytes.fromhex(word.strip("-")) for word in said.split()]

    yield lambda *streams: [one(stream) for stream in streams]
    process.communicate()
    assert process.returncode == 0


WORDS = st.sampled_from([b"\0" * 40, b"container", b" group ", b"\x7fELF\x02\x01\x01", bytes(range(256))])
CONTENT = st.one_of(
    st.lists(st.one_of(WORDS, st.binary(max_size=12)), max_size=60).map(b"".join),
    st.builds(lambda seed, size: seed * size, st.binary(min_size=1, max_size=9), st.integers(1, 3000)),
    st.builds(lambda seed, size: Random(seed).randbytes(size), st.integers(0, 99), st.integers(1, PIECE_MOST)),
).map(lambda data: data[:PIECE_MOST])


PIECES_A_STEP = deflate.STEP_BYTES // PIECE_MOST + 1


class Clock:
    """What a Deflater reads when it is made, and then before and after each piece."""

    def __init__(self, squeezing, waiting):
        self.squeezing, self.waiting = squeezing, waiting
        self._now, self._steps = 0.0, itertools.cycle(("waiting", "squeezing"))
        self._made = False

    def __call__(self):
        if self._made:
            self._now += getattr(self, next(self._steps))
        self._made = True
        return self._now


def at_level(level, clock):
    """A Deflater that has come to work at a level, which begins it afresh; the clock must leave it time to."""
    deflater = Deflater(clock)
    while deflater.level < level:
        deflater.squeeze(bytes(PIECE_MOST))
    return deflater


@given(st.lists(CONTENT, min_size=1, max_size=6), st.sampled_from([level for level, _ in deflate.LEVELS]))
@settings(max_examples=60, deadline=None)
def test_what_we_compress_comes_out_as_it_went_in(expand, pieces, level):
    deflater = at_level(level, Clock(squeezing=0.001, waiting=0.02))
    packets = [deflater.squeeze(piece) for piece in pieces]
    assert all(
        len(packet) <= min(len(piece) + OVERHEAD, PAYLOAD_MOST) for packet, piece in zip(packets, pieces, strict=True)
    )
    assert expand(packets) == [pieces]


@given(
    st.lists(CONTENT, min_size=1, max_size=4), st.integers(0, 9), st.integers(1, 9), st.integers(9, 15),
    st.integers(0, 4),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_what_any_zlib_makes_is_understood(expand, pieces, level, memory, window, strategy):
    other = zlib.compressobj(level, zlib.DEFLATED, -window, memory, strategy)
    assert expand([other.compress(piece) + other.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]) == [pieces]


DAMAGES = st.lists(
    st.tuples(st.integers(0, 1 << 20), st.integers(0, 255), st.sampled_from(["flip", "drop", "add", "cut"])),
    min_size=1, max_size=4,
)  # fmt: skip


@given(st.lists(CONTENT, min_size=1, max_size=3), st.integers(0, 9), st.integers(0, 4), DAMAGES)
@settings(max_examples=150, deadline=None)
def test_damage_is_refused_or_means_what_zlib_says(expand, pieces, level, strategy, damages):
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    packets = [bytearray(compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH)) for piece in pieces]
    for at, value, how in damages:
        packet = packets[at % len(packets)]
        place = at // len(packets) % (len(packet) + 1)
        if how == "flip" and packet:
            packet[place % len(packet)] ^= value
        elif how == "drop":
            del packet[place : place + 1]
        elif how == "add":
            packet.insert(place, value)
        else:
            del packet[place:]
    (found,) = expand(packets)
    other = zlib.decompressobj(-zlib.MAX_WBITS)
    for packet, out in zip(packets, found, strict=False):
        if out is not None:
            assert other.decompress(packet) == out
            assert len(out) <= EXPANDED_MOST
            assert not other.eof
    assert len(found) == len(packets) or found[-1] is None


@given(st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=3), max_size=20))
@settings(max_examples=60, deadline=None)
def test_noise_is_no_danger(expand, streams):
    assert len(expand(*streams)) == len(streams)


def test_a_packet_expands_to_so_much_and_no_more(expand):
    def packed(size):
        other = zlib.compressobj(9, zlib.DEFLATED, -15)
        return other.compress(bytes(size)) + other.flush(zlib.Z_SYNC_FLUSH)

    assert expand([packed(EXPANDED_MOST)] * 3) == [[bytes(EXPANDED_MOST)] * 3]
    assert expand([packed(EXPANDED_MOST + 1)], [packed(1 << 20)[:PAYLOAD_MOST]]) == [[None], [None]]


def test_little_under_way_and_little_credit_are_left_alone():
    deflater = Deflater()
    assert deflater.room(1 << 20, UNDER_WAY - 1) == 0
    assert deflater.room(PIECE_LEAST + OVERHEAD - 1, UNDER_WAY) == 0
    assert deflater.room(PIECE_LEAST + OVERHEAD, UNDER_WAY) == PIECE_LEAST
    assert deflater.room(1 << 20, UNDER_WAY) == PIECE_MOST


def pause(deflater):
    """Bytes that pass untouched before the next try."""
    passed = 0
    while deflater.room(1 << 20, 1 << 20) == 0:
        deflater.passed(16384)
        passed += 16384
    return passed


def test_what_does_not_shrink_passes_more_and_more_untouched():
    deflater = Deflater()
    random = os.urandom(PIECE_MOST)
    pauses = []
    for _ in range(8):
        deflater.squeeze(random)
        pauses.append(pause(deflater))
    assert pauses == sorted(pauses)
    assert pauses[0] == deflate.PAUSE_FIRST
    assert pauses[-1] == deflate.PAUSE_MOST
    deflater.squeeze(bytes(PIECE_MOST))  # something that shrinks: all is forgiven
    assert pause(deflater) == 0
    deflater.squeeze(random)
    assert pause(deflater) == deflate.PAUSE_FIRST


def test_after_what_did_not_shrink_a_small_piece_is_tried():
    deflater = Deflater()
    deflater.squeeze(os.urandom(PIECE_MOST))
    pause(deflater)
    assert deflater.room(1 << 20, UNDER_WAY) == TRIAL
    deflater.squeeze(bytes(TRIAL))
    assert deflater.room(1 << 20, UNDER_WAY) == PIECE_MOST


@pytest.mark.parametrize(
    ("squeezing", "waiting", "levels"),
    [
        (0.001, 0.02, [1, 4, 6, 6]),  # a slow line: as hard as it goes
        (0.001, 0.0015, [1, 4, 4, 4]),  # the best level would take longer than the line
        (0.02, 0.001, [1, 1, 1, 1]),  # a slow processor
    ],
)
def test_it_works_as_hard_as_there_is_time_to(squeezing, waiting, levels):
    """``squeezing`` is the time of a piece at the first level, ``waiting`` what the line then makes us wait."""
    clock = Clock(squeezing, waiting)
    deflater = Deflater(clock)
    seen = []
    for _ in levels:
        seen.append(deflater.level)
        clock.squeezing = squeezing * dict(deflate.LEVELS)[deflater.level]
        for _ in range(PIECES_A_STEP):
            deflater.squeeze(bytes(PIECE_MOST))
    assert seen == levels


def test_a_level_too_hard_is_left_again():
    clock = Clock(squeezing=0.001, waiting=0.02)
    deflater = at_level(6, clock)
    clock.squeezing, clock.waiting = 0.01, 0.0
    for _ in range(PIECES_A_STEP):
        assert deflater.level == 6
        deflater.squeeze(bytes(PIECE_MOST))
    assert deflater.level == 4


def bits(*fields):
    """Bytes from (value, count) pairs, as DEFLATE packs them; a negative count is a code, first bit first."""
    row = []
    for value, count in fields:
        row += [value >> at & 1 for at in (range(count) if count > 0 else reversed(range(-count)))]
    return bytes(sum(bit << at for at, bit in enumerate(row[start : start + 8])) for start in range(0, len(row), 8))


@pytest.mark.parametrize("before", [32767, 32768, 72768])
def test_a_copy_reaches_back_a_whole_window_and_no_further(expand, before):
    data = os.urandom(before)
    stored = zlib.compressobj(0, zlib.DEFLATED, -15)
    pieces = [data[at : at + 30_000] for at in range(0, len(data), 30_000)]
    packets = [stored.compress(piece) + stored.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    # A fixed block: three bytes from 32768 back, its end, and the empty stored block.
    copy = bits((0, 1), (1, 2), (1, -7), (29, -5), (8191, 13), (0, -7), (0, 3)) + b"\0\0\xff\xff"
    reachable = data[-32768:][:3] if len(data) >= 32768 else None
    assert expand([*packets, copy]) == [[*pieces, reachable]]
