"""A person's shell: a real terminal here, a real terminal there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree, which
from tempfile import mkdtemp

import pytest

from adapters.tunnel import stop_holder
from emulator.testing import Running
from tests.e2e.provider import PROGRAM, Provider, eventually
from tests.e2e.test_link import holder_of, sockets
from tests.waiting import PATIENCE

SETTINGS = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_TIME": "C", "COLORTERM": "truecolor", "PS1": "$ "}


class Terminal:
    """A terminal with the provider's shell in it."""

    def __init__(self, machine: Provider, *words: str, rows: int = 33, columns: int = 101, **env: str) -> None:
        self.rows, self.columns = rows, columns
        self.seen = b""
        self.fd, slave = pty.openpty()
        self._prepare(slave)
        self.before = termios.tcgetattr(self.fd)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.fd)
            os.login_tty(slave)
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)  # tests in the background of a script would ignore them
            os.chdir(machine.home)
            os.execve(PROGRAM[0], [*PROGRAM, "shell", *words], machine.env | SETTINGS | env)
        os.close(slave)

    def _prepare(self, slave: int) -> None:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        mode = termios.tcgetattr(slave)
        mode[0] |= 0x4000  # IUTF8, which terminals of our time set
        mode[6][termios.VERASE] = b"\x08"
        termios.tcsetattr(slave, termios.TCSANOW, mode)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str | bytes) -> None:
        data = memoryview(text.encode() if isinstance(text, str) else text)
        while data:
            data = data[os.write(self.fd, data[:1024]) :]
            self._take(0)

    def _take(self, seconds: float) -> bool:
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data
        return bool(data)

    def until(self, wanted: str, seconds: float = PATIENCE) -> str:
        """What was printed up to and with ``wanted``."""
        end = time.monotonic() + seconds
        while wanted.encode() not in self.seen:
            assert time.monotonic() < end, self.seen
            assert self._take(0.1), f"the shell ended: {self.seen!r}"
        text, _, self.seen = self.seen.partition(wanted.encode())
        return text.decode(errors="replace") + wanted

    def status(self, seconds: float = PATIENCE) -> int:
        """The exit status, once it has ended."""
        end = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, self.seen
            self._take(0.05)

    @property
    def raw(self) -> bool:
        return not termios.tcgetattr(self.fd)[3] & termios.ICANON

    @property
    def as_before(self) -> bool:
        return termios.tcgetattr(self.fd) == self.before

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture(scope="module")
def shared(azure: Running) -> Iterator[Provider]:
    """One machine for all of them."""
    home = Path(mkdtemp(prefix="dpaci-"))
    (home / "run").mkdir(mode=0o700)
    machine = Provider(home, azure.env, {"MACHINE_ID": "for-shells", "MACHINE_CONTEXT": "default"})
    machine.ok("create")
    yield machine
    machine.call("delete")
    rmtree(home, ignore_errors=True)


@pytest.fixture
def opened(shared: Provider) -> Iterator[Terminal]:
    """A shell at its prompt."""
    terminal = Terminal(shared)
    terminal.type("PS1=; stty -echo; echo at-the-'prompt'\n")
    terminal.until("at-the-prompt\r\n")
    yield terminal
    terminal.close()


def test_the_terminal_there_is_as_the_one_here(opened: Terminal) -> None:
    opened.type("stty size; echo $TERM $LANG $LC_TIME $COLORTERM; stty -a | tr ';' '\\n'; echo that-is-'all'\n")
    seen = opened.until("that-is-all")
    assert "33 101" in seen
    assert "xterm-256color C.UTF-8 C truecolor" in seen
    assert " iutf8" in seen
    assert "erase = ^H" in seen
    assert opened.raw
    opened.resize(44, 122)
    opened.type("until [ \"$(stty size)\" = '44 122' ]; do sleep 0.1; done; echo re'sized'\n")
    opened.until("resized")
    opened.type("exit 5\n")
    assert opened.status() == 5
    assert opened.as_before


def test_the_keys_that_are_signals_are_signals_there(opened: Terminal) -> None:
    # Each key is pressed when what it is for has the terminal, which is why that speaks first.
    # One sleep of 1000 s would begin after a key that came between the word and it, and nothing would end it.
    opened.type("sh -c 'trap \"echo inter\"\"rupted; exit\" INT; echo run''ning; while :; do sleep 0.1; done'\n")
    opened.until("running")
    opened.type("\x03")
    opened.until("interrupted")
    opened.type("sh -c 'echo once more; exec sleep 1001'\n")
    opened.until("once more\r\n")
    opened.type("\x1a")
    opened.until("Stopped")
    opened.type("kill %1; sh -c 'echo the last; exec sleep 1002'; echo quit=$?\n")
    opened.until("the last\r\n")
    opened.type("\x1c")
    opened.until("quit=131")
    opened.type("kill -9 $$\n")
    assert opened.status() == 137
    assert opened.as_before


def test_every_byte_and_a_large_paste_arrive(opened: Terminal) -> None:
    paste = bytes(range(256)) * 600
    opened.type(f"stty raw -echo; echo go; head -c {len(paste)} | sha256sum; stty sane -echo\n")
    opened.until("go\n")
    opened.type(paste)
    opened.until(hashlib.sha256(paste).hexdigest())
    opened.type("printf '\\303\\244\\377\\200\\n'\n")
    end = time.monotonic() + PATIENCE
    while b"\xc3\xa4\xff\x80" not in opened.seen:
        assert time.monotonic() < end, opened.seen
        opened._take(0.1)


@pytest.mark.skipif(not which("vim"), reason="needs vim")
def test_a_program_that_has_the_whole_screen(opened: Terminal, shared: Provider) -> None:
    opened.type("vim -u NONE -N -n /tmp/written; echo 'left'=$?\n")
    opened.until("\x1b[?1049h")  # the other screen
    opened.until("[New]")
    opened.type("iwords: äöü€ \x1b")
    opened.type(":echo 'rows ' . &lines . ' columns ' . &columns\r")
    opened.until("rows 33 columns 101")
    opened.resize(20, 60)
    opened.until("\x1b[19;1H~")  # drawn anew
    opened.type(":echo 'rows ' . &lines . ' columns ' . &columns\r")
    opened.until("rows 20 columns 60")
    opened.type("\x1b[D\x1b[D:wq\r")
    opened.until("\x1b[?1049l")
    opened.until("left=0")
    assert shared.shell("cat /tmp/written").stdout.startswith("words: äöü€ ".encode())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_shell_told_to_end_leaves_the_terminal_as_it_was(opened: Terminal, shared: Provider, number: int) -> None:
    opened.type("echo my-'pid'=$$=\n")
    opened.until("my-pid=")
    pid = opened.until("=").rstrip("=")
    assert eventually(lambda: opened.raw)
    os.kill(opened.pid, number)
    assert opened.status() == 128 + number
    assert opened.as_before
    assert eventually(lambda: shared.shell(f"kill -0 {pid} 2>/dev/null || echo gone").stdout == b"gone\n")


def test_a_terminal_that_is_closed_ends_its_shell(shared: Provider) -> None:
    terminal = Terminal(shared)
    terminal.type("echo my-'pid'=$$=\n")
    terminal.until("my-pid=")
    pid = terminal.until("=").rstrip("=")
    os.close(terminal.fd)
    _, status = os.waitpid(terminal.pid, 0)
    assert os.waitstatus_to_exitcode(status) in (129, 141)  # told, or found out
    assert eventually(lambda: shared.shell(f"kill -0 {pid} 2>/dev/null || echo gone").stdout == b"gone\n")


def test_one_whose_output_nobody_reads_ends_all_the_same(opened: Terminal) -> None:
    opened.type("yes\n")
    time.sleep(0.5)
    os.kill(opened.pid, signal.SIGTERM)
    _, status = os.waitpid(opened.pid, 0)  # without reading a byte
    opened.pid = 0
    assert os.waitstatus_to_exitcode(status) == 143
    assert opened.as_before


def test_one_whose_holder_dies_says_so_and_leaves_the_terminal_as_it_was(opened: Terminal, shared: Provider) -> None:
    os.kill(holder_of(shared), signal.SIGKILL)
    opened.until("the tunnel's holder died")
    assert opened.status() == 95
    assert opened.as_before


@pytest.mark.parametrize("idle", ["10m", "0"])
def test_who_waits_for_a_connection_can_leave(shared: Provider, azure: Running, idle: str) -> None:
    for path in sockets(shared):
        stop_holder(path)
    azure.control.set_fault("Containers_ExecuteCommand", delay=600, count=1)
    mark = azure.control.mark()
    terminal = Terminal(shared, ACI_TUNNEL_IDLE=idle)
    assert eventually(lambda: bool(azure.control.requests("Containers_ExecuteCommand", mark)))
    assert not terminal.raw, "Ctrl-C is still a signal here"
    terminal.type("\x03")
    assert terminal.status() == 130
    assert terminal.as_before
    terminal.close()
    azure.control.clear()


def test_without_a_holder_it_is_the_same(shared: Provider) -> None:
    terminal = Terminal(shared, "sh", "-c", "stty size; test -t 1 && echo term'inal'; exit 6", ACI_TUNNEL_IDLE="0")
    terminal.until("33 101")
    terminal.until("terminal")
    assert terminal.status() == 6
    assert terminal.as_before
    terminal.close()


def test_a_command_without_a_terminal(shared: Provider) -> None:
    answer = shared.call("shell", "printf", "%s|", "a b", "c'd", stdin=b"")
    assert (answer.stdout, answer.returncode) == (b"a b|c'd|", 0)


def test_a_command_whose_output_goes_elsewhere_has_no_terminal(shared: Provider, tmp_path: Path) -> None:
    target = tmp_path / "out"
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(shared.home)
        os.dup2(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), 1)
        os.execve(PROGRAM[0], [*PROGRAM, "shell", "--", "sh", "-c", "test -t 0 || echo none"], shared.env)
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    assert (os.waitstatus_to_exitcode(status), target.read_bytes()) == (0, b"none\n")


def test_the_log_says_it_was_a_shell(shared: Provider) -> None:
    shared.call("shell", "true", stdin=b"")
    opened = [event["data"] for event in shared.events() if event["type"] == "CommandOpened"]
    assert opened[-1]["purpose"] == "shell"
