"""The labels document in a group's environment."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.labels import ENVIRONMENT_LIMIT, pack, unpack


@given(st.binary(max_size=5000))
def test_there_and_back(labels: bytes) -> None:
    assert unpack(pack(labels, [])) == labels


def test_no_room_means_no_variable() -> None:
    assert pack(b"x", [("A", "y" * ENVIRONMENT_LIMIT)]) == ""
    assert pack(b"x", [("A", "y" * (ENVIRONMENT_LIMIT - 60))]) != ""
    assert pack(b"", []) == ""


@given(st.text(max_size=200))
def test_anything_else_is_no_document(text: str) -> None:
    assert isinstance(unpack(text), bytes)


@pytest.mark.parametrize(
    "data", [zlib.compress(b"\0" * (17 * 1024 * 1024)), zlib.compress(b"abc" * 99)[:-5], b"not zlib"]
)
def test_bombs_and_fragments_are_no_document(data: bytes) -> None:
    assert unpack(base64.b64encode(data).decode()) == b""
