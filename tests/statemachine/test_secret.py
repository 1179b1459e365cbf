"""A secret shows itself to no one by accident."""

from __future__ import annotations

import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachine.secret import MASK, Secret, scrub


@given(st.text(min_size=9))
def test_no_ordinary_way_shows_the_value(value: str) -> None:
    secret = Secret(value)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!s:>20}", f"{[secret]}", "{}".format(secret)]  # noqa: UP032  # the old way must mask too
    assert all(MASK in text for text in shown)
    assert secret.reveal() == value


def test_encoders_and_pickle_refuse_it() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode({"password": Secret("hunter2")})
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2"))


def test_equality_and_truth() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert not Secret("")
    assert len({Secret("a"), Secret("a")}) == 1


def test_scrub_masks_every_occurrence() -> None:
    assert scrub("pw=abc; again abc", Secret("abc"), Secret("")) == f"pw={MASK}; again {MASK}"
    assert scrub("xlong-enoughx", Secret("long-enough")) == f"x{MASK}x"


def test_scrub_leaves_a_text_readable_whatever_the_variables_are() -> None:
    text = "The image 'nowhere/image:1' in container group 'g' is not accessible; it is true."
    assert scrub(text, Secret("e"), Secret("1"), Secret("on"), Secret("is no")) == text
    assert scrub(text, Secret("true")) == text.replace("true", MASK)
