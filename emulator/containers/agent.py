# ruff: noqa: PTH103, PTH118, PTH123, PTH208 - plain os calls: pathlib is one import more in every container's first process
"""The first process of a container.

The emulator starts one for each container and speaks to it over a SEQPACKET socket: JSON each
way, file descriptors beside it. It makes the sandbox, starts the main process and every exec
session, passes back the master side of their terminals, and reports how they ended. When the
socket closes, whoever closed it, nothing of the container is left.

Two levels: ``namespaces`` (it is process 1 of a pid namespace: its death kills all others) and
``process`` (it is a child subreaper: every descendant ends up below it and is killed by scan).
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import termios
import time
from typing import Any, NoReturn

from emulator.containers import sandbox

MESSAGE = 1 << 20
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main() -> None:
    """Entry point: the socket's number is the first argument."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    spec = json.loads(sock.recv(MESSAGE))
    try:
        if spec["level"] == "namespaces":
            sandbox.prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGKILL)
            _become_init(sock, spec)
        else:
            # Not SIGKILL: the scan that kills the descendants has to run first.
            sandbox.prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGTERM)
            sandbox.prctl(sandbox.PR_SET_CHILD_SUBREAPER, 1)
            os.makedirs(spec["workdir"], exist_ok=True)
            os.chdir(spec["workdir"])
    except OSError as problem:
        _send(sock, {"event": "failed", "error": str(problem)})
        os._exit(1)
    os.umask(0o022)
    _Agent(sock, spec).serve()


def _become_init(sock: socket.socket, spec: dict[str, Any]) -> None:
    """Return only in process 1 of the new namespaces; its parent waits for it here."""
    unprivileged = sandbox.enter_namespaces()
    child = os.fork()
    if child:
        sock.close()
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    sandbox.prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    sandbox.build_root(spec, unprivileged=unprivileged)


def _send(sock: socket.socket, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([json.dumps(message).encode()], rights)


class _Agent:
    def __init__(self, sock: socket.socket, spec: dict[str, Any]) -> None:
        self.sock = sock
        self.level: str = spec["level"]
        self.children: dict[int, int] = {}
        self.wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(self.wake_read, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.finish())

    def serve(self) -> NoReturn:
        _send(self.sock, {"event": "ready"})
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.register(self.wake_read, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self.wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.wake_read, 4096)
                    self.reap()
                else:
                    self.answer()

    def answer(self) -> None:
        try:
            data = self.sock.recv(MESSAGE)
        except OSError:
            data = b""
        if not data:
            self.finish()
        request = json.loads(data)
        if request["op"] == "signal":
            with contextlib.suppress(OSError):
                os.kill(request["pid"], request["signal"])
            return
        try:
            pid, fd = self.spawn(request)
        except (OSError, LookupError) as problem:
            _send(self.sock, {"id": request["id"], "error": _reason(problem, request)})
            return
        self.children[pid] = request["id"]
        try:
            _send(self.sock, {"id": request["id"], "pid": pid}, (fd,))
        finally:
            os.close(fd)

    def spawn(self, request: dict[str, Any]) -> tuple[int, int]:
        """Start a process; returns its pid and our end of its terminal or pipe."""
        identity = _identity(request["user"])
        env = dict(request["env"])
        env.setdefault("PATH", DEFAULT_PATH)
        env.setdefault("HOME", identity[3])
        size = request["tty"]
        if size:
            ours, theirs = os.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[0], size[1], 0, 0))
            if os.geteuid() == 0 and identity[0]:
                os.fchown(theirs, identity[0], -1)
            stdin = theirs
        else:
            ours, theirs = os.pipe()
            stdin = os.open("/dev/null", os.O_RDONLY)
        errors_read, errors_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            _child(request, identity, env, (stdin, theirs), errors_write)
        os.close(errors_write)
        os.close(theirs)
        if stdin != theirs:
            os.close(stdin)
        problem = os.read(errors_read, 4096)
        os.close(errors_read)
        if problem:
            os.close(ours)
            os.waitpid(pid, 0)
            number, _, path = problem.decode().partition(" ")
            raise OSError(int(number), os.strerror(int(number)), path)
        return pid, ours

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = self.children.pop(pid, None)
            if number is not None:
                code = os.waitstatus_to_exitcode(status)
                message = {"event": "exit", "id": number, "status": code if code >= 0 else 128 - code}
                try:
                    _send(self.sock, message)
                except OSError:
                    self.finish()

    def finish(self) -> NoReturn:
        """End the container. As process 1 our own death does it; else kill until none is left."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.level == "process":
            while True:
                for pid in _descendants(os.getpid()):
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
                try:
                    while os.waitpid(-1, os.WNOHANG)[0]:
                        pass
                except ChildProcessError:
                    break
                time.sleep(0.005)
        os._exit(0)


def _reason(problem: OSError | LookupError, request: dict[str, Any]) -> str:
    """What a container runtime says when it cannot start a process."""
    name = request["argv"][0]
    if isinstance(problem, LookupError):
        return f"unable to find user {request['user']}: no matching entries in passwd file: unknown"
    if problem.errno == errno.ENOENT and "/" not in name:
        return f'exec: "{name}": executable file not found in $PATH: unknown'
    said = (problem.strerror or "").lower()
    if problem.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return f'exec: "{name}": stat {name}: {said}: unknown'
    return f'exec: "{name}": {said}: unknown'


def _child(
    request: dict[str, Any],
    identity: tuple[int, int, list[int], str],
    env: dict[str, str],
    stdio: tuple[int, int],
    errors: int,
) -> NoReturn:
    path = ""
    try:
        sandbox.prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        stdin, output = stdio
        if request["tty"]:
            fcntl.ioctl(output, termios.TIOCSCTTY, 0)
        os.dup2(stdin, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(request["cwd"])
        uid, gid, groups, _ = identity
        if os.geteuid() == 0 and uid:
            os.setgroups(groups)
            os.setgid(gid)
            os.setuid(uid)
            sandbox.prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGKILL)
        argv = request["argv"]
        first = None
        for path in _candidates(argv[0], env.get("PATH", DEFAULT_PATH)):
            try:
                os.execve(path, argv, env)  # noqa: S606 - this is what an agent is for
            except OSError as problem:
                if first is None or problem.errno not in (errno.ENOENT, errno.ENOTDIR):
                    first = problem
        raise first or FileNotFoundError(errno.ENOENT, "not found")
    except OSError as problem:
        os.write(errors, f"{problem.errno or errno.EIO} {path}".encode(errors="replace")[:4000])
    finally:
        os._exit(127)


def _candidates(name: str, path: str) -> list[str]:
    if "/" in name:
        return [name]
    return [os.path.join(folder or ".", name) for folder in path.split(":")]


def _identity(user: str) -> tuple[int, int, list[int], str]:
    """uid, gid, groups and home of ``user[:group]``, read from the container's own files.

    Not by the pwd module: it would load the C library's name service from a foreign image.
    """
    name, _, group = (user or "0").partition(":")
    entry = next((e for e in _entries("/etc/passwd", 7) if name in (e[0], e[2])), None)
    if entry is None and not name.isdigit():
        raise LookupError(user)
    uid = int(entry[2]) if entry else int(name)
    gid = int(entry[3]) if entry else 0
    home = entry[5] if entry else "/"
    known = _entries("/etc/group", 4)
    if group:
        row = next((e for e in known if group in (e[0], e[2])), None)
        if row is None and not group.isdigit():
            raise LookupError(user)
        gid = int(row[2]) if row else int(group)
    login = entry[0] if entry else ""
    groups = [gid, *(int(e[2]) for e in known if login and login in e[3].split(","))]
    return uid, gid, groups, home


def _entries(path: str, fields: int) -> list[list[str]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            rows = [line.rstrip("\n").split(":") for line in file]
    except OSError:
        return []
    return [row for row in rows if len(row) >= fields]


def _descendants(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found: list[int] = []
    layer = [root]
    while layer:
        layer = [pid for pid, parent in parents.items() if parent in layer]
        found += layer
    return found
