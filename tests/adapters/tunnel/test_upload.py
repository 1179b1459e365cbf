"""Input that travels compressed: smaller on the line, the same at its end, whatever happens on the way."""

from __future__ import annotations

import hashlib
import itertools
import os
import struct
import time
import zlib

import pytest

from adapters.tunnel import CommandSpec, Tuning, run_command
from adapters.tunnel.packets import deflate
from adapters.tunnel.packets.deflate import Deflater
from statemachine.errors import TunnelError

TEXT = b"".join(b"%d kept what it was told about %d, and nothing else\n" % (n, n * n) for n in range(120_000))


@pytest.fixture
def upload(endpoint, captured):
    """Run a command with input over a line that counts what comes and is slow enough to be the bottleneck."""
    server = endpoint()
    came = [0]

    def count(piece):
        came[0] += len(piece)
        time.sleep(len(piece) / 10e6)
        return piece

    server.behaviour.input = count

    def upload(command, data, **tuning):
        spec = CommandSpec(command)
        times = Tuning(backoff_first=0.05, **tuning)
        outcome = captured(
            lambda i, o, e: run_command(
                spec, server.opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file, tuning=times
            ), data,
        )  # fmt: skip
        return outcome, came[0]

    upload.server = server
    upload("true", b"")  # places the helper, which is not to be counted
    came[0] = 0
    return upload


def said(outcome):
    return outcome.out.split()[0].decode()


def test_what_shrinks_is_small_on_the_line(upload):
    outcome, came = upload("sha256sum", TEXT)
    assert said(outcome) == hashlib.sha256(TEXT).hexdigest()
    assert came < len(TEXT) * 0.5


def test_it_can_be_turned_off(upload):
    outcome, came = upload("sha256sum", TEXT, compress=False)
    assert said(outcome) == hashlib.sha256(TEXT).hexdigest()
    assert came > len(TEXT)


def test_what_does_not_shrink_is_no_larger(upload):
    data = os.urandom(6_000_000)
    outcome, came = upload("sha256sum", data)
    assert said(outcome) == hashlib.sha256(data).hexdigest()
    assert came < len(data) * 1.005 + 30_000  # the ends' greeting and the packets' heads


def test_both_kinds_in_turn(upload):
    random = os.urandom(700_000)
    data = (TEXT[:1_500_000] + random) * 4
    outcome, came = upload("sha256sum", data)
    assert said(outcome) == hashlib.sha256(data).hexdigest()
    assert came < len(data) * 0.8


class Wasteful:
    """As some builds of zlib do at their fastest: what does not shrink becomes longer than it has to."""

    def __init__(self, _level):
        self._inner = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)

    def compress(self, piece):
        shrunk = self._inner.compress(piece) + self._inner.flush(zlib.Z_SYNC_FLUSH)
        if len(shrunk) < len(piece):
            return shrunk
        blocks = [piece[at : at + 64] for at in range(0, len(piece), 64)]
        heads = [b"\0" + struct.pack("<HH", len(block), len(block) ^ 0xFFFF) for block in blocks]
        return b"".join(itertools.chain(*zip(heads, blocks, strict=True))) + b"\0\0\0\xff\xff"

    def flush(self, _mode):
        return b""


def test_what_becomes_longer_than_a_packet_goes_as_it_is(upload, monkeypatch):
    monkeypatch.setattr(deflate, "_squeezer", Wasteful)
    data = (TEXT[:1_500_000] + os.urandom(700_000)) * 3
    outcome, came = upload("sha256sum", data)
    assert said(outcome) == hashlib.sha256(data).hexdigest()
    assert came < len(data) * 0.9
    assert upload.server.sessions == 2, "one that placed the helper, and one"


def test_drops_do_not_change_a_byte(upload):
    server = upload.server
    inner, since, dropped = server.behaviour.input, 0, []

    def cut(piece):
        nonlocal since
        since += len(piece)
        # What a connection brought before it was dropped still comes: one that is dropped is so once.
        fresh = [one for one in server.live if one not in dropped]
        if since > 300_000 and fresh and len(dropped) < 6:
            since = 0
            dropped.extend(fresh)
            server.drop_all()
        return inner(piece)

    server.behaviour.input = cut
    before = server.sessions
    outcome, _ = upload("sha256sum", TEXT * 3)
    assert said(outcome) == hashlib.sha256(TEXT * 3).hexdigest()
    assert len(dropped) == 6
    assert server.sessions - before == 7


def test_a_slow_reader_gets_all_of_it(upload):
    outcome, _ = upload("sleep 1; head -c 100000 >/dev/null; sleep 1; sha256sum", TEXT)
    assert said(outcome) == hashlib.sha256(TEXT[100_000:]).hexdigest()


def test_a_reader_that_has_enough(upload):
    outcome, _ = upload("head -c 2000000 | sha256sum; exec <&-; exit 3", TEXT)
    assert said(outcome) == hashlib.sha256(TEXT[:2_000_000]).hexdigest()
    assert outcome.status == 3


def test_what_cannot_be_expanded_ends_the_command_with_one_clear_line(upload, monkeypatch, tmp_path, gone):
    monkeypatch.setattr(Deflater, "squeeze", lambda self, piece: b"\xff" * 100)
    with pytest.raises(TunnelError, match=r"because of its input: compressed input that cannot be expanded$"):
        upload(f"echo $$ >{tmp_path}/pid; cat >/dev/null", TEXT)
    assert gone(int((tmp_path / "pid").read_text()))
