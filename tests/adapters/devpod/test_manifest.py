"""The manifests, held against the rules of DevPod's own parser, and against the table they are made from."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.devpod import parse, render
from adapters.devpod.generated import generated
from adapters.devpod.manifest import FILES, anchored, installed_version, manifest
from adapters.devpod.option import Mode
from adapters.devpod.options import BY_NAME, TABLE, in_manifest
from statemachine.errors import OptionError

ROOT = Path(__file__).parents[3]
MODES: tuple[Mode, ...] = ("devcontainer", "machine")
SUBSCRIPTION = "01234567-89ab-cdef-0123-456789abcdef"

TYPES = {"string", "multiline", "duration", "number", "boolean"}
TOP = {
    "name",
    "version",
    "description",
    "icon",
    "iconDark",
    "home",
    "optionGroups",
    "options",
    "agent",
    "exec",
    "binaries",
}
OPTION = {
    "description", "required", "default", "command", "enum", "suggestions", "password", "type", "validationPattern",
    "validationMessage", "local", "global", "mutable", "cache", "hidden", "displayName", "subOptionsCommand",
}  # fmt: skip
AGENT = {
    "local", "path", "dataPath", "downloadURL", "inactivityTimeout", "containerInactivityTimeout",
    "injectGitCredentials", "injectDockerCredentials", "exec", "binaries", "dockerless", "driver", "docker", "custom",
    "kubernetes",
}  # fmt: skip
DRIVER = {
    "targetArchitecture", "findDevContainer", "runDevContainer", "startDevContainer", "stopDevContainer",
    "deleteDevContainer", "commandDevContainer",
}  # fmt: skip
VERBS = {"init", "command", "create", "delete", "start", "stop", "status", "proxy", "daemon"}
SEMVER = r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"


def problems(found: dict[str, Any]) -> list[str]:
    """What DevPod's parser would refuse in a manifest, or drop without a word."""
    wrong = [f"unknown key {key}" for key in set(found) - TOP]
    forms = {"name": r"[a-z0-9-]{1,32}", "version": SEMVER}
    wrong += [key for key, form in forms.items() if not re.fullmatch(form, found[key])]
    for name, option in found["options"].items():
        wrong += [f"{name}: {problem}" for problem in (*option_problems(name, option), *default_problems(option))]
    for group in found["optionGroups"]:
        if not group["name"] or not isinstance(group["defaultVisible"], bool):
            wrong.append(f"group {group}")
        wrong += [f"group {group['name']}: {name}?" for name in group["options"] if name not in found["options"]]
    return wrong + agent_problems(found["agent"]) + exec_problems(set(found["exec"]))


def agent_problems(agent: dict[str, Any]) -> list[str]:
    wrong = [f"unknown agent key {key}" for key in set(agent) - AGENT]
    if agent["driver"] not in ("docker", "kubernetes", "custom"):
        wrong.append("driver")
    if agent["driver"] == "custom":
        entries = set(agent["custom"]) - {"getDevContainerLogs", "canReprovision"}
        wrong += [f"agent.custom.{entry} is required" for entry in DRIVER if not agent["custom"].get(entry)]
        wrong += [f"unknown driver entry {key}" for key in entries - DRIVER]
    return wrong


def exec_problems(verbs: set[str]) -> list[str]:
    wrong = [f"unknown exec entry {key}" for key in verbs - VERBS]
    if "command" not in verbs:
        wrong.append("exec.command is required")
    if ("create" in verbs) is not ("delete" in verbs):
        wrong.append("create and delete go together")
    if ("start" in verbs) is not ("stop" in verbs) or ("start" in verbs and not {"status", "create"} <= verbs):
        wrong.append("start, stop, status and create go together")
    return wrong


def option_problems(name: str, option: dict[str, Any]) -> list[str]:
    # YAML would make numbers and booleans of them, which DevPod's strings do not take.
    texts = [option.get(key) for key in ("description", "default", "command", "validationPattern", "validationMessage")]
    texts += [*option.get("enum", []), *option.get("suggestions", [])]
    rules = {
        "name": re.fullmatch(r"[A-Z0-9_]+", name) is not None,
        "type": option.get("type", "string") in TYPES,
        "default and command": not {"default", "command"} <= set(option),
        "cache without command": "command" in option or "cache" not in option,
        "global with cache or mutable": not option.get("global") or not {"cache", "mutable"} & set(option),
        "an enum of one is taken as the value": len(option.get("enum", [])) != 1,
        "no text": all(isinstance(text, str) for text in texts if text is not None),
        "unknown key": set(option) <= OPTION,
    }
    return [problem for problem, kept in rules.items() if not kept]


def default_problems(option: dict[str, Any]) -> list[str]:
    if "default" not in option:
        return []
    default, kind = option["default"], option.get("type")
    rules = {
        "default is no choice": default in option.get("enum", [default]),
        "default does not match": re.search(option.get("validationPattern", ""), default) is not None,
        "DevPod's numbers are whole": kind != "number" or re.fullmatch(r"-?[0-9]+", default) is not None,
        "no boolean": kind != "boolean" or default in ("true", "false"),
    }
    return [problem for problem, kept in rules.items() if not kept]


@pytest.mark.parametrize("mode", MODES)
def test_devpods_rules(mode: Mode) -> None:
    assert problems(yaml.safe_load(render(mode))) == []


def test_the_rules_are_rules() -> None:
    """A check that finds nothing must be able to find something."""
    found = manifest("devcontainer")
    found["name"] = "Azure Container Instances"
    found["version"] = "1"
    found["options"]["lower"] = {"default": "a", "command": "b", "type": "float", "enum": ["a"]}
    del found["agent"]["custom"]["runDevContainer"]
    del found["exec"]["command"]
    assert len(problems(found)) == 8


@pytest.mark.parametrize("mode", MODES)
def test_the_text_is_the_tree(mode: Mode) -> None:
    assert yaml.safe_load(render(mode)) == manifest(mode)


@pytest.mark.parametrize("name", [*FILES.values(), "docs/options.md"])
def test_the_committed_files_are_the_rendering(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == generated()[name], "run `make manifests`"


def test_rendering_writes_them_all(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "adapters.devpod.render", str(tmp_path)], check=True, cwd=ROOT, timeout=60)
    for name, text in generated().items():
        assert (tmp_path / name).read_bytes() == text.encode()


@pytest.mark.parametrize("mode", MODES)
def test_every_option_is_shown_once(mode: Mode) -> None:
    found = manifest(mode)
    shown = [name for group in found["optionGroups"] for name in group["options"]]
    assert sorted(shown) == sorted(found["options"]) == sorted(option.name for option in in_manifest(mode))
    assert not any(option.environment_only for option in in_manifest(mode))


def test_the_two_differ_where_the_modes_do() -> None:
    devcontainer, machine = manifest("devcontainer"), manifest("machine")
    assert devcontainer["name"] != machine["name"]
    assert "create" not in devcontainer["exec"]
    assert devcontainer["agent"]["local"] is True
    assert devcontainer["exec"]["command"] == '"${DEVPOD}" helper sh -c "${COMMAND}"'
    assert {"create", "delete", "start", "stop", "status"} <= set(machine["exec"])
    assert machine["options"]["INACTIVITY_TIMEOUT"]["default"] == "30m"
    assert "WORKSPACE_IMAGE" not in devcontainer["options"]


@pytest.mark.parametrize("mode", MODES)
def test_every_variable_in_the_agents_part_is_an_option(mode: Mode) -> None:
    """DevPod leaves ``${NAME}`` as it stands when there is no such option."""
    found = manifest(mode)
    for key, value in found["agent"].items():
        if isinstance(value, str):
            assert set(re.findall(r"\$\{(\w+)}", value)) <= set(found["options"]), key
            assert all("default" in found["options"][name] for name in re.findall(r"\$\{(\w+)}", value)), key


@pytest.mark.parametrize("mode", MODES)
def test_another_program(mode: Mode) -> None:
    assert manifest(mode, "/opt/x/aci")["exec"]["init"] == "/opt/x/aci init"
    assert shlex.split(manifest(mode, "/Users/a b/it's")["exec"]["init"]) == ["/Users/a b/it's", "init"]
    assert render(mode, "/opt/x/aci", "1.2.3-rc.1").count("\nversion: v1.2.3-rc.1\n") == 1


def test_the_version_is_the_projects() -> None:
    assert f'version = "{installed_version()}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", [option for option in TABLE if option.pattern], ids=lambda option: option.name)
def test_devpod_and_we_agree_on_patterns(option: Any) -> None:
    """Same text, same verdict: DevPod searches with anchors, we match the whole."""
    for text in ("", "x", "10", "true", "a.b", "https://a.b", "/a/b", SUBSCRIPTION, "a\n", "\n", "a" * 300):
        theirs = re.search(anchored(option).removesuffix("$") + r"\Z", text) is not None
        environ = {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION, option.name: text}
        if text and not theirs:
            with pytest.raises(OptionError, match=option.name):
                parse(environ, None)


DEVPOD = shutil.which("devpod") or shutil.which("devpod", path="/opt/devpod")


@pytest.mark.skipif(DEVPOD is None, reason="no devpod here")
@pytest.mark.parametrize("mode", MODES)
def test_devpod_itself_takes_them(mode: Mode, tmp_path: Path) -> None:
    assert DEVPOD is not None
    program = tmp_path / "aci"
    program.write_text('#!/bin/sh\nprintf "%s %s\\n" "$*" "$AZURE_RESOURCE_GROUP" >>"$0.log"\n', encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "manifest.yaml").write_text(render(mode, str(program)), encoding="utf-8")
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}

    def devpod(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [DEVPOD, "provider", *words], env=environ, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    done = devpod("add", str(tmp_path / "manifest.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "aci.log").read_text(encoding="utf-8") == "init devpod-aci-rg\n"
    name = manifest(mode)["name"]
    for value, status in (
        ("ACI_CPU_CORES=1.5", 0),
        ("ACI_CPU_CORES=", 0),
        ("ACI_DNS_LABEL=x", 1),
        ("ACI_CPU_CORES=two", 1),
    ):
        done = devpod("set-options", name, "-o", value)
        assert (done.returncode != 0) == bool(status), value
        if status:
            assert BY_NAME[value.partition("=")[0]].expected in done.stdout + done.stderr


def test_importing_is_cheap() -> None:
    code = "import sys, adapters.devpod; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"yaml", "click", "azure", "importlib_metadata", "tomllib", "eventlog", "dataclasses"}
