"""The records of all logs that were shipped to one place: on the first call all of them, then what was added since."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

import msgspec

from adapters.ship.merge import Mark, Merged, Writer
from adapters.ship.store import Readable
from eventlog import Record
from eventlog.audit.stream import of_writer
from eventlog.lines.codec import own_event_of
from statemachine.errors import LogDamagedError, LogError

_decode = msgspec.json.Decoder(Record).decode


class ShippedReader:
    """The records of many logs in the order of time, each with its writer (``stream.writer_of``).

    A damaged log ends before its first bad line; the others are read on. ``damage`` is what was found.
    """

    def __init__(self, store: Readable, wants: Callable[[str], bool] = lambda _name: True) -> None:
        self.damage: list[LogDamagedError] = []
        self._writers: list[Writer] = []
        self._store = store
        self._wants = wants
        self._marks: dict[str, Mark] = {}
        self._unreadable: set[str] = set()
        """Writers whose chain is whole and who say in it what no version of this program says."""

    @property
    def logs(self) -> list[tuple[str, int, str]]:
        """The logs that were read: the name of each, its whole events, and what is wrong behind them."""
        return [(one.name, one.mark.seq, one.damage) for one in self._writers]

    def records(self) -> Iterator[Record]:
        """What was shipped since the last call. Raises LogError, also where nothing was shipped to; ProviderError."""
        merged = Merged(self._store, marks=self._marks, wants=self._wants)
        self._writers = merged.writers
        if not merged.writers:
            raise none_there(self._store)
        try:
            for writer, line in merged.named():
                if writer in self._unreadable:
                    continue
                record = _decode(line.raw)
                try:
                    if record.event is None:
                        own_event_of(record.type, record.schema, record.data, record.seq)
                except LogDamagedError as error:
                    self._unreadable.add(writer)
                    why = f"{self._store.name}: event {line.seq} of {writer} is not a valid {record.type}"
                    self.damage.append(LogDamagedError(f"{why}: {error.__cause__}", remedy="Ask its owner."))
                    continue
                yield of_writer(record, writer)
        except LogDamagedError as error:
            if str(error) not in map(str, self.damage):
                self.damage.append(error)
        finally:
            self._marks |= merged.marks()


def none_there(store: Readable) -> LogError:
    """The error for a place without logs, or without those that were asked for."""
    return LogError(
        f"{store.name} holds no log that was shipped, or none of the writers that were asked for",
        remedy="Check the address and --writer; of a log that was not shipped, name its file.",
    )


def chooser(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a writer is one of those asked for: by ``host.user.log``, ``host.user``, user or log, as a shell does."""
    wanted = [pattern.lower() for pattern in patterns]

    def wants(name: str) -> bool:
        lower = name.lower()
        host_user, _, log = lower.rpartition(".")
        names = (lower, host_user, log, host_user.rpartition(".")[2])
        return not wanted or any(fnmatchcase(one, pattern) for one in names for pattern in wanted)

    return wants
