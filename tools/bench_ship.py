"""How shipping and reading back behave when ten thousand people do it: ``python -m tools.bench_ship [--writers N]``.

The writers are simulated: a folder laid out as the container is, read through the same code. What needs a
server uses Azurite where npm can have it, with fewer writers, for one computer is both sides then.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.report.page import Frame, render, seal_of
from adapters.ship.export import FORMATS
from adapters.ship.line import Line
from adapters.ship.local import LocalLog
from adapters.ship.merge import Merged
from adapters.ship.names import named
from adapters.ship.otlp_proto import export_request
from adapters.ship.reader import ShippedReader, chooser
from adapters.ship.redact import Redactor
from adapters.ship.sql import query
from adapters.ship.store import Folder
from adapters.ship.tell import items
from adapters.ship.writer import blob_name, writer_of
from eventlog import verify
from eventlog.audit.cost import bill
from eventlog.audit.meter import metered
from eventlog.audit.operations import Follower
from eventlog.audit.prices import shipped
from eventlog.audit.query import Query, newest
from eventlog.audit.reader import LogReader
from eventlog.audit.summary import summarise
from eventlog.audit.walk import walk
from tests.adapters.ship import azurite
from tests.adapters.ship.logs import BEGIN, OWNER, chained, log_bytes, write
from tests.eventlog.audit.company import company as company_log
from tools.figures import Rows, report

EVENTS = 20
"""Of each writer: about a day's work of one developer, so 10,000 writers are a company's day."""
AZURITE_WRITERS = 200
AUDITED = 100_000
"""Events of the log that the audit verbs read."""


def company(root: Path, writers: int) -> int:
    """Logs of many writers whose days overlap; how many bytes they are."""
    size = 0
    for at in range(writers):
        user = f"developer{at:05d}"
        actor = {"user": user, "host": f"host{at:05d}", "azure": f"user:{user}@corp.example"}
        begin = BEGIN + timedelta(seconds=at % 977)
        data = chained(
            [{"actor": actor, "at": begin + timedelta(seconds=61 * event), "data": OWNER} for event in range(EVENTS)]
        )
        write(root / blob_name(writer_of(data.split(b"\n", 1)[0]), 1), data)
        size += len(data)
    return size


def timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def best(action: Callable[[], object], rounds: int = 3) -> float:
    return min(timed(action) for _ in range(rounds))


def count(lines: Iterable[object]) -> int:
    return sum(1 for _ in lines)


def peak(action: Callable[[Path], object], path: Path) -> float:
    """MiB that a process needs for something, its interpreter included."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (action, path))


def _merge(root: Path) -> None:
    count(Merged(Folder(root)).lines())


def _peak(action: Callable[[Path], object], path: Path) -> float:
    action(path)
    # Not getrusage: what the parent needed before it started us would count as ours.
    status = Path("/proc/self/status").read_text(encoding="ascii").split()
    return int(status[status.index("VmHWM:") + 1]) / 1024


def merging(folder: Path, writers: int) -> Rows:
    company(folder / "many", writers)
    events = writers * EVENTS
    data = log_bytes(events)
    write(folder / "one" / blob_name(writer_of(data.partition(b"\n")[0]), 1), data)
    one = best(lambda: count(Merged(Folder(folder / "one")).lines()))
    many = best(lambda: count(Merged(Folder(folder / "many")).lines()))
    first = best(lambda: next(iter(Merged(Folder(folder / "many")).lines())))
    return [
        ("merge_many", f"merge of {writers:,} writers, verified", events / many, "events/s"),
        ("merge_one", "one writer with as many events, verified", events / one, "events/s"),
        ("merge_ratio", "the first over the second", one / many, ""),
        ("merge_first", "until the first event", first, "s"),
        ("merge_memory", f"peak memory, {writers:,} writers", peak(_merge, folder / "many"), "MiB"),
        ("merge_memory_one", "peak memory, one writer", peak(_merge, folder / "one"), "MiB"),
    ]


def exporting(folder: Path) -> Rows:
    lines: list[Line] = list(Merged(Folder(folder / "many")).lines())
    some = lines[: 20 * 1000]
    names = {name for line in lines for name in named(line.record())}
    few = {name for line in some[:20] for name in named(line.record())}
    plain = best(lambda: count(FORMATS["jsonl"](some, None, 0)))
    begun = time.perf_counter()
    everybody = Redactor(b"k" * 32, names)
    learnt = time.perf_counter() - begun
    # A redactor remembers texts it has seen, so there is one round.
    redacted = timed(lambda: count(FORMATS["jsonl"](some, everybody, 0)))
    little = timed(lambda: count(FORMATS["jsonl"](some, Redactor(b"k" * 32, few), 0)))
    events = best(lambda: count(FORMATS["cloudevents"](some, None, 0)))
    otlp = best(lambda: [export_request(items(some[at : at + 512], None), observed=0) for at in range(0, 20_000, 512)])
    sql = timed(
        lambda: list(
            query((("w", line) for line in lines), "SELECT actor.user, count(*) FROM events GROUP BY ALL").rows()
        )
    )
    return [
        ("export_jsonl", "export as it is", len(some) / plain, "events/s"),
        ("export_names", f"learn {len(names):,} names", learnt, "s"),
        ("export_redacted", f"export, {len(names):,} names redacted", len(some) / redacted, "events/s"),
        ("export_redacted_few", f"export, {len(few):,} names redacted", len(some) / little, "events/s"),
        ("export_cloudevents", "export as CloudEvents", len(some) / events, "events/s"),
        ("export_otlp", "OTLP protobuf", len(some) / otlp, "events/s"),
        ("sql", f"SQL over {len(lines):,} events: load and GROUP BY", sql, "s"),
    ]


def auditing(folder: Path) -> Rows:
    """The audit verbs' work without starting Python: over one large log, and for one of many writers."""
    path = write(folder / "company" / "events.jsonl", company_log(AUDITED, 1_000, 50))
    now = datetime(2026, 11, 1, tzinfo=UTC)

    def sums() -> object:
        return bill(metered(walk(LogReader(path).records()), now), shipped(), ("day", "actor"))

    pages: list[str] = []

    def page() -> None:
        summary = summarise(LogReader(path).records(), Query(), shipped(), now)
        pages.append(render(summary, seal_of(verify(path)), Frame("log", now, "0", ())))

    begun = time.perf_counter()
    page()
    first_page = time.perf_counter() - begun
    some = f"developer{7:05d}"
    return [
        ("audit_list", f"audit: the newest 50 of {AUDITED:,} events", best(lambda: newest_of(path)), "s"),
        ("audit_cost", "audit cost --by day,actor", best(sums), "s"),
        ("audit_report", "audit report, chain verified", min(first_page, best(page, 2)), "s"),
        ("audit_report_size", "its size", len(pages[0].encode()) / 1024, "KiB"),
        ("audit_memory", "its peak memory", peak(_report, path), "MiB"),
        ("audit_one", "one of many writers (--writer)", best(lambda: count(one_of(folder / "many", some))), "s"),
    ]


def newest_of(path: Path) -> object:
    return newest(Follower(), LogReader(path).records(), Query(), 50)


def one_of(root: Path, user: str) -> Iterable[object]:
    return ShippedReader(Folder(root), chooser((user,))).records()


def _report(path: Path) -> None:
    summarise(LogReader(path).records(), Query(), shipped(), datetime(2026, 11, 1, tzinfo=UTC))


def shipping(folder: Path) -> Rows:
    start = azurite.installed()
    if isinstance(start, str):
        print(f"without Azurite: {start}")
        return []
    from azure.storage.blob import ContainerClient

    from adapters.ship.blob import BLOCK, Container
    from adapters.ship.place import KEY, place
    from adapters.ship.send import ship

    with azurite.running(start, folder / "azurite.log") as account:
        rows: Rows = []
        credential = {"account_name": azurite.ACCOUNT, "account_key": azurite.KEY}
        for name in ("bulk", "bare", "many"):
            ContainerClient.from_container_url(f"{account}/{name}", credential=credential).create_container()

        def store(name: str) -> Container:
            return Container(place(f"{account}/{name}", {KEY: azurite.KEY}))

        bulk = log_bytes(60_000, pad=300)
        path = write(folder / "bulk", bulk)
        target = store("bare")
        target.create("bare/000001.jsonl")

        def bare() -> None:
            for at in range(0, len(bulk), BLOCK):
                target.append("bare/000001.jsonl", bulk[at : at + BLOCK], at)

        plain = timed(bare)
        ours = timed(lambda: ship(LocalLog(path), store("bulk")))
        again = best(lambda: ship(LocalLog(path), store("bulk")))
        rows += [
            (
                "ship_bulk",
                f"ship a log of {len(bulk) >> 20} MiB (read, verify, append)",
                len(bulk) / ours / 2**20,
                "MiB/s",
            ),
            ("ship_bare", "bare appends of the same bytes", len(bulk) / plain / 2**20, "MiB/s"),
            ("ship_ratio", "the first over the second", plain / ours, ""),
            ("ship_nothing", "a run with nothing new", again * 1000, "ms"),
        ]
        logs = [
            LocalLog(write(folder / "logs" / str(at), log_bytes(EVENTS, user=f"u{at}")))
            for at in range(AZURITE_WRITERS)
        ]
        with ThreadPoolExecutor(8) as pool:
            took = timed(lambda: list(pool.map(lambda log: ship(log, store("many")), logs)))
        rows.append(
            ("ship_writers", f"{AZURITE_WRITERS} writers ship {EVENTS} events each", len(logs) / took, "runs/s")
        )
        merged = timed(lambda: count(Merged(store("many")).lines()))
        rows.append(("merge_azurite", "merge of those over HTTP", len(logs) * EVENTS / merged, "events/s"))
        return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=10_000)
    writers = parser.parse_args().writers
    with tempfile.TemporaryDirectory(prefix="bench-ship-") as name:
        folder = Path(name)
        rows = merging(folder, writers) + exporting(folder) + auditing(folder) + shipping(folder)
        report("bench-ship", rows)


if __name__ == "__main__":
    main()
