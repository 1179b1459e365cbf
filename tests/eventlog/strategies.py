"""Arbitrary events."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from statemachine import events as e

# The log refuses what UTF-8 cannot hold.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
number = st.integers(-(2**63), 2**64 - 1)
real = st.floats(allow_nan=False, allow_infinity=False)
group = st.builds(e.GroupRef, text, text, text, text)
facts = st.builds(
    e.GroupFacts, text, text, real, real, text, text, text, st.lists(number, max_size=3).map(tuple),
    st.lists(text, max_size=3).map(tuple), text, text,
)  # fmt: skip
owner = st.builds(e.Owner, text, number, text)
receipt = st.builds(e.Receipt, number, text, text, text)
failure = st.builds(e.Failure, text, text, text, number, text, number)
maybe_number = st.none() | number

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "owner": owner,
    "group": group,
    "facts": facts,
    "receipt": receipt,
    "failure": failure,
    "command": text,
    "user": text,
    "sha256": text,
    "size": number,
    "purpose": text,
    "exit_status": maybe_number,
    "exit_code": maybe_number,
    "reason": text,
    "detail": text,
    "request_id": text,
}


def of(kind: type[e.Event]) -> st.SearchStrategy[e.Event]:
    chosen = {name: FIELDS[name] for name in kind.__struct_fields__}
    if kind is e.CommandClosed:
        chosen["failure"] = st.none() | failure
    return st.builds(kind, **chosen)


events = st.sampled_from(sorted(e.EVENT_TYPES)).flatmap(lambda name: of(e.EVENT_TYPES[name]))
subjects = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
