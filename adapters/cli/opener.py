"""Exec sessions for the tunnel: the first at once, a further one only where a container may still run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from statemachine.errors import GroupMissingError, ProviderError, RefusedError
from statemachine.ports import Presence

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.tunnel import ExecEndpoint
    from adapters.tunnel.channel.ahead import Ahead
    from statemachine.events import GroupRef
    from statemachine.ports import Sighting
    from statemachine.secret import Secret


PLACE: Final = ".place"
"""Suffix of the file beside a holder's socket that says where the container's last exec session was."""


class Groups(Protocol):
    """What is needed of Azure."""

    def look(self, ref: GroupRef) -> Sighting:
        """What Azure shows of the group now."""

    def open_exec(self, ref: GroupRef) -> tuple[str, Secret]:
        """A new session's address and password."""


class Opener:
    """Makes exec calls for one group.

    A tunnel whose session broke dials for minutes, because the network may come back. A container that has
    ended does not: Azure answers 200 for it all the same, or 409 once it is stopped, so the group is asked
    first, and the command that waits gets its end now instead of minutes later.
    """

    def __init__(
        self, groups: Groups, group: GroupRef, *, remembered: Path | None = None, ca_file: str | None = None
    ) -> None:
        """``remembered`` is a file that keeps the place of the last session, so that the next can connect ahead."""
        self._groups = groups
        self._group = group
        self._remembered = remembered
        self._ca_file = ca_file
        self._again = False

    def __call__(self) -> ExecEndpoint:
        """One exec call. Raises GroupMissingError, RefusedError where dialling again is no use."""
        from adapters.tunnel import ExecEndpoint
        from adapters.tunnel.channel.ahead import place_of

        before = self._recall()
        ahead = self._connect_ahead(before)
        try:
            if self._again:
                self._refuse_if_ended()
            self._again = True
            uri, password = self._open()
        except BaseException:
            if ahead is not None:
                ahead.drop()
            raise
        place = place_of(uri)
        if self._remembered and place != before:
            with suppress(OSError):
                self._remembered.write_text(place, encoding="utf-8")
        return ExecEndpoint(uri=uri, password=password, ahead=ahead)

    def _open(self) -> tuple[str, Secret]:
        try:
            return self._groups.open_exec(self._group)
        except GroupMissingError as missing:
            # What places exec sessions may hear of a container later than who answers reads of the group.
            if self._shown() is not Presence.RUNNING:
                raise
            from adapters.tunnel import NothingRanError

            missing.hint = ""
            raise NothingRanError(
                f"Azure shows that the container runs, and does not find it for an exec session: {missing}",
                remedy="Try again in a minute; if it stays so, stop and start the workspace.",
            ) from missing

    def _shown(self) -> Presence | None:
        try:
            return self._groups.look(self._group).presence
        except ProviderError:
            return None

    def _recall(self) -> str:
        if self._remembered is None:
            return ""
        try:
            return self._remembered.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""

    def _connect_ahead(self, place: str) -> Ahead | None:
        if not place:
            return None
        from adapters.tunnel.channel.ahead import CONNECT_SECONDS, Ahead

        return Ahead(place, self._ca_file, CONNECT_SECONDS)

    def _refuse_if_ended(self) -> None:
        try:
            seen = self._groups.look(self._group)
        except ProviderError:
            return  # may pass, or may not be asked: the exec call itself will tell
        if seen.presence is Presence.ABSENT:
            raise GroupMissingError(
                f"container group {self._group.name} is not there any more", remedy="`devpod up` creates it anew."
            )
        if seen.presence in (Presence.STOPPED, Presence.FAILED):
            raise RefusedError(
                f"the container does not run any more: {seen.detail}", remedy="`devpod up` starts it again."
            )
