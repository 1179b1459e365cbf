"""The helper without a file: an interpreter of the container puts it into memory (``memfd_create``, Linux 3.17).

For containers where no folder takes an executable file. The scripts travel as hexadecimal text in a shell variable,
so that no shell has anything to interpret in them.
"""

from __future__ import annotations

from typing import Final

from adapters.tunnel.starting.shelltext import LINE_MOST, Nonce

PYTHONS: Final = ("python3", "python", "/usr/libexec/platform-python")
PERLS: Final = ("perl",)

# 319 is memfd_create on x86-64, the only architecture of Container Instances; 17 is MFD_CLOEXEC with MFD_EXEC, which
# kernels before 6.3 do not know and hardened ones want.
_PYTHON: Final = """\
import os, sys
def say(word):
    os.write(1, ("[devpod-aci:%s]\\n" % word).encode())
def make(flags):
    try:
        return os.memfd_create("devpod-aci", flags)
    except AttributeError:
        import ctypes
        return ctypes.CDLL(None).syscall(319, b"devpod-aci", flags)
    except OSError:
        return -1
name, number = sys.executable, FIRST + SECOND
fd = make(17)
if fd < 0:
    fd = make(1)
if fd < 0:
    say("no:%d:memory:%s" % (number, name))
    sys.exit(1)
say("send:%d" % number)
text = ""
for line in sys.stdin:
    if line == ".\\n":
        break
    text += line.strip()
try:
    data = bytes.fromhex(text)
except ValueError:
    data = b""
while data:
    data = data[os.write(fd, data):]
path = "/proc/self/fd/%d" % fd
if os.spawnv(os.P_WAIT, path, ["devpod-aci", "check", "DIGEST"]):
    say("bad:%d" % number)
    sys.exit(1)
os.execv(path, ["devpod-aci", "relay", "NONCE"])
"""

_PERL: Final = """\
$| = 1;
my ($name, $number, $text) = ("devpod-aci", FIRST + SECOND, "");
my $fd = syscall(319, $name, 17);
$fd = syscall(319, $name, 1) if $fd < 0;
if ($fd < 0) { print "[devpod-aci:no:$number:memory:$^X]\\n"; exit 1 }
print "[devpod-aci:send:$number]\\n";
while (<STDIN>) { last if $_ eq ".\\n"; chomp; $text .= $_ }
open(my $file, ">&=", $fd);
syswrite($file, pack("H*", $text));
my $path = "/proc/self/fd/$fd";
if (system {$path} $name, "check", "DIGEST") { print "[devpod-aci:bad:$number]\\n"; exit 1 }
exec {$path} $name, "relay", "NONCE";
"""


def memory_lines(digest: str, nonce: Nonce) -> list[bytes]:
    """Let one interpreter after the other try; each answers as ``place_lines`` do, and ``none`` comes last."""

    def script(text: str) -> str:
        text = text.replace("FIRST", str(nonce.first)).replace("SECOND", str(nonce.second))
        return text.replace("DIGEST", digest).replace("NONCE", nonce.word).encode().hex()

    # All that reads the upload is started by the last line: what is typed after it would be taken for the upload.
    trials = _trial(PYTHONS, "\"exec(bytes.fromhex('$y'))\"", "-c") + _trial(PERLS, "\"eval pack('H*','$z')\"", "-e")
    last = f' {trials}echo "[devpod-aci:none:$(({nonce.first}+{nonce.second}))]"'
    lines = [*_assigned("y", script(_PYTHON)), *_assigned("z", script(_PERL)), last]
    return [line.encode("ascii") + b"\n" for line in lines]


def _trial(programs: tuple[str, ...], script: str, option: str) -> str:
    # What succeeds has been the helper, to its end.
    return (
        f"for i in {' '.join(programs)};do command -v $i >/dev/null 2>&1&&$i {option} {script} 2>/dev/null&&exit;done;"
    )


def _assigned(name: str, text: str) -> list[str]:
    """Lines that put a long text into a variable."""
    most = LINE_MOST - 20
    pieces = [text[at : at + most] for at in range(0, len(text), most)]
    return [f" {name}={pieces[0]}", *(f" {name}=${{{name}}}{piece}" for piece in pieces[1:])]


def upload_text(data: bytes) -> bytes:
    """``data`` as hexadecimal lines, ended by a line with a full stop."""
    text = data.hex()
    lines = [text[at : at + LINE_MOST] for at in range(0, len(text), LINE_MOST)]
    return "\n".join([*lines, ".", ""]).encode("ascii")
