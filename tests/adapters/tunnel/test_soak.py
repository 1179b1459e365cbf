"""Minutes of what lines do, through a holder as people have it; all of it with TUNNEL_SOAK=1, a little always."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, ExecEndpoint, run_through_holder
from adapters.tunnel.spec import HOLDER_TUNING
from emulator.testing import running_emulator
from statemachine.errors import ProviderError
from statemachine.secret import Secret
from tests.emulator.clients import Azure

soak = pytest.mark.skipif(not os.environ.get("TUNNEL_SOAK"), reason="takes minutes; TUNNEL_SOAK=1 runs it")
MIB = 1 << 20
BLOCK = os.urandom(MIB)
BRISK = {"resume": 60, "backoff_first": 0.05, "backoff_most": 0.5}
MEMORY_MOST = 80 * MIB


class Cloud:
    """Exec sessions of one running container, for whoever opens one; ``calls`` counts them."""

    def __init__(self, azure):
        self.azure = azure
        self.group = azure.group()
        self.control = azure.emulator.control
        self.ca_file = azure.emulator.ca_file
        self.calls = 0

    def opener(self):
        self.calls += 1
        given = self.azure.ticket(self.group)
        return ExecEndpoint(given.web_socket_uri, Secret(given.password))

    @property
    def drops(self):
        return self.control.sessions()["drops"]


@pytest.fixture(scope="module")
def emulated():
    with running_emulator("instant", exec={"cap": 200}) as emulator:
        azure = Azure(emulator)
        yield azure
        azure.close()


@pytest.fixture
def cloud(emulated):
    before = emulated.emulator.control.call("GET", "settings")["exec"]
    yield Cloud(emulated)
    emulated.emulator.control.change("exec", **before)


@dataclass
class Flow:
    """Bytes that are made and forgotten on the way in, hashed and forgotten on the way out."""

    holder: object
    command: str
    blocks: int
    pause: float = 0.0
    status: int = -1
    problem: Exception | None = None

    def run(self):
        """To the end; gives the digests of what went in and what came out."""
        stdin, feed = os.pipe()
        drain, stdout = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        self.sent, self.got, self.received = hashlib.sha256(), hashlib.sha256(), 0
        threads = [
            threading.Thread(target=self._feed, args=(feed,)),
            threading.Thread(target=self._drain, args=(drain,)),
        ]
        for thread in threads:
            thread.start()
        try:
            self.status = run_through_holder(
                CommandSpec(self.command), self.holder.path, spawn=self.holder.spawn,
                stdin=stdin, stdout=stdout, stderr=null,
            )  # fmt: skip
        finally:
            for fd in (stdin, stdout, null):
                os.close(fd)
            for thread in threads:
                thread.join(60)
        return self.sent.hexdigest(), self.got.hexdigest()

    def _feed(self, fd):
        with os.fdopen(fd, "wb", buffering=0) as file:
            for number in range(self.blocks):
                block = number.to_bytes(16, "big") + BLOCK[16:]
                self.sent.update(block)
                view = memoryview(block)
                try:
                    while view:
                        view = view[file.write(view) :]
                except OSError:
                    return
                time.sleep(self.pause)

    def _drain(self, fd):
        with os.fdopen(fd, "rb", buffering=0) as file:
            while data := file.read(MIB):
                self.got.update(data)
                self.received += len(data)


def memory_of(holder):
    """The most the holder has ever had, in bytes."""
    status = Path(f"/proc/{holder.started[-1].pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def through(cloud, held, mebibytes, drops, **how):
    """``mebibytes`` both ways at once, exact although the line breaks so often."""
    holder = held(server=cloud, tuning=how.pop("tuning", BRISK))
    before, ways = cloud.drops, 1 if how.get("drop_direction", "both") != "both" else 2
    # What is broken off is sent again: a little less than an even share.
    cloud.control.exec_options(drop_after=int(mebibytes * ways * 0.8 * MIB / drops), drop_count=before + drops, **how)
    flow = Flow(holder, "cat; exit 9", mebibytes)
    began = time.monotonic()
    sent, got = flow.run()
    assert (flow.status, flow.received) == (9, mebibytes * MIB)
    assert sent == got
    assert drops * 0.9 <= cloud.drops - before <= drops
    assert memory_of(holder) < MEMORY_MOST
    print(
        f"{mebibytes} MiB both ways, {cloud.drops - before} drops {how}: {time.monotonic() - began:.1f} s, "
        f"{cloud.calls} exec calls, holder at most {memory_of(holder) / MIB:.0f} MiB"
    )


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("mode", ["close", "silent"])
def test_a_few_drops_of_each_kind(cloud, held, mode, direction):
    through(cloud, held, 4, 3, drop_mode=mode, drop_direction=direction, drop_silent=0.3)


@soak
@pytest.mark.timeout(1800)
def test_a_gibibyte_with_fifty_drops_in_the_middle_of_frames(cloud, held):
    through(cloud, held, 1024, 50)


@soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("direction", ["in", "out", "both"])
@pytest.mark.parametrize(("mode", "silent"), [("reset", 0), ("close", 0), ("silent", 1), ("stall", 1)])
def test_drops_of_each_kind_and_direction(cloud, held, mode, silent, direction):
    through(cloud, held, 128, 10, drop_mode=mode, drop_direction=direction, drop_silent=silent)


@soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["silent", "stall"])
def test_a_minute_without_a_word(cloud, held, mode):
    """With the times people have: the silence is noticed after forty seconds, and the session goes on elsewhere."""
    began = time.monotonic()
    through(cloud, held, 64, 1, drop_mode=mode, drop_silent=60, tuning={"dead": HOLDER_TUNING.dead})
    assert 35 < time.monotonic() - began < 70
    assert cloud.calls == 2


class Talk:
    """A command one talks with."""

    def __init__(self, holder, command):
        stdin, self._feed = os.pipe()
        self._drain, stdout = os.pipe()
        self._outcome = []

        def run():
            try:
                status = run_through_holder(
                    CommandSpec(command), holder.path, spawn=holder.spawn, stdin=stdin, stdout=stdout, stderr=2
                )
            except ProviderError as problem:
                status = problem
            self._outcome.append(status)
            os.close(stdin)
            os.close(stdout)

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def say(self, data):
        os.write(self._feed, data)

    def hear(self, wanted):
        got = b""
        while len(got) < len(wanted):
            data = os.read(self._drain, len(wanted) - len(got))
            assert data, self._outcome
            got += data
        assert got == wanted

    def end(self, last, status):
        os.close(self._feed)
        self.hear(last)
        self._thread.join(30)
        os.close(self._drain)
        assert self._outcome == [status]


SPEED = 100.0
HOURS = 8
SESSION = """
i=0
while IFS= read -r line; do
    i=$((i + 1))
    echo "$i $line"
    [ $((i % 40)) != 0 ] || head -c 300000 /dev/zero
done
echo "$i lines"
exit 7
"""


@soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("cut", [{"idle_cut": 600.0}, {"absolute_cut": 900.0}], ids=["idle", "absolute"])
def test_eight_hours_a_hundred_times_as_fast(cloud, held, cut):
    """A line every minute and a half and an hour for lunch; Azure cuts after 10 idle minutes, or 15 of any kind."""
    seconds = HOURS * 3600 / SPEED
    # How long a dial takes is not a matter of the clock's speed, so neither is how long it is tried.
    tuning = {"ping": 15 / SPEED, "dead": 40 / SPEED, "resume": 30, "backoff_first": 0.05, "backoff_most": 0.1}
    cloud.control.exec_options(**{"idle_cut": 0, **{name: value / SPEED for name, value in cut.items()}})
    talk = Talk(held(server=cloud, tuning=tuning, idle_seconds=60), SESSION)
    began = time.monotonic()
    waits = []
    number = 0
    while time.monotonic() - began < seconds:
        number += 1
        asked = time.monotonic()
        talk.say(b"line %d\n" % number)
        talk.hear(b"%d line %d\n" % (number, number))
        waits.append(time.monotonic() - asked)
        if number % 40 == 0:
            talk.hear(bytes(300_000))
        time.sleep(0.9 if number != 150 else 36.0)
    talk.end(b"%d lines\n" % number, 7)
    waits.sort()
    print(
        f"{HOURS} h at {SPEED:g}x, {cut}: {number} lines, {cloud.calls} sessions, longest wait {waits[-1]:.2f} s, "
        f"99 of 100 below {waits[int(len(waits) * 0.99)] * 1000:.0f} ms, {cloud.drops} drops"
    )
    if "absolute_cut" in cut:
        assert cloud.calls >= seconds / (900 / SPEED) * 0.9
    else:
        assert cloud.calls <= 5, "keep-alive is below the limit"
