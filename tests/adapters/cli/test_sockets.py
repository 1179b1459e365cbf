"""The holders' folder is the user's alone and its path short, or it is not used."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import SimpleNamespace

import pytest

from adapters.cli import sockets
from adapters.cli.compose import session
from adapters.cli.sockets import NAME, holder_socket, runtime_folder, spawn_holder, stop_holders
from adapters.tunnel import CommandSpec, run_through_holder
from statemachine.errors import TunnelError
from statemachine.fold import Workspace
from tests.waiting import until


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder with a short path, and a home of its own beside it."""
    folder = Path(mkdtemp(prefix="dpaci-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("HOME", str(folder / "home"))
    yield folder
    rmtree(folder)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_made_private(base: Path) -> None:
    folder = runtime_folder()
    assert folder == base / "devpod-provider-aci"
    assert mode(folder) == 0o700


def test_a_folder_that_others_may_enter_is_not_used(base: Path) -> None:
    (base / "devpod-provider-aci").mkdir()
    (base / "devpod-provider-aci").chmod(0o755)
    folder = runtime_folder()
    assert folder is not None
    assert folder != base / "devpod-provider-aci"
    assert mode(folder) == 0o700


def test_a_link_in_its_place_is_not_used(base: Path) -> None:
    (base / "elsewhere").mkdir(mode=0o700)
    (base / "devpod-provider-aci").symlink_to(base / "elsewhere")
    folder = runtime_folder()
    assert folder is not None
    assert base not in folder.parents


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a folder to somebody else takes root")
def test_a_folder_that_somebody_else_can_move_away_is_not_used(base: Path) -> None:
    """As after `su`, which leaves the variables of the user before: theirs is the folder that ours would be in."""
    (base / "home").mkdir()
    (base / "home" / ".cache").mkdir()
    os.chown(base / "home", 65534, 65534)
    os.chown(base, 65534, 65534)
    folder = runtime_folder()
    assert folder is not None
    assert base not in folder.parents
    assert not (base / "devpod-provider-aci").exists()
    assert not (base / "home" / ".cache" / "devpod-provider-aci").exists()


def test_a_folder_that_everybody_can_move_away_is_not_used(base: Path) -> None:
    base.chmod(0o777)
    folder = runtime_folder()
    assert folder is not None
    assert base not in folder.parents
    base.chmod(0o1777)
    assert runtime_folder() == base / "devpod-provider-aci"


def test_a_runtime_folder_that_is_not_there_is_not_made(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base / "gone"))
    assert runtime_folder() is not None
    assert not (base / "gone").exists()


def test_a_runtime_folder_that_cannot_be_looked_at_is_not_used(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base / ("n" * 300)))
    assert runtime_folder() is not None
    stop_holders(session(MINE))


def test_a_path_too_long_for_a_socket_is_not_used(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = base / ("x" * 60)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    folder = runtime_folder()
    assert folder is not None
    assert long not in folder.parents
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(folder / ("n" * NAME)))
    (folder / ("n" * NAME)).unlink()


@pytest.mark.parametrize("scarce", [{"f_bavail": 0}, {"f_favail": 2}])
def test_a_folder_without_room_is_not_used(base: Path, monkeypatch: pytest.MonkeyPatch, scarce: dict[str, int]) -> None:
    roomy = {"f_blocks": 100, "f_bavail": 100, "f_files": 100, "f_favail": 100}
    full = base / "devpod-provider-aci"
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(**(roomy | scarce if folder == full else roomy)))
    folder = runtime_folder()
    assert folder is not None
    assert folder != full


def test_a_folder_without_limits_has_room(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = SimpleNamespace(f_blocks=0, f_bavail=0, f_files=0, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda _: endless)
    assert runtime_folder() == base / "devpod-provider-aci"


def test_where_no_place_serves_there_is_no_holder(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_places", lambda: iter([base / ("x" * 100), base / "file" / "below"]))
    (base / "file").write_text("")
    assert runtime_folder() is None


def test_a_holder_that_cannot_start_says_why(base: Path) -> None:
    session = SimpleNamespace(environ={**os.environ, "PYTHONPATH": "", "PYTHONSAFEPATH": "1", "PYTHONHOME": "/nowhere"})
    path = base / "holder.sock"
    with pytest.raises(TunnelError, match="ended at its start"):
        run_through_holder(
            CommandSpec(command="true"),
            path,
            spawn=lambda: spawn_holder(session, path),  # type: ignore[arg-type]  # it needs the environment only
            stdin=0,
            stdout=1,
            stderr=2,
        )
    assert mode(path.with_suffix(".err")) == 0o600


@pytest.mark.parametrize("ending", ["killed", "failed"])
def test_a_holder_that_was_killed_at_its_start_may_be_followed_by_another(base: Path, ending: str) -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)" if ending == "killed" else "raise SystemExit(3)"
    (base / "sitecustomize.py").write_text(program)
    session = SimpleNamespace(environ={**os.environ, "PYTHONPATH": str(base)})
    ended = spawn_holder(session, base / "holder.sock")  # type: ignore[arg-type]  # it needs the environment only
    until(lambda: ended() is not None)
    assert bool(ended()) is (ending == "failed")


def test_a_holder_is_not_told_what_it_has_no_use_for(base: Path) -> None:
    (base / "sitecustomize.py").write_text(
        f"import json, os; open({str(base / 'told')!r}, 'w').write(json.dumps(dict(os.environ))); raise SystemExit(3)"
    )
    registry = {"ACR_SERVER": "r.example", "ACR_AUTH_MODE": "UsernamePassword", "ACR_USERNAME": "ada"}
    secrets = {"ACR_PASSWORD": "s3cret", "COMMAND": "s3cret", "DEVPOD_AGENT_URL": "https://m.example/?sig=s3cret"}
    environ = {**os.environ, **registry, **secrets, "AZURE_TENANT_ID": "contoso.example", "PYTHONPATH": str(base)}
    ended = spawn_holder(SimpleNamespace(environ=environ), base / "holder.sock")  # type: ignore[arg-type]  # as above
    until(lambda: ended() is not None)
    told = json.loads((base / "told").read_text())
    assert told["AZURE_TENANT_ID"] == "contoso.example"
    assert "s3cret" not in str(told)
    assert not registry.keys() & told.keys(), "a registry without its password would be an option that is missing"


MINE = {
    "AZURE_SUBSCRIPTION_ID": "00000000-0000-4000-8000-000000000001",
    "AZURE_RESOURCE_GROUP": "mine",
    "AZURE_REGION": "westeurope",
    "MACHINE_ID": "one",
    "AZURE_TENANT_ID": "00000000-0000-4000-8000-000000000002",
    "AZURE_CLIENT_ID": "00000000-0000-4000-8000-000000000003",
    "AZURE_CLIENT_SECRET": "secret",
}
STARTED = datetime(2026, 11, 23, tzinfo=UTC)


def place(started: datetime | None = STARTED, **changes: str) -> Path | None:
    return holder_socket(session({**MINE, **changes}), Workspace(subject="one", started=started))


@pytest.mark.usefixtures("base")
@pytest.mark.parametrize(
    "change",
    [
        {"AZURE_SUBSCRIPTION_ID": "00000000-0000-4000-8000-000000000009"},
        {"AZURE_RESOURCE_GROUP": "other"},
        {"AZURE_RESOURCE_MANAGER_URL": "https://management.usgovcloudapi.net"},
        {"MACHINE_ID": "two"},
        {"MACHINE_CONTEXT": "other"},
        {"MACHINE_ID": "", "DEVCONTAINER_ID": "one"},
        {"AZURE_CLIENT_ID": "00000000-0000-4000-8000-000000000009"},
        {"AZURE_TENANT_ID": "00000000-0000-4000-8000-000000000009"},
        {"AZURE_CLIENT_ID": "", "AZURE_CLIENT_SECRET": "", "AZURE_AUTH_MODE": "cli"},
        {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us"},
        {"AZURE_CONFIG_DIR": "/home/ada/.azure-of-a-customer"},
        {"IDENTITY_ENDPOINT": "http://localhost:50342/oauth2/token"},
    ],
)
def test_no_holder_serves_what_is_not_its_own(change: dict[str, str]) -> None:
    assert place() is not None
    assert place() == place()
    assert place(**change) != place()


@pytest.mark.usefixtures("base")
def test_a_container_that_was_started_anew_has_another_holder() -> None:
    assert place() != place(started=STARTED.replace(hour=1))
    assert place() != place(started=None)


@pytest.mark.usefixtures("base")
def test_the_secret_and_the_region_make_no_difference() -> None:
    assert place(AZURE_CLIENT_SECRET="renewed", AZURE_REGION="eastus", ACI_CPU_CORES="8") == place()
