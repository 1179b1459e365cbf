"""The fold of a whole log says the same as every workspace's own history, taken in event by event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import EventLog
from eventlog.files import read as reading
from eventlog.files.pieces import open_view
from eventlog.folding.states import StatesFold
from eventlog.lines import layout, upcast
from eventlog.lines.codec import READERS
from statemachine import events as e
from statemachine.errors import LogDamagedError
from statemachine.fold import Workspace, fold
from statemachine.states import State
from statemachine.table import TABLE
from tests.eventlog.lives import FACTS, GROUP, OWNER, Quick, live, quick
from tests.eventlog.strategies import of, subjects

Line = dict[str, Any]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def lines(draw: st.DrawFn) -> list[Line]:
    """What happens to some workspaces: mostly what can, as this version or another writes it, in one shape or other."""
    names = draw(st.lists(subjects, min_size=1, max_size=3, unique=True))
    commands = draw(st.lists(st.sampled_from(["a", "é☃", '"', '"b', "\\", "\n", ""]), min_size=2, unique=True))
    states = dict.fromkeys(names, State.ABSENT)
    found = []
    for _ in range(draw(st.integers(0, 25))):
        name = draw(st.sampled_from(names))
        possible = [kind for kind, ways in TABLE.items() if states[name] in ways or draw(st.integers(0, 60)) == 0]
        kind = draw(st.sampled_from(possible))
        states[name] = TABLE[kind].get(states[name], states[name])
        event = draw(of(kind))
        if isinstance(event, e.CommandOpened | e.CommandClosed):
            event = msgspec.structs.replace(event, command=draw(st.sampled_from(commands)))
        line: Line = {"type": e.name_of(event), "subject": name, "schema": 1, "data": msgspec.to_builtins(event)}
        match draw(st.integers(0, 14)):
            case 0:
                line["type"] = draw(st.sampled_from(["FromTheFuture", "X", 'odd "type"', "Kreated"]))
            case 1:
                line["schema"] = 2
            case 2:
                line["data"] = {"later": {"command": "no", "data": {"command": "no"}, "schema": 1, "x": 1}} | line[
                    "data"
                ]
            case 3:
                line["source"] = 'says ","subject":"x","seq":1,"schema":1,"data":{"command":"no"'
            case 4:
                line = dict(reversed(line.items()))
            case 5:
                line["extra"] = {"data": [1], "type": "Created"}
        found.append(line)
    return found


def written(path: Path, found: list[Line], tail: bytes = b"") -> Path:
    """A log of these lines, chained."""
    head, out = layout.GENESIS, []
    for seq, line in enumerate(found, 1):
        begin = {"specversion": "1.0", "id": f"{seq:036d}", "time": f"{BEGIN + timedelta(seconds=seq):%FT%T.%f}Z"}
        named = {name: line[name] for name in line if name in ("type", "subject")}
        rest = {"seq": seq, "schema": line["schema"], "source": "s", "actor": {"user": "u", "host": "h"}}
        whole = begin | named | rest | {"correlation": "c"} | line | {"prev": head}
        sealed, head = layout.seal(msgspec.json.encode(whole))
        out.append(sealed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(out) + tail)
    return path


def one_by_one(path: Path) -> dict[str, Workspace | None]:
    """Every workspace as ``evolve`` makes it; None for a history that cannot be."""
    found: dict[str, Workspace | None] = {}
    for subject in {recorded.subject for recorded in quick(path).replay()}:
        try:
            found[subject] = fold(subject, quick(path).history(subject))
        except LogDamagedError:
            found[subject] = None
    return found


@settings(max_examples=50, deadline=None)
@given(lines(), st.sampled_from([b"", b'{"specversion":"1.0","id":"torn', b"\0" * 9]), st.sampled_from([300, 1 << 16]))
def test_all_at_once_is_each_on_its_own(found: list[Line], tail: bytes, block: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = written(Path(folder) / "events.jsonl", found, tail)
        expected = one_by_one(path)
        patch.setattr(reading, "BLOCK", block)
        for verified in (True, False):
            assert quick(path).states(verified=verified) == expected
        before = written(Path(folder) / "before.jsonl", found[: len(found) // 2])
        with open_view(Quick(), before) as view:
            begun = StatesFold(view.start, {})
            begun.run(view.behind(view.start) or [], verified=True)
            states = begun.states()
        with open_view(Quick(), path) as view:
            folded = StatesFold(begun.place, states)
            folded.run(view.behind(begun.place) or [], verified=True)
            assert folded.states() == expected


def test_names_of_commands_that_begin_alike(path: Path) -> None:
    log = quick(path)
    log.append("w", e.Adopted(group=GROUP, facts=FACTS))
    for name in ('"', '"b', "\\", "\\c", "d"):
        log.append("w", e.CommandOpened(owner=OWNER, command=name))
    for name in ('"b', "\\"):
        log.append("w", e.CommandClosed(command=name))
    workspace = quick(path).states()["w"]
    assert workspace == one_by_one(path)["w"]
    assert workspace is not None
    assert set(workspace.commands) == {'"', "\\c", "d"}


def test_older_versions_of_a_command_are_read_by_their_upcaster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = {"host": "h", "pid": 1}
    kinds: list[tuple[str, int, Line]] = [
        ("Adopted", 1, {"group": dict.fromkeys(("subscription", "resource_group"), "a")})
    ]
    kinds[0][2]["group"] |= {"name": "n", "container": "c"}
    kinds[0][2]["facts"] = {"image": "i", "location": "l", "cpu": 1, "memory_gb": 1}
    kinds += [("CommandOpened", 1, {"owner": owner, "command": "the text", "name": name}) for name in "abc"]
    kinds += [("CommandClosed", 1, {"command": "the text", "name": "a"}), ("CommandClosed", 2, {"command": "b"})]
    found = [{"type": kind, "subject": "w", "schema": schema, "data": data} for kind, schema, data in kinds]
    for kind in (e.CommandOpened, e.CommandClosed):
        monkeypatch.setattr(kind, "VERSION", 2)
        monkeypatch.setitem(upcast.UPCASTERS, (kind.__name__, 1), lambda data: data | {"command": data["name"]})
    monkeypatch.setattr("eventlog.folding.states.READERS", type(READERS)())
    monkeypatch.setattr("eventlog.lines.codec.READERS", type(READERS)())
    path = written(tmp_path / "events.jsonl", found)
    workspace = quick(path).states()["w"]
    assert workspace is not None
    assert list(workspace.commands) == ["c"]


def test_subjects_beyond_counting_are_folded_as_well(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlog.folding.states._MOST_KEYS", 5)
    monkeypatch.setattr(reading, "BLOCK", 2_000)
    live(quick(path), 300, subjects=40)
    assert quick(path).states() == one_by_one(path)


@pytest.mark.parametrize("segment", [3_000, 1 << 30])
def test_the_lines_that_matter_are_read_again_from_segments(
    path: Path, make: Callable[..., EventLog], segment: int
) -> None:
    live(make(disk=Quick(), segment=segment), 200)
    assert quick(path).states(verified=False) == quick(path).states() == one_by_one(path)


def test_lines_that_change_while_they_are_read_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live(quick(path), 100)
    original = layout.hashes

    def change(lines: list[bytes], head: str) -> list[str]:
        found = original(lines, head)
        path.write_bytes(path.read_bytes().replace(b'"laptop"', b'"laptoq"'))
        return found

    monkeypatch.setattr(layout, "hashes", change)
    with pytest.raises(LogDamagedError, match="was changed, or does not follow"):
        quick(path).states()
