"""The error tree: drawn as it is, every exit status its own, one line each."""

from __future__ import annotations

import re

import pytest

from statemachine import errors
from statemachine.errors import AccessDeniedError, AzureError, OptionError, ProviderError, bounded


def leaves(kind: type[ProviderError] = ProviderError) -> list[type[ProviderError]]:
    """Every error of the tree; a module's own refinement of one keeps its status and stays out of it."""
    found = []
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            found += [child, *leaves(child)]
    return found


def test_the_drawing_shows_every_error_with_its_status() -> None:
    drawn = dict(re.findall(r"── (\w+)\s+(\d+)", errors.__doc__ or ""))
    assert {name: int(status) for name, status in drawn.items()} == {
        kind.__name__: kind.exit_status for kind in leaves()
    }


def test_exit_statuses_are_distinct_and_out_of_the_way() -> None:
    statuses = [kind.exit_status for kind in leaves()]
    assert len(set(statuses)) == len(statuses)
    assert all(64 <= status <= 99 for status in statuses)


def test_an_azure_error_keeps_code_status_and_request_id_on_one_line() -> None:
    text = str(
        AccessDeniedError(
            "creating the group was refused",
            code="AuthorizationFailed",
            http_status=403,
            request_id="westeurope:123",
            azure_message="The client does not have\nauthorization to perform action 'x/write'",
        )
    )
    assert "\n" not in text
    for part in ("AuthorizationFailed", "HTTP 403", "westeurope:123", "'x/write'", AccessDeniedError.remedy):
        assert part in text


@pytest.mark.parametrize("kind", leaves())
def test_every_error_is_one_line(kind: type[ProviderError]) -> None:
    error = kind("AZURE_REGION", "bad\nvalue") if kind is OptionError else kind("bad\nvalue")
    assert "\n" not in str(error)
    assert "bad value" in str(error)
    assert issubclass(kind, AzureError) or not hasattr(error, "http_status")


def test_what_others_wrote_is_bounded_to_one_line() -> None:
    assert bounded(" a\n  b ", 10) == "a b"
    assert bounded("x" * 10, 10) == "x" * 10
    assert bounded("x" * 11, 10) == "x" * 9 + "…"
