"""The holders' folder is the user's alone, or it is not used."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.cli.sockets import runtime_folder, spawn_holder
from adapters.tunnel import CommandSpec, run_through_holder
from statemachine.errors import TunnelError


def test_the_folder_is_made_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert stat.S_IMODE(runtime_folder().stat().st_mode) == 0o700


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    runtime_folder().chmod(0o755)
    with pytest.raises(TunnelError, match="not private"):
        runtime_folder()


def test_a_link_in_its_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "devpod-provider-aci").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TunnelError):
        runtime_folder()


def test_a_holder_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    session = SimpleNamespace(environ={**os.environ, "PYTHONPATH": "", "PYTHONSAFEPATH": "1", "PYTHONHOME": "/nowhere"})
    socket = runtime_folder() / "holder.sock"
    with pytest.raises(TunnelError, match="ended at its start"):
        run_through_holder(
            CommandSpec(command="true"),
            socket,
            spawn=lambda: spawn_holder(session, socket),  # type: ignore[arg-type]  # it needs the environment only
            stdin=0,
            stdout=1,
            stderr=2,
        )
    assert stat.S_IMODE(socket.with_suffix(".err").stat().st_mode) == 0o600
