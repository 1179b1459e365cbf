"""Names of one workspace: legal, stable, and its own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.devpod import target
from adapters.devpod.identity import group_name, variables_of
from adapters.devpod.option import Mode
from eventlog import LOG_SUBJECT
from statemachine.errors import OptionError

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
MODES = st.sampled_from(["devcontainer", "machine"])
PRINTABLE = st.text(min_size=1).filter(str.isprintable)
# Hypothesis also tries the strings it finds in the program: this one is no workspace's name.
NAMES = PRINTABLE.filter(lambda name: name != LOG_SUBJECT)


def test_a_dev_container() -> None:
    found = target(
        {
            "DEVCONTAINER_ID": "default-he-f00ee",
            "WORKSPACE_CONTEXT": "default",
            "WORKSPACE_ID": "hello",
            "WORKSPACE_UID": "default-he-f00ee",
            "MACHINE_CONTEXT": "default",
        },
        creator="ada@box",
    )
    assert (found.mode, found.id, found.context, found.subject) == (
        "devcontainer",
        "default-he-f00ee",
        "",
        "default-he-f00ee",
    )
    assert (found.name, found.container_name) == ("hello", "devcontainer")
    assert found.group_name == "devpod-default-he-f00ee-" + found.group_name[-8:]
    assert found.tags == {
        "devpod-provider": "aci",
        "devpod-workspace": "default-he-f00ee",
        "devpod-mode": "devcontainer",
        "devpod-uid": "default-he-f00ee",
        "devpod-name": "hello",
        "devpod-created-by": "ada@box",
    }


def test_a_machine_in_a_context_of_its_own() -> None:
    found = target({"MACHINE_ID": "m", "MACHINE_CONTEXT": "work", "WORKSPACE_CONTEXT": "other"})
    assert (found.mode, found.subject) == ("machine", "work/m")
    assert "devpod-created-by" not in found.tags


def test_the_dev_container_goes_first() -> None:
    assert target({"MACHINE_ID": "m", "DEVCONTAINER_ID": "d"}).mode == "devcontainer"


def test_the_names_never_change() -> None:
    # Golden: a changed name would lose sight of every workspace that exists.
    assert group_name("hello-abcde", "machine") == "devpod-hello-abcde-83e10371"


@pytest.mark.parametrize("environ", [{}, {"DEVCONTAINER_ID": "", "MACHINE_ID": ""}, {"WORKSPACE_ID": "w"}])
def test_no_workspace(environ: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="there is no workspace to act on"):
        target(environ)


@pytest.mark.parametrize("identifier", ["a\nb", "\udcff", "a\0"])
def test_no_name(identifier: str) -> None:
    with pytest.raises(OptionError, match="is no name DevPod gives"):
        target({"MACHINE_ID": identifier})


@pytest.mark.parametrize("variable", ["MACHINE_ID", "DEVCONTAINER_ID"])
def test_the_logs_own_name_is_no_workspaces(variable: str) -> None:
    for context in ("", "default"):
        with pytest.raises(OptionError, match=f"{variable}: 'log' is what the event log calls its own events"):
            target({variable: LOG_SUBJECT, "MACHINE_CONTEXT": context, "WORKSPACE_CONTEXT": context})
    found = target({variable: LOG_SUBJECT, "MACHINE_CONTEXT": "work", "WORKSPACE_CONTEXT": "work"})
    assert found.subject == "work/log"


@given(st.text(), MODES)
def test_group_names_are_legal(subject: str, mode: Mode) -> None:
    name = group_name(subject, mode)
    assert NAME.fullmatch(name)
    assert "--" not in name
    assert name == group_name(subject, mode)


@given(PRINTABLE, PRINTABLE, MODES, MODES)
def test_different_subjects_get_different_names(one: str, other: str, mode: Mode, other_mode: Mode) -> None:
    same = (one, mode) == (other, other_mode)
    assert (group_name(one, mode) == group_name(other, other_mode)) is same


@given(NAMES, PRINTABLE, st.text())
def test_tags_are_legal(identifier: str, context: str, creator: str) -> None:
    found = target({"MACHINE_ID": identifier, "MACHINE_CONTEXT": context}, creator=creator)
    assert len(found.tags) <= 50
    for name, value in found.tags.items():
        assert not set(name) & set("<>%&\\?/")
        assert 0 < len(value) <= 256
        assert value.isprintable()


@given(NAMES.filter(lambda name: "/" not in name), PRINTABLE | st.just(""), MODES)
def test_a_workspace_of_the_log_is_found_again_by_its_variables(identifier: str, context: str, mode: Mode) -> None:
    names = {"devcontainer": ("DEVCONTAINER_ID", "WORKSPACE_CONTEXT"), "machine": ("MACHINE_ID", "MACHINE_CONTEXT")}
    found = target(dict(zip(names[mode], (identifier, context), strict=True)))
    again = target({"DEVCONTAINER_ID": "other"} | variables_of(found.subject, found.group_name))
    assert (again.mode, again.subject, again.group_name) == (found.mode, found.subject, found.group_name)
