"""How fast the event log is, beside the bare system calls and beside the ``eventsourcing`` library, in one run.

``python -m tools.bench_eventlog`` prints a table and writes build/figures/bench-eventlog.json. Rounds of what
is compared alternate, because the machine's speed changes; ratios are medians of the rounds' own ratios.
BENCH_EVENTS sets the length of the log that is read (1,000,000; ten million take ten times as long).
"""

from __future__ import annotations

import fcntl
import gc
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from eventlog import EventLog, verify
from eventlog.disk import Disk
from eventlog.files.pieces import open_view
from eventlog.files.tail import Tail
from eventlog.folding.cores import processors
from tools.figures import report
from tools.histories import ACTOR, LIFE, library_replay, write_log

ROUNDS = 15
APPENDS = 150
APPENDERS = 7
WRITERS = 16
WRITER_ROUNDS = 5
SUBJECTS = 1000
FOLD_ROUNDS = 5
LIBRARY_SHARE = 20
"""The library replays a twentieth of the same history, for it takes that much longer for each event."""
SHORT = 10
"""How much shorter the log is whose memory the long one's is compared with."""
Figures = dict[str, float]


def new_log(path: Path) -> EventLog:
    """The log as an invocation makes it."""
    return EventLog(path, actor=lambda: ACTOR, correlation="019b7650-5c00-7000-8000-000000000000")


def bare_append(path: str, line: bytes) -> None:
    """What no append can do without."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.write(fd, line)
    os.fsync(fd)
    os.close(fd)


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bench_append(folder: Path) -> Figures:
    """Durable appends of one writer, and each based on the one before, beside the bare calls with the same bytes.

    In some processes, one after the other: how long a process takes depends on where its memory happens to lie.
    """
    found: list[tuple[list[float], list[float], list[float]]] = []
    for number in range(APPENDERS):
        (folder / f"append-{number}").mkdir()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found.append(pool.submit(append_rounds, folder / f"append-{number}").result())
    bare, free, insisting = ([time for one in times for time in one] for times in zip(*found, strict=True))
    return {
        "append_per_s": APPENDS / statistics.median(free),
        "append_expected_per_s": APPENDS / statistics.median(insisting),
        "bare_append_per_s": APPENDS / statistics.median(bare),
        "append_time_to_bare": statistics.median(ratio(times, basis) for basis, times, _ in found),
        "append_expected_time_to_bare": statistics.median(ratio(times, basis) for basis, _, times in found),
    }


def append_rounds(folder: Path) -> tuple[list[float], list[float], list[float]]:
    """The times of rounds of bare appends, of a log's, and of a log's that insist on the event before."""
    log, own, event = new_log(folder / "append.jsonl"), new_log(folder / "own.jsonl"), LIFE[4]
    log.append("ws", event)
    version = own.append("ws", event).seq
    line, bare = (folder / "append.jsonl").read_bytes(), str(folder / "bare")
    times: tuple[list[float], list[float], list[float]] = ([], [], [])

    def append_bare() -> None:
        for _ in range(APPENDS):
            bare_append(bare, line)

    def append() -> None:
        for _ in range(APPENDS):
            log.append("ws", event)

    def insist() -> None:
        nonlocal version
        for _ in range(APPENDS):
            version = own.append("ws", event, expected=version).seq

    for _ in range(ROUNDS):
        for kept, work in zip(times, (append_bare, append, insist), strict=True):
            kept.append(seconds(work))
    return times


def write_much(path: Path, ready: object, count: int, waits: object) -> None:
    """One of many writers; tells its longest append."""
    log = new_log(path)
    log.append("warm", LIFE[4])
    ready.wait()  # type: ignore[attr-defined]  # a Barrier, whose class multiprocessing hides
    longest = max(seconds(lambda: log.append("ws", LIFE[4])) for _ in range(count))
    waits.put(longest)  # type: ignore[attr-defined]  # a Queue, likewise


def bench_writers(folder: Path) -> Figures:
    """Many processes at once beside one, in turn; each writes as many events as there are in all."""
    rates: dict[int, list[float]] = {1: [], WRITERS: []}
    longest = 0.0
    for number in range(WRITER_ROUNDS):
        for writers, found in rates.items():
            rate, worst = write_together(folder / f"writers-{number}-{writers}.jsonl", writers)
            found.append(rate)
            longest = max(longest, worst)
    return {
        "writers_1_per_s": statistics.median(rates[1]),
        f"writers_{WRITERS}_per_s": statistics.median(rates[WRITERS]),
        f"writers_{WRITERS}_rate_to_1": ratio(rates[WRITERS], rates[1]),
        f"writers_{WRITERS}_longest_wait_s": longest,
    }


def write_together(path: Path, writers: int) -> tuple[float, float]:
    """Appends in a second of some processes together, and the longest that one of them took."""
    context = multiprocessing.get_context("fork")
    each = 1600 // writers
    ready, waits = context.Barrier(writers + 1), context.Queue()
    processes = [context.Process(target=write_much, args=(path, ready, each, waits)) for _ in range(writers)]
    for process in processes:
        process.start()
    ready.wait()
    start = time.perf_counter()
    worst = max(waits.get() for _ in processes)
    rate = each * writers / (time.perf_counter() - start)
    for process in processes:
        process.join()
    if not verify(path).ok:
        raise AssertionError(f"{writers} writers broke the chain")
    return rate, worst


def bench_read(folder: Path, events: int) -> Figures:
    """Finding one workspace among a thousand; replaying everything; checking everything."""
    path = folder / "read.jsonl"
    write_log(path, events, SUBJECTS)
    return {
        "log_events": events,
        "log_bytes_per_event": path.stat().st_size / events,
        "history_lines_per_s": events / best(lambda: exhaust(new_log(path).history("ws-0500"))),
        "replay_per_s": events / best(lambda: exhaust(new_log(path).replay(verified=False))),
        "replay_verified_per_s": events / best(lambda: exhaust(new_log(path).replay(verified=True))),
        "records_verified_per_s": events / best(lambda: exhaust(new_log(path).records(verified=True))),
        "verify_per_s": events / best(lambda: verify(path)),
    }


def bench_fold(folder: Path, events: int) -> Figures:
    """Folding a log to states on one processor, beside ``eventsourcing`` replaying the same history.

    Once it is the history of one workspace, which is what the library has as one aggregate, and once that of a
    thousand. All take turns, because the machine's speed changes: the ratios are medians of the rounds' own.
    """
    one, many = folder / "fold.jsonl", folder / "read.jsonl"
    write_log(one, events, 1)
    kept = events // LIBRARY_SHARE
    contestants: dict[str, Callable[[], object]] = {
        "fold": lambda: new_log(one).states(verified=False, jobs=1),
        "fold_verified": lambda: new_log(one).states(verified=True, jobs=1),
        "fold_many": lambda: new_log(many).states(verified=False, jobs=1),
        "fold_many_verified": lambda: new_log(many).states(verified=True, jobs=1),
        "replay_verified": lambda: exhaust(new_log(one).replay(verified=True)),
        "cores_fold_verified": lambda: new_log(many).states(verified=True),
        "cores_fold": lambda: new_log(many).states(verified=False),
    }
    try:
        library = library_replay(folder, kept)
    except ImportError:
        library = None
    times: dict[str, list[float]] = {name: [] for name in contestants}
    basis: list[float] = []
    for _ in range(FOLD_ROUNDS):
        if library:
            basis.append(seconds(library) / kept)
        for name, work in contestants.items():
            times[name].append(seconds(work) / events)
    figures = {
        "fold_events": events,
        "fold_history_per_s": 1 / statistics.median(times["fold"]),
        "fold_verified_per_s": 1 / statistics.median(times["fold_verified"]),
        "fold_many_per_s": 1 / statistics.median(times["fold_many"]),
        "fold_many_verified_per_s": 1 / statistics.median(times["fold_many_verified"]),
        "cores": processors(),
        "cores_fold_rate_to_1": ratio(times["fold_many"], times["cores_fold"]),
        "cores_fold_verified_rate_to_1": ratio(times["fold_many_verified"], times["cores_fold_verified"]),
    }
    if not library:
        return figures
    return figures | {
        "eventsourcing_events": kept,
        "eventsourcing_replay_per_s": 1 / statistics.median(basis),
        "replay_verified_to_eventsourcing": ratio(basis, times["replay_verified"]),
        "fold_to_eventsourcing": ratio(basis, times["fold"]),
        "fold_verified_to_eventsourcing": ratio(basis, times["fold_verified"]),
        "fold_many_to_eventsourcing": ratio(basis, times["fold_many"]),
        "fold_many_verified_to_eventsourcing": ratio(basis, times["fold_many_verified"]),
    }


def bench_memory(folder: Path, events: int) -> Figures:
    """The most memory that a process needs to fold a log with its chain verified, and one that is shorter."""
    short = folder / "short.jsonl"
    write_log(short, events // SHORT, SUBJECTS)
    return {
        "memory_short_mib": peak_memory(short),
        "memory_long_mib": peak_memory(folder / "read.jsonl"),
    }


def peak_memory(path: Path) -> float:
    """MiB that a process had in memory at most while it folded a log."""
    code = (
        "import resource, sys; from pathlib import Path; from eventlog import Actor, EventLog\n"
        "EventLog(Path(sys.argv[1]), actor=lambda: Actor('a', 'b'), correlation='c').states(jobs=1)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True)
    return int(done.stdout) / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def bench_recall(folder: Path) -> Figures:
    """What ``status`` asks the log, on an empty log and on a long one: alone, and in a process of its own."""
    path, empty = folder / "read.jsonl", folder / "empty" / "events.jsonl"
    rebuild = seconds(lambda: new_log(path).recall("ws-0500"))
    short: list[float] = []
    long: list[float] = []
    for _ in range(ROUNDS):
        short.append(seconds(lambda: status_process(empty)))
        long.append(seconds(lambda: status_process(path)))
    return {
        "recall_rebuild_s": rebuild,
        "recall_empty_us": best(lambda: new_log(empty).recall("ws-0500"), 100) * 1e6,
        "recall_long_us": best(lambda: new_log(path).recall("ws-0500"), 100) * 1e6,
        "status_process_ms": statistics.median(long) * 1e3,
        "status_time_to_empty": ratio(long, short),
    }


def status_process(path: Path) -> None:
    """A process that does of ``status`` all but asking Azure."""
    code = (
        "import sys; from pathlib import Path; import adapters.cli.lifecycle; from eventlog import Actor, EventLog\n"
        "EventLog(Path(sys.argv[1]), actor=lambda: Actor('a', 'b'), correlation='c').recall('ws-0500')"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def bench_segments(folder: Path, events: int) -> Figures:
    """Sealing and compressing a log, and reading it then."""
    from eventlog.writing.roll import compress, roll

    path = folder / "segments" / "events.jsonl"
    path.parent.mkdir()
    size = write_log(path, events, SUBJECTS)
    with open_view(Disk(), path) as view:
        head = view.pieces[0].head_at(size)
    with path.open("rb") as file:
        roll(Disk(), file.fileno(), path, Tail(events, head, size, size))
    packing = seconds(lambda: compress(Disk(), path))
    packed = sum(file.stat().st_size for file in (path.parent / "events.jsonl.d" / "segments").iterdir())
    return {
        "segment_compressed_to": packed / size,
        "segment_compress_mb_per_s": size / packing / 1e6,
        "segment_verify_per_s": events / best(lambda: verify(path), 2),
    }


def exhaust(items: Iterable[object]) -> None:
    """Read to the end, keep nothing."""
    for _ in items:
        pass


def best(work: Callable[[], object], rounds: int = 3) -> float:
    """The shortest of some rounds."""
    gc.collect()
    return min(seconds(work) for _ in range(rounds))


def ratio(times: list[float], basis: list[float]) -> float:
    """Median of the rounds' own ratios."""
    return statistics.median(time / base for time, base in zip(times, basis, strict=True))


MEANINGS = {
    "append_per_s": ("durable appends, one writer", "1/s"),
    "append_expected_per_s": ("the same, each insisting on the one before", "1/s"),
    "bare_append_per_s": ("bare open, lock, write, fsync, close of the same bytes", "1/s"),
    "append_time_to_bare": ("time of an append to the bare calls'", "x"),
    "append_expected_time_to_bare": ("the same, each insisting on the one before", "x"),
    "writers_1_per_s": ("durable appends, one process", "1/s"),
    f"writers_{WRITERS}_per_s": (f"durable appends, {WRITERS} processes together", "1/s"),
    f"writers_{WRITERS}_rate_to_1": (f"rate of {WRITERS} processes to one's", "x"),
    f"writers_{WRITERS}_longest_wait_s": ("longest that any append took", "s"),
    "log_events": ("events in the log that is read", ""),
    "log_bytes_per_event": ("bytes of an event", ""),
    "history_lines_per_s": (f"lines gone through for one of {SUBJECTS} workspaces", "1/s"),
    "replay_per_s": ("events replayed", "1/s"),
    "replay_verified_per_s": ("events replayed, chain verified", "1/s"),
    "records_verified_per_s": ("whole records read, chain verified", "1/s"),
    "verify_per_s": ("events of a verify", "1/s"),
    "fold_events": ("events in the logs that are folded", ""),
    "fold_history_per_s": ("events folded to the state of one workspace", "1/s"),
    "fold_verified_per_s": ("the same, chain verified", "1/s"),
    "fold_many_per_s": (f"events folded to the states of {SUBJECTS} workspaces", "1/s"),
    "fold_many_verified_per_s": ("the same, chain verified", "1/s"),
    "cores": ("processors", ""),
    "cores_fold_rate_to_1": ("rate of such a fold on all of them to that on one", "x"),
    "cores_fold_verified_rate_to_1": ("the same, chain verified", "x"),
    "eventsourcing_events": ("events of that history that eventsourcing replays", ""),
    "eventsourcing_replay_per_s": ("events replayed by eventsourcing, SQLite file", "1/s"),
    "replay_verified_to_eventsourcing": ("replay of every event, chain verified, to that", "x"),
    "fold_to_eventsourcing": ("fold of one workspace to that", "x"),
    "fold_verified_to_eventsourcing": ("the same, chain verified", "x"),
    "fold_many_to_eventsourcing": (f"fold of {SUBJECTS} workspaces to that", "x"),
    "fold_many_verified_to_eventsourcing": ("the same, chain verified", "x"),
    "memory_short_mib": (f"most memory of a verified fold of a log {SHORT} times shorter", "MiB"),
    "memory_long_mib": ("most memory of a verified fold of the long log", "MiB"),
    "recall_rebuild_s": ("reading the whole log for a lost snapshot", "s"),
    "recall_empty_us": ("one workspace's state from an empty log", "us"),
    "recall_long_us": ("one workspace's state from the long log", "us"),
    "status_process_ms": ("a process that does of `status` all but asking Azure, long log", "ms"),
    "status_time_to_empty": ("its time to that on an empty log", "x"),
    "segment_compressed_to": ("size of a compressed segment to the plain one", "x"),
    "segment_compress_mb_per_s": ("compressing a segment", "MB/s"),
    "segment_verify_per_s": ("events of a verify of a compressed segment", "1/s"),
}


def main() -> Figures:
    """Measure everything, print it, and keep it."""
    events = int(os.environ.get("BENCH_EVENTS", "1000000"))
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", ".")) as name:
        folder = Path(name)
        figures = {
            **bench_append(folder),
            **bench_writers(folder),
            **bench_read(folder, events),
            **bench_recall(folder),
            **bench_memory(folder, events),
            **bench_segments(folder, min(events, 100_000)),
            **bench_fold(folder, events),
        }
    rows = [(key, MEANINGS[key][0], value, MEANINGS[key][1]) for key, value in figures.items()]
    report("bench-eventlog", rows)
    return figures


if __name__ == "__main__":
    main()
