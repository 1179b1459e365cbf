"""How much of an answer is read, and for how long; test_hostile_answers.py has the same over a connection."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from azure.core.exceptions import ServiceResponseTimeoutError

from adapters.azure.body import bound_body
from adapters.azure.budget import within


def in_pieces(*pieces: bytes) -> SimpleNamespace:
    response = SimpleNamespace(iter_content=lambda: iter(pieces), close=lambda: None)
    bound_body(response)
    return response


def test_an_answer_that_comes_as_the_time_ends_is_one() -> None:
    with within(0):
        assert list(in_pieces(b'{"error": {"code": "Conflict"}}').iter_content()) == [
            b'{"error": {"code": "Conflict"}}'
        ]


def test_one_that_goes_on_then_is_none() -> None:
    with within(0), pytest.raises(ServiceResponseTimeoutError):
        list(in_pieces(b"{", b'"').iter_content())
