"""DEVCONTAINER_RUN_OPTIONS, and the plan made of it."""

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.devpod import labels_document, labels_of, parse, parse_run_options, plan
from adapters.devpod.mounts import MAX_VOLUMES, EmptyDir
from adapters.devpod.plan import KEEP_ALIVE, MACHINE_MARK, RunPlan, machine_plan
from statemachine.errors import RunOptionsError, UnsupportedError
from statemachine.secret import Secret

SETTINGS = parse({"AZURE_SUBSCRIPTION_ID": "01234567-89ab-cdef-0123-456789abcdef"}, "devcontainer")
METADATA = json.dumps([{"id": "x", "customizations": {"vscode": {"settings": {"a": "b=c"}}}}] * 100)
USUAL: dict[str, Any] = {
    "uid": "default-he-f00ee",
    "image": "mcr.microsoft.com/devcontainers/base:ubuntu",
    "entrypoint": "/bin/sh",
    "cmd": ["-c", 'echo Container started\nexec "$@"', "-"],
    "env": {"DEVPOD": "true", "TOKEN": "hush-hush"},
    "labels": [f"devcontainer.metadata={METADATA}", "devpod.user="],
    "workspaceMount": {"type": "bind", "source": "/home/me/hello", "target": "/workspaces/hello"},
}


def planned(**changes: Any) -> RunPlan:
    return plan(parse_run_options(json.dumps({**USUAL, **changes})), SETTINGS)


def test_the_usual() -> None:
    found = planned()
    assert found.image == USUAL["image"]
    assert found.command == ("/bin/sh", *USUAL["cmd"])
    assert found.environment == {"DEVPOD": Secret("true"), "TOKEN": Secret("hush-hush")}
    assert labels_of(found.labels) == {"devcontainer.metadata": METADATA, "devpod.user": ""}
    assert found.emptydirs == (EmptyDir("workspace", "/workspaces/hello"),)
    assert found.warnings == ()
    assert "hush-hush" not in repr(found)


def test_dockerless() -> None:
    found = planned(
        image="ghcr.io/loft-sh/dockerless:0.2.0",
        user="root",
        entrypoint="/.dockerless/dockerless",
        cmd=["start", "--wait"],
        env={"DOCKERLESS": "true"},
        labels=["devpod.user=vscode"],
        mounts=[{"type": "volume", "source": "dockerless-x", "target": "/workspaces/.dockerless"}],
    )
    assert found.command == ("/.dockerless/dockerless", "start", "--wait")
    assert [each.mount_path for each in found.emptydirs] == ["/workspaces/.dockerless", "/workspaces/hello"]
    assert len(found.warnings) == 1
    assert "lost when the workspace stops" in found.warnings[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not set"),
        ("  ", "is not set"),
        ("null", "cannot reprovision"),
        ("[]", "no JSON object"),
        ("{", "no JSON object"),
        ('"x"', "no JSON object"),
        ("{}", "names no image"),
        ('{"image": 1}', "image"),
        ('{"image": "x", "env": {"A": 1}}', "env"),
        ('{"image": "x", "cmd": "ls"}', "cmd"),
        ('{"image": "x", "labels": {"a": "b"}}', "labels"),
        ('{"image": "\\ud800"}', "DEVCONTAINER_RUN_OPTIONS"),
        ('{"image": "\udcff"}', "DEVCONTAINER_RUN_OPTIONS"),
        ('{"image": ' + "[" * 50_000, "no JSON object"),
        ('{"image": "x", "unknown": ' + "[" * 50_000 + "]" * 50_000 + "}", "no JSON object"),
    ],
)
def test_bad_run_options(text: str, words: str) -> None:
    with pytest.raises(RunOptionsError, match=words) as caught:
        parse_run_options(text)
    assert "\n" not in str(caught.value)


def test_errors_quote_no_value() -> None:
    with pytest.raises(RunOptionsError) as caught:
        parse_run_options('{"image": "x", "env": {"A": ["hush-hush"]}}')
    assert "hush" not in str(caught.value)


def test_nulls_are_nothing() -> None:
    found = planned(cmd=None, env=None, labels=None, capAdd=None, mounts=[None], workspaceMount=None, privileged=None)
    assert found.command == ("/bin/sh",)
    assert (found.environment, found.emptydirs, found.warnings) == ({}, (), ())
    assert labels_of(found.labels) == {}


def test_unknown_fields_are_named() -> None:
    assert planned(gpus="all", unknown=1).warnings == (
        "run option gpus: unknown to this version, so it has no effect",
        "run option unknown: unknown to this version, so it has no effect",
    )


def test_a_bad_image() -> None:
    with pytest.raises(RunOptionsError, match="'Bad Image' is no image reference"):
        planned(image="Bad Image")


def test_everything_impossible_is_refused_by_name_at_once() -> None:
    with pytest.raises(UnsupportedError) as caught:
        planned(
            privileged=True,
            env={"A=B": "x"},
            mounts=[
                {"type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker-host.sock"},
                {"type": "npipe", "source": "a", "target": "/b"},
                {"type": "volume", "source": "a", "target": "relative"},
                {"type": "volume", "source": "a", "target": "/"},
                {"type": "volume", "source": "a", "target": "/a:b"},
            ],
        )
    line = str(caught.value)
    for word in ("privileged", "'A=B'", "docker.sock", "npipe", "relative", "'a -> /'", "colon"):
        assert word in line
    assert "\n" not in line


def test_privileged_false_is_no_wish() -> None:
    assert planned(privileged=False).warnings == ()


def test_what_has_no_effect_is_warned_of_by_name() -> None:
    found = planned(capAdd=["SYS_PTRACE", "NET_ADMIN"], securityOpt=["seccomp=unconfined"], user="vscode")
    for word in ("capAdd SYS_PTRACE", "capAdd NET_ADMIN", "securityOpt seccomp=unconfined", "user vscode"):
        assert any(word in warning for warning in found.warnings), word


@pytest.mark.parametrize(
    ("user", "own", "warned"), [("", "", 0), ("root", "", 0), ("", "vscode", 0), ("a", "a", 0), ("root", "a", 1)]
)
def test_the_main_process_runs_as_the_images_user(user: str, own: str, warned: int) -> None:
    assert len(planned(user=user, labels=[f"devpod.user={own}"]).warnings) == warned


def test_arguments_without_an_entrypoint() -> None:
    found = planned(entrypoint="", cmd=["serve"])
    assert found.command == ("serve",)
    assert "in place of the image's entrypoint" in found.warnings[0]
    assert planned(entrypoint="", cmd=[]).command == ()


def test_strange_environment_names_are_warned_of() -> None:
    found = planned(env={"a.b": "1", "x" * 64: "2", "GOOD_1": "3"})
    assert len(found.environment) == 3
    assert len(found.warnings) == 2


MOUNT = {"type": "volume", "source": "v", "target": "/workspaces/hello/node_modules"}


def test_mounts() -> None:
    found = planned(
        mounts=[
            MOUNT,
            {"type": "bind", "source": "/home/me/.ssh", "target": "/root/.ssh"},
            {"type": "tmpfs", "target": "/scratch/", "other": ["tmpfs-size=1g", "consistency=cached"]},
            {"source": "w", "target": "/workspaces/hello", "external": True},
        ]
    )
    assert [(each.name, each.mount_path) for each in found.emptydirs] == [
        ("mount-2", "/scratch"),
        ("workspace", "/workspaces/hello"),
        ("mount-1", "/workspaces/hello/node_modules"),
    ]
    told = "\n".join(found.warnings)
    for words in ("starts empty", "copied into the container once", "not in memory", "tmpfs-size=1g has no effect"):
        assert words in told
    assert "an existing volume of that name is not found here" in told
    assert "consistency" not in told


def test_too_many_mounts() -> None:
    mounts = [{**MOUNT, "target": f"/m/{number}"} for number in range(MAX_VOLUMES)]
    assert len(planned(mounts=mounts[1:]).emptydirs) == MAX_VOLUMES
    with pytest.raises(UnsupportedError, match="21 mounts"):
        planned(mounts=mounts)


LABELS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8)


@given(LABELS)
def test_labels_come_back_as_docker_would_give_them(labels: list[str]) -> None:
    expected = {}
    for label in labels:
        name, _, value = label.partition("=")
        expected[name] = value
    document = labels_document(labels)
    assert labels_of(document) == expected
    assert (
        labels_document([f"{name}={value}" for name, value in reversed(expected.items()) if "=" not in name])
        == document
    )


def test_labels_of_any_size() -> None:
    value = string.printable * 10_000
    assert labels_of(labels_document([f"a={value}"])) == {"a": value}


def test_damaged_labels() -> None:
    assert labels_of(b"") == {}
    with pytest.raises(RunOptionsError, match="damaged"):
        labels_of(b"{")
    with pytest.raises(RunOptionsError, match="damaged"):
        labels_of(b'{"a":' + b"[" * 50_000)


def test_a_machine() -> None:
    found = machine_plan(SETTINGS)
    assert found.image == "mcr.microsoft.com/devcontainers/base:ubuntu"
    assert found.command == KEEP_ALIVE
    assert found.command[-1] == MACHINE_MARK
    assert (found.environment, found.labels, found.emptydirs, found.warnings) == ({}, b"", (), ())
