"""The container groups as the rest of the provider sees them.

Importing this module, and making an AzureGroups, imports nothing of Azure's SDK: only the first request
does, so that a verb which is refused beforehand stays fast.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from adapters.azure.budget import within
from adapters.azure.findings import Finding
from adapters.azure.order import GroupOrder
from adapters.azure.settings import AzureSettings
from statemachine.events import GroupRef, Receipt
from statemachine.ports import Presence, Sighting
from statemachine.secret import Secret

if TYPE_CHECKING:
    from adapters.azure.session import Session


class AzureGroups:
    """Container groups of one subscription. Every method raises only ProviderErrors for what Azure does."""

    def __init__(self, settings: AzureSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._session: Session | None = None

    def identity(self) -> str:
        """Whose token is used, from its own claims: ``user:…``, ``app:…`` or ``object:…``; empty before the first."""
        return self._session.credential.identity if self._session else ""

    def look(self, ref: GroupRef) -> Sighting:
        """What Azure shows of the group now: one GET."""
        from adapters.azure.wait import look

        with self._open() as session:
            current = look(session, ref)
        if current.seen is None or current.answer is None:
            return Sighting(presence=Presence.ABSENT, detail="Azure shows no such container group")
        return current.seen.sighting(ref, current.answer.request_id)

    def create(
        self, order: GroupOrder, *, resume: bool = False, before_put: Callable[[], None] = lambda: None
    ) -> Receipt:
        """Create the group, and its resource group if need be, and wait until its container runs.

        ``resume`` continues what an earlier process began: a group that is there is waited for, not made anew.
        ``before_put`` is called before each time the group is asked for, and may raise instead.
        """
        from adapters.azure import lifecycle

        with self._open() as session:
            return lifecycle.create(session, order, resume=resume, before_put=before_put)

    def start(self, ref: GroupRef) -> Receipt:
        """Start the group and wait until its container runs; nothing happens to one that runs."""
        from adapters.azure import lifecycle

        with self._open() as session:
            return lifecycle.start(session, ref)

    def stop(self, ref: GroupRef) -> Receipt:
        """Stop the group and wait until Azure shows that; its files are lost."""
        from adapters.azure import lifecycle

        with self._open() as session:
            return lifecycle.stop(session, ref)

    def delete(self, ref: GroupRef) -> Receipt:
        """Delete the group and wait until Azure does not show it any more; absent is fine."""
        from adapters.azure import lifecycle

        with self._open() as session:
            return lifecycle.delete(session, ref)

    def open_exec(self, ref: GroupRef) -> tuple[str, Secret]:
        """A new exec session's WebSocket address and password: one request."""
        from adapters.azure import console

        with self._open() as session:
            return console.open_exec(session, ref)

    def logs(self, ref: GroupRef, *, tail: int | None = None, timestamps: bool = False) -> str:
        """What the container has printed since it last started."""
        from adapters.azure import console

        with self._open() as session:
            return console.logs(session, ref, tail=tail, timestamps=timestamps)

    def check(self, resource_group: str, location: str, *, cpu: float = 0.0, memory_gb: float = 0.0) -> list[Finding]:
        """Whether a workspace could be created here: asks only, changes nothing."""
        from adapters.azure import check

        with self._open() as session:
            return check.check(session, resource_group, location, cpu=cpu, memory_gb=memory_gb)

    def close(self) -> None:
        """Close connections; the next call opens them again."""
        with self._lock:
            if self._session:
                self._session.close()
                self._session = None

    @contextmanager
    def _open(self) -> Iterator[Session]:
        """The session, made by the first request, within the time an operation may take."""
        from adapters.azure.session import Session

        with self._lock:
            if self._session is None:
                self._session = Session(self._settings)
            session = self._session
        with within(self._settings.deadline):
            yield session
