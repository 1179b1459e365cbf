"""A holder's end of one client's connection: nothing here waits for a client that does not read."""

from __future__ import annotations

import os
import socket

from adapters.tunnel.caller.stream import Stream
from adapters.tunnel.holder import protocol


class Client:
    """One command's connection, or one question's."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self.sock = sock
        self.buffer = b""
        self.fds: list[int] = []
        self.order: int | None = None
        self.stream: Stream | None = None
        self.told = False  # that its command was sent
        self.finished = False  # all that there is to say was said, though perhaps not heard
        self.gone = False
        self._unsaid = b""

    @property
    def behind(self) -> bool:
        """Whether ``flush`` has something to do."""
        return bool(self._unsaid)

    def say(self, message: dict[str, object]) -> None:
        """Send a line, or keep what there is no room for."""
        self._unsaid += protocol.line(message)
        self.flush()

    def mention(self, message: dict[str, object]) -> None:
        """Send a line that is no loss to one who has not even heard the last one."""
        if not self._unsaid:
            self.say(message)

    def flush(self) -> None:
        """Send what there is room for."""
        try:
            while self._unsaid:
                self._unsaid = self._unsaid[self.sock.send(self._unsaid) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsaid = b""  # nobody is there any more, as its socket will tell

    def close_fds(self) -> None:
        """Let go of its descriptors."""
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()
