"""The holder: a background process that keeps one exec session open for many commands.

Commands hand it their three descriptors; it runs them as streams over one link. It ends when it has had
nothing to do for a while, when it is asked to, and when its link is lost for good.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from adapters.tunnel.caller.signals import ENDING_SIGNALS, signals_noted
from adapters.tunnel.caller.stream import Stream
from adapters.tunnel.holder import protocol
from adapters.tunnel.holder.client import Client
from adapters.tunnel.holder.listener import HolderSocket
from adapters.tunnel.holder.lock import Lock, only_one
from adapters.tunnel.loop import Loop
from adapters.tunnel.session import Session
from adapters.tunnel.spec import HOLDER_TUNING, ExecOpener, OnEvent, Tuning, Voice, ignore_event
from adapters.tunnel.starting.helperfile import load_helper
from statemachine.errors import ProviderError, TunnelError, TunnelLostError

RECEIVE: Final = 65536
FDS: Final = 3
LINE_MOST: Final = 65536
NONSENSE: Final = (ValueError, LookupError, TypeError, ArithmeticError, RecursionError, struct.error)
"""What is raised where a line is no message of ours, whatever else it is."""
LINGER: Final = 1.0
CHECK: Final = 1.0
FILES_MOST: Final = 65536
ANSWER_SECONDS: Final = 10.0
FIRST_SECONDS: Final = 20.0
"""How long the command that a holder was started for may take to come, however short its idle time is."""

Answer = Callable[[Any], Any]
"""Answers a question, JSON each way; called in threads. Raises ProviderError where the asker must ask elsewhere."""


def hold(
    socket_path: Path,
    opener: ExecOpener,
    *,
    idle_seconds: float,
    ca_file: str | None = None,
    on_event: OnEvent = ignore_event,
    tuning: Tuning = HOLDER_TUNING,
    detach: bool = True,
    answer: Answer | None = None,
    voice: Voice | None = None,
) -> None:
    """Serve commands at ``socket_path`` until idle, stopped or lost; returns at once if another holder serves there.

    ``answer`` serves questions beside them (see ``ask_holder``); they keep no holder alive. What ``opener`` says
    through ``voice`` is told to the commands that wait for the session.
    """
    _check_folder(socket_path.parent)
    with only_one(socket_path) as lock:
        if lock is None:
            return
        if detach:
            _detach()
            _open_more_files()
            _leave_no_core()
        holder = _Holder(
            socket_path,
            opener,
            lock,
            idle=idle_seconds,
            ca_file=ca_file,
            on_event=on_event,
            tuning=tuning,
            answer=answer,
        )
        if voice is not None:
            voice.through = holder.say
        try:
            holder.serve()
        finally:
            holder.close()


def _check_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise TunnelError(f"the folder {folder} is not private to you", remedy=f"Run `chmod 700 {folder}`.")


def _detach() -> None:
    """Let go of everything inherited: DevPod waits until nobody holds its pipes open."""
    with contextlib.suppress(OSError):
        os.setsid()
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)


def _open_more_files() -> None:
    """As many as we may: a command takes six descriptors, and the usual limit is meant for programs that use select."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # some systems promise more than they keep
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, FILES_MOST) if most > 0 else FILES_MOST, most))


def _leave_no_core() -> None:
    """Should we crash, our memory is not to stay on the disk: it holds tokens, and what the commands said."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


class _Holder:
    def __init__(
        self,
        path: Path,
        opener: ExecOpener,
        lock: Lock,
        *,
        idle: float,
        ca_file: str | None,
        on_event: OnEvent,
        tuning: Tuning,
        answer: Answer | None,
    ) -> None:
        self._opener = opener
        self._lock = lock
        self._owner = lock.owner
        self._idle = idle
        self._ca_file = ca_file
        self._tell = on_event
        self._tuning = tuning
        self._answer = answer
        self._greeting = protocol.greeting()
        self._loop = Loop()
        self._session: Session | None = None
        self._clients: set[Client] = set()
        self._retired = self._leaving = self._over = False
        self._idle_since = time.monotonic()
        self._used = False
        orphans = path.is_socket()  # its listener was killed: whoever goes in order takes it away
        self._socket = HolderSocket(path, self._loop, self._welcome)
        self._check()
        if orphans:
            self._event("an earlier holder was killed; ending what it left in the container")
            self._ensure_session()

    def serve(self) -> None:
        """Until it is over."""
        with signals_noted(self._loop, self._stop, ENDING_SIGNALS):
            while not self._over:
                self._tell_who_was_sent()
                if self._session is not None:
                    self._session.step()
                else:
                    self._loop.step()

    def close(self) -> None:
        """Tell everybody, then go."""
        self._socket.close(remove=not self._retired and self._lock.holds())
        stopped = TunnelLostError("the session was ended by another command")
        for client in list(self._clients):
            if client.stream is not None:
                client.stream.abandon(stopped)
            self._drop(client)
        if self._session is not None:
            self._session.close()
        self._loop.close()

    def say(self, text: str) -> None:
        """Tell the commands that have not been sent yet a line; may be called from any thread."""
        self._loop.from_thread(lambda: self._spread({"say": text}, waiting=True))

    def _stop(self, _: int = 0) -> None:
        self._over = True

    def _check(self) -> None:
        """Called every ``CHECK`` seconds or so: end when idle, and keep the socket and the lock in place."""
        now = time.monotonic()
        patience = self._idle if self._used else max(self._idle, FIRST_SECONDS)
        if self._busy:
            self._idle_since = now
        elif self._retired or now - self._idle_since >= patience:
            self._stop()
            return
        if not self._retired and not self._leaving:
            self._see_to_the_files()
        self._loop.after(min(max(patience - (now - self._idle_since), 0.05), CHECK), self._check)

    @property
    def _busy(self) -> bool:
        return any(client.order is not None for client in self._clients)

    def _see_to_the_files(self) -> None:
        if not self._lock.holds():
            self._retire()
        elif self._socket.reachable():
            self._socket.touch()
            self._lock.touch()
        else:
            self._event("the socket was removed; listening anew")
            try:
                self._socket.listen()
            except OSError as problem:
                self._event(f"the socket cannot be made: {problem.strerror or problem}")

    def _retire(self) -> None:
        """Give the socket to a holder of another build, and end when the last command here has ended."""
        if self._retired:
            return
        self._socket.close(remove=self._lock.holds())
        self._retired = True
        self._lock.leave_to_a_stranger()
        self._event("retired: it goes with the last of its commands")

    def _welcome(self, sock: socket.socket) -> None:
        client = Client(sock)
        self._clients.add(client)
        with contextlib.suppress(OSError):
            sock.send(self._greeting)
        self._attend(client)

    def _attend(self, client: Client) -> None:
        events = select.POLLIN | (select.POLLOUT if client.behind else 0)
        self._loop.watch(client.sock.fileno(), events, lambda happened: self._turn(client, happened))

    def _turn(self, client: Client, events: int) -> None:
        if events & select.POLLOUT:
            client.flush()
            if client.finished and not client.behind:
                self._drop(client)
                return
            self._attend(client)
        if events & ~select.POLLOUT:
            self._heard(client)

    def _finish(self, client: Client, message: dict[str, object]) -> None:
        """Tell a client its last line; one that is stopped hears it when it goes on."""
        client.say(message)
        client.finished = True
        if client.behind:
            self._attend(client)
        else:
            self._drop(client)

    def _heard(self, client: Client) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(client.sock, RECEIVE, FDS)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        client.fds += fds
        if not data or len(client.fds) > FDS:
            self._drop(client)
            return
        client.buffer += data
        try:
            self._understand(client)
        except NONSENSE:
            self._drop(client)

    def _understand(self, client: Client) -> None:
        while not client.gone and not client.finished:
            if client.order is not None and client.stream is None:
                if len(client.buffer) < client.order:
                    return
                order, client.buffer = client.buffer[: client.order], client.buffer[client.order :]
                self._run(client, order)
            head, newline, rest = client.buffer.partition(b"\n")
            if not newline:
                if len(client.buffer) > LINE_MOST:
                    raise ValueError(len(client.buffer))
                return
            client.buffer = rest
            message = json.loads(head)
            if not isinstance(message, dict):
                raise TypeError(message)
            self._obey(client, message)

    def _obey(self, client: Client, message: dict[str, Any]) -> None:
        if "stop" in message:
            client.say({"stopped": True})
            self._stop()
        elif "retire" in message:
            self._retire()
            self._drop(client)
        elif "ask" in message:
            self._question(client, message["ask"])
        elif "order" in message and client.order is None:
            self._expect(client, message)
        elif client.stream is not None and "size" in message:
            client.stream.resize(int(message["size"][0]), int(message["size"][1]))
        elif client.stream is not None and "read" in message:
            client.stream.reading = bool(message["read"])

    def _expect(self, client: Client, message: dict[str, Any]) -> None:
        """An order is to come."""
        client.order = int(message["order"])
        idle = self._idle if message.get("idle") is None else float(message["idle"])
        if not (0 < client.order <= protocol.REQUEST_MOST and idle >= 0):
            raise ValueError(message)
        if len(client.fds) != FDS:
            self._refuse(client, "its descriptors did not arrive")
            return
        self._idle = idle  # the option may have been changed since we were started

    def _question(self, client: Client, question: object) -> None:
        """Answer in a thread, which has the connection from now on: a question may take a while."""
        if self._answer is not None:
            self._loop.forget(client.sock.fileno())
            sock = socket.socket(fileno=client.sock.detach())
            threading.Thread(target=_answer_one, args=(sock, self._answer, question), daemon=True).start()
        self._drop(client)

    def _run(self, client: Client, order: bytes) -> None:
        def ended(_: Stream, result: int | ProviderError) -> None:
            if client.gone:
                return
            client.stream = None
            if isinstance(result, ProviderError):
                self._finish(client, {"error": protocol.describe(result)})
            else:
                self._finish(client, {"exit": result})

        if self._leaving:
            self._drop(client)  # who hears nothing takes the command to the next holder
            return
        try:
            session = self._ensure_session()
            client.stream = session.open(order, (client.fds[0], client.fds[1], client.fds[2]), ended)
        except ProviderError as problem:
            self._finish(client, {"error": protocol.describe(problem)})
        except OSError as problem:
            self._refuse(client, problem.strerror or str(problem))
        finally:
            client.close_fds()

    def _refuse(self, client: Client, why: str) -> None:
        """There are no descriptors for another command; where it would be the only one, the limit is too low for any.

        It is that of whoever started us: the next command brings its own.
        """
        self._finish(client, {"error": protocol.describe(_no_room(why))})
        if not self._busy:
            self._stop()

    def _tell_who_was_sent(self) -> None:
        """Before the bytes leave: a client whose holder dies afterwards must not have its command run twice."""
        for client in self._clients:
            if not client.told and client.stream is not None and client.stream.was_sent:
                client.told = True
                client.say({"sent": True})
                self._attend(client)

    def _ensure_session(self) -> Session:
        if self._session is None:
            self._session = Session(
                self._loop,
                self._opener,
                load_helper(),
                tuning=self._tuning,
                ca_file=self._ca_file,
                on_event=self._event,
                on_lost=self._lost,
                owner=self._owner,
            )
            self._session.start()
        return self._session

    def _lost(self, problem: ProviderError) -> None:
        """End as well: the next command starts a new holder, with the credentials and options of then."""
        self._event(f"the session is lost: {problem.message}")
        self._leaving = True
        self._loop.after(LINGER if self._clients else 0, self._stop)
        self._socket.close(remove=not self._retired and self._lock.holds())

    def _event(self, text: str) -> None:
        self._tell(text)
        self._loop.from_thread(lambda: self._spread({"event": text}))

    def _spread(self, message: dict[str, object], *, waiting: bool = False) -> None:
        for client in self._clients:
            if client.order is not None and not (waiting and client.told):
                client.mention(message)
                self._attend(client)

    def _drop(self, client: Client) -> None:
        if client.gone:
            return
        client.gone = True
        stream, client.stream = client.stream, None
        if stream is not None and not stream.ended:
            stream.kill()
        client.close_fds()
        self._loop.forget(client.sock.fileno())
        client.sock.close()
        self._clients.discard(client)
        if client.order is not None:
            self._idle_since = time.monotonic()
            self._used = True
            if not self._idle and not self._busy:
                self._stop()


def _no_room(why: str) -> TunnelError:
    return TunnelError(
        f"the tunnel's holder has no room for another command: {why}",
        remedy="Try again when others have ended, or raise the limit of open files (`ulimit -n`).",
    )


def _answer_one(sock: socket.socket, answer: Answer, question: object) -> None:
    with sock, contextlib.suppress(OSError, ValueError, ProviderError):
        # Without an answer the asker asks Azure itself, which also gives it the right error.
        told = answer(question)
        sock.settimeout(ANSWER_SECONDS)
        sock.sendall(protocol.line({"answer": told}))
