"""The lifecycle for people: a page with the diagram and the tables, made from the code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from statemachine import events as e
from statemachine.decide import RULES, Command
from statemachine.observe import LEFT_OPEN, UNASKED
from statemachine.ports import Presence
from statemachine.states import WORDS, State
from statemachine.table import TABLE

_INTRO = """# The lifecycle of a workspace

This page is made from the tables in `statemachine/` by `make docs`; a test fails when it is stale.
"""

_COMMANDS = """
`act` appends the intent, does it, appends the outcome. `resume` continues an intent whose process died.
`wait` looks again until the deadline. While another living process holds an intent, everything but
`delete` waits for it.
"""

_OBSERVED = """
One look at Azure (columns: what it shows) may say more than the log. These events are appended, and only
when they change something, so polling does not grow the log. `(late)`: only after Azure had 30 s to show
what a process that died had asked for.
"""


def mermaid() -> str:
    """The state diagram in Mermaid's language; events that lead the same way share an arrow."""
    arrows: dict[tuple[State, State], list[str]] = defaultdict(list)
    for kind, moves in TABLE.items():
        for source, target in moves.items():
            if source is not target:
                arrows[source, target].append(kind.__name__)
    lines = ["stateDiagram-v2", f"    [*] --> {State.ABSENT}"]
    lines += [f"    {source} --> {target}: {', '.join(kinds)}" for (source, target), kinds in arrows.items()]
    return "\n".join(lines)


def page() -> str:
    """The whole page, in Markdown."""
    parts = [
        _INTRO,
        f"```mermaid\n{mermaid()}\n```\n",
        "## Every event in every state\n",
        _grid("event", [kind.__name__ for kind in TABLE], list(State), _moves),
        "## Every command in every state\n" + _COMMANDS,
        _grid(
            "command",
            list(Command),
            list(State),
            lambda row, state: str(RULES[State(state)][Command(row)].decision.name).lower(),
        ),
        "## What a look at Azure adds\n" + _OBSERVED,
        _grid("log says", list(State), list(Presence), _seen),
        "## What DevPod is told\n",
        "| state | `status` | `find` | because |\n|---|---|---|---|\n"
        + "\n".join(
            f"| {state} | {word.machine} | {word.container or '(nothing)'} | {word.reason} |"
            for state, word in WORDS.items()
        )
        + "\n\nWhile Azure shows a group as pending, `status` is Busy unless the log says failed: a start tells why.\n",
    ]
    return "\n".join(parts)


def _moves(kind: str, state: str) -> str:
    return TABLE[e.EVENT_TYPES[kind]].get(State(state), "")


def _seen(state: str, presence: str) -> str:
    unasked = UNASKED.get(State(state), {}).get(Presence(presence), ())
    close = LEFT_OPEN.get(State(state), {}).get(Presence(presence))
    cells = [" → ".join(kind.__name__ for kind in unasked)] if unasked else []
    if close is not None:
        late = "" if close.at_once else " (late)"
        cells.append(" → ".join(kind.__name__ for kind in close.kinds) + late)
    return " / ".join(cells)


def _grid(corner: str, rows: Sequence[str], columns: Sequence[str], cell: Callable[[str, str], str]) -> str:
    lines = [f"| {corner} | {' | '.join(columns)} |", f"|---{'|---' * len(columns)}|"]
    lines += [f"| {row} | {' | '.join(cell(row, column) for column in columns)} |" for row in rows]
    return "\n".join(lines) + "\n"
