"""A person calls a verb without DevPod: the workspace's name is enough, wherever the log knows it from."""

from __future__ import annotations

import json

import pytest

from tests.e2e.provider import Provider
from tests.e2e.test_devcontainer_mode import OPTIONS

TOLD_BY_DEVPOD = {"AZURE_SUBSCRIPTION_ID": "", "AZURE_RESOURCE_GROUP": "other", "AZURE_REGION": "eastus"}
NOBODY = {"MACHINE_ID": "", "MACHINE_CONTEXT": "", "DEVCONTAINER_ID": "", "WORKSPACE_CONTEXT": ""}


@pytest.fixture
def names(user: Provider) -> list[str]:
    """A machine and a dev container, each in a context of its own, as the log calls them."""
    user.ok("create", MACHINE_ID="hand-1", MACHINE_CONTEXT="work")
    user.ok("run", DEVCONTAINER_ID="hand-2", WORKSPACE_CONTEXT="play", DEVCONTAINER_RUN_OPTIONS=json.dumps(OPTIONS))
    return ["work/hand-1", "play/hand-2"]


def test_shell_logs_and_status_of_a_workspace_by_its_name(user: Provider, names: list[str]) -> None:
    elsewhere = user.with_env(**TOLD_BY_DEVPOD, MACHINE_ID="another")
    for name in names:
        assert elsewhere.ok("status", "--workspace", name) == b"Running\n"
        assert elsewhere.ok("shell", "-w", name, "sh", "-c", "echo $((6 * 7)); cat", stdin=b"bytes") == b"42\nbytes"
        elsewhere.ok("logs", "--workspace", name)
    assert {event["subject"] for event in user.events() if event["type"] == "CommandOpened"} == set(names)
    elsewhere.ok("stop", "--workspace", names[0])
    assert elsewhere.ok("status", "--workspace", names[0]) == b"Stopped\n"
    for name in names:
        elsewhere.ok("delete", "--workspace", name)
        assert elsewhere.ok("status", "--workspace", name) == b"NotFound\n"


def test_what_takes_a_while_is_told_when_it_begins(user: Provider) -> None:
    machine = user.with_env(MACHINE_ID="slow", MACHINE_CONTEXT="default")
    machine.ok("create")
    for verb, doing in (("stop", "stopping"), ("start", "starting"), ("delete", "deleting")):
        answer = machine.call(verb)
        assert (answer.returncode, answer.stdout) == (0, b"")
        assert answer.stderr.decode().startswith(f"{doing} container group devpod-slow-")
    assert machine.call("delete").stderr == b"workspace slow is already absent\n"


def test_a_dev_container_goes_by_the_name_that_its_user_gave_it(user: Provider) -> None:
    ids = {"default-he-f00ee": {}, "play/play-he-bea7": {"WORKSPACE_CONTEXT": "play"}}
    elsewhere = user.with_env(**TOLD_BY_DEVPOD, MACHINE_ID="another")
    for subject, context in ids.items():
        made = {"DEVCONTAINER_ID": subject.rpartition("/")[2], "WORKSPACE_ID": "hello", **context}
        user.ok("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(OPTIONS), **made)
        if not context:
            assert elsewhere.ok("status", "-w", "hello") == b"Running\n"
            assert elsewhere.ok("shell", "-w", "hello", "echo", "hi") == b"hi\n"
    answer = elsewhere.call("status", "-w", "hello")
    assert answer.returncode == 2
    assert b"2 workspaces are called hello: play/play-he-bea7, default-he-f00ee; say which of them" in answer.stderr
    elsewhere.ok("delete", "-w", "default-he-f00ee")
    assert elsewhere.ok("status", "-w", "hello") == b"Running\n"
    assert b" hello (default-he-f00ee) " in elsewhere.ok("history", "hello")
    elsewhere.ok("delete", "-w", "hello")
    assert elsewhere.ok("status", "-w", "hello") == b"NotFound\n"


def test_whose_group_was_made_elsewhere_goes_by_that_name_as_well(user: Provider) -> None:
    made = {"DEVCONTAINER_ID": "default-he-f00ee", "WORKSPACE_ID": "hello"}
    user.ok("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(OPTIONS), **made)
    other = user.with_env(ACI_EVENT_LOG=str(user.home / "other" / "events.jsonl"))
    other.ok("find", **made)
    assert other.ok("status", "-w", "hello") == b"Running\n"
    other.ok("delete", "-w", "hello")


def test_a_name_that_the_log_has_no_group_of(user: Provider) -> None:
    answer = user.call("status", "--workspace", "nobody", **NOBODY)
    assert (answer.returncode, answer.stdout) == (2, b"")
    assert b"has no container group of a workspace nobody; `devpod-provider-aci history` shows them" in answer.stderr
    unnamed = user.call("shell", **NOBODY)
    assert unnamed.returncode == 64
    assert b"also take --workspace" in unnamed.stderr
