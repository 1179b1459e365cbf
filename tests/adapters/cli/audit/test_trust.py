"""The verbs that let somebody else check the log: key, seal, and verify with what was given out."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from tests.adapters.cli.calling import Call
from tests.eventlog.lives import live, quick
from tests.eventlog.rewriting import rehash

ROOT = Path(__file__).parents[4]
RING = '''
import json, os
from pathlib import Path
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

class Ring(KeyringBackend):
    """A keyring as the keyring library wants them, in a file that the test can look into."""

    priority = 5
    file = Path(os.environ["RING_FILE"])

    def _read(self):
        if os.environ.get("RING_LOCKED"):
            raise KeyringLocked("the person at the screen said no")
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def get_password(self, service, username):
        return self._read().get(f"{service}/{username}")

    def set_password(self, service, username, password):
        self.file.write_text(json.dumps({**self._read(), f"{service}/{username}": password}))

class Weak(Ring):
    """One that keeps passwords as text, as its priority tells."""

    priority = 0.5
'''


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log with a few events."""
    path = tmp_path / "state" / "events.jsonl"
    monkeypatch.setenv("ACI_EVENT_LOG", str(path))
    live(quick(path), 5)
    return path


@pytest.fixture
def public(log: Path, tmp_path: Path, call: Call) -> Path:
    """What an auditor was given before anything was sealed."""
    file = tmp_path / "auditor" / "key.pem"
    file.parent.mkdir()
    assert call("audit", "key", "-o", str(file))[0] == 0
    return file


def test_the_key_is_shown_or_written_and_stays_the_same(log: Path, public: Path, call: Call) -> None:
    status, out, err = call("audit", "key")
    assert (status, out, err) == (0, public.read_text(), "")
    first, *pem = out.splitlines()
    assert re.fullmatch(r"devpod-provider-aci event log key [0-9a-f]{16} sealed 0 0{64}", first)
    assert (pem[0], pem[-1]) == ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----")
    assert "PRIVATE" not in out


def test_the_private_key_is_its_owners_whatever_the_umask(tmp_path: Path, log: Path, call: Call) -> None:
    before = os.umask(0)
    try:
        assert call("audit", "key")[0] == 0
    finally:
        os.umask(before)
    folder = log.with_name("events.jsonl.d") / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = (folder / "ed25519").read_bytes()
    assert len(secret) == 32
    for file in tmp_path.rglob("*"):
        if file.is_file() and file != folder / "ed25519":
            assert secret not in file.read_bytes()
            assert secret.hex().encode() not in file.read_bytes()


def test_sealing_and_checking(log: Path, public: Path, call: Call, tmp_path: Path) -> None:
    key = public.read_text().split()[4]
    assert call("audit", "seal") == (0, f"5 events sealed with key {key}\n", "")
    assert len(json.loads(log.read_bytes().splitlines()[-1])["correlation"]) == len(str(UUID(int=0)))
    assert call("audit", "seal") == (0, f"6 events sealed with key {key}\n", "")
    live(quick(log), 3, start=5)
    newer = tmp_path / "newer.pem"
    call("audit", "key", "-o", str(newer))
    assert f" sealed 6 {json.loads(log.read_bytes().splitlines()[5])['hash']}\n" in newer.read_text()
    for file in (public, newer):
        status, out, err = call("verify", "--public-key", str(file))
        assert (status, err) == (0, "")
        assert out.splitlines()[0].startswith(f"{log}: 10 events, chain whole, head ")
        assert out.splitlines()[1] == "sealed up to event 6; 4 unsealed events at the end"
    assert call("verify")[1].splitlines()[0].startswith(f"{log}: 10 events, chain whole")


@pytest.mark.parametrize("at", range(9))
def test_whatever_is_written_anew_before_a_seal_is_found(log: Path, public: Path, call: Call, at: int) -> None:
    call("audit", "seal")
    live(quick(log), 3, start=5)
    call("audit", "seal")
    lines = log.read_bytes().splitlines(keepends=True)
    lines[at] = lines[at].replace(b'"time":"2', b'"time":"1')
    log.write_bytes(rehash(lines, at))
    status, _, err = call("verify")
    assert (status, "event 9 had been sealed, as events.jsonl.d/keys/sealed says" in err) == (86, True)
    (log.with_name("events.jsonl.d") / "keys" / "sealed").unlink()
    assert call("verify")[0] == 0
    status, out, err = call("verify", "--public-key", str(public))
    assert (status, out, len(err.splitlines())) == (86, "", 1)
    assert f"line {6 if at < 5 else 10} of {log} " in err
    assert "Restore the file from a copy" in err


def test_an_unfinished_line_is_no_damage_but_where_it_is_what_a_cut_left(log: Path, public: Path, call: Call) -> None:
    call("audit", "seal")
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"half')
    for more in ([], ["--public-key", str(public)]):
        status, out, err = call("verify", *more)
        assert (status, out.startswith(f"{log}: 6 events, chain whole, head ")) == (0, True)
        assert err == f"warning: line 7 of {log} is unfinished (6 bytes); the next append sets it aside\n"
    log.write_bytes(whole[: len(whole) // 2])
    for verb in (["verify"], ["verify", "--public-key", str(public)]):
        status, out, err = call(*verb)
        assert (status, out, len(err.splitlines())) == (86, "", 1)
        assert "event 5 had been sealed, as events.jsonl.d/keys/sealed says" in err
        assert "Restore the file from a copy" in err


def test_what_was_cut_off_behind_a_seal_that_was_given_out(log: Path, call: Call, tmp_path: Path) -> None:
    call("audit", "seal")
    newer = tmp_path / "newer.pem"
    call("audit", "key", "-o", str(newer))
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:4]))
    status, _, err = call("verify")
    assert (status, len(err.splitlines())) == (86, 1)
    assert "event 5 had been sealed, as events.jsonl.d/keys/sealed says; was that on purpose, `audit seal`" in err
    shutil.copytree(log.parent, tmp_path / "on purpose")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACI_EVENT_LOG", str(tmp_path / "on purpose" / log.name))
        assert call("audit", "seal")[0] == call("verify")[0] == 0
    (log.with_name("events.jsonl.d") / "keys" / "sealed").unlink()
    assert call("verify")[0] == 0
    status, _, err = call("verify", "--public-key", str(newer))
    assert status == 86
    assert "is missing, or another one than it was: event 5 had been sealed" in err


def test_a_wrong_key_and_a_newer_one_do_not_pass(log: Path, public: Path, call: Call, tmp_path: Path) -> None:
    call("audit", "seal")
    keys = log.with_name("events.jsonl.d") / "keys"
    shutil.rmtree(keys)
    newer = tmp_path / "newer.pem"
    call("audit", "key", "-o", str(newer))
    assert call("audit", "seal")[0] == 0
    for given, line in (((public,), 7), ((newer,), 6)):
        status, _, err = call("verify", *(word for file in given for word in ("--public-key", str(file))))
        assert status == 86
        assert f"line {line} of" in err
        assert "which is not one of those given" in err
    both = ("--public-key", str(public), "--public-key", str(newer))
    assert call("verify", *both)[0] == 0


def test_a_lost_key_is_not_replaced_unasked(log: Path, public: Path, call: Call) -> None:
    call("audit", "seal")
    (log.with_name("events.jsonl.d") / "keys" / "ed25519").unlink()
    for verb in ("key", "seal"):
        status, out, err = call("audit", verb)
        assert (status, out) == (85, "")
        assert "was sealed with a key that is not there any more. Bring the key back" in err
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no public key"),
        (b"\xff\xfe", "no public key"),
        (b"-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n", "no public key"),
        (b"devpod-provider-aci event log key x sealed many 0\n", "no public key"),
    ],
)
def test_what_is_no_public_key_is_one_line(log: Path, call: Call, tmp_path: Path, data: bytes, words: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    status, out, err = call("verify", "--public-key", str(file))
    assert (status, out, len(err.splitlines())) == (85, "", 1)
    assert words in err
    assert str(file) in err
    assert "Give the file that `audit key` wrote" in err


def test_keys_of_another_kind_and_private_ones_are_refused(log: Path, call: Call, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    file = tmp_path / "file.pem"
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    file.write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert "of another kind than Ed25519" in call("verify", "--public-key", str(file))[2]
    own = ed25519.Ed25519PrivateKey.generate()
    file.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    status, _, err = call("verify", "--public-key", str(file))
    assert (status, len(err.splitlines())) == (85, 1)


def test_where_the_key_cannot_go(log: Path, call: Call, tmp_path: Path) -> None:
    status, out, err = call("audit", "key", "-o", str(tmp_path / "no" / "folder"))
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "cannot be written: No such" in err
    assert call("verify", "--public-key", str(tmp_path / "none"))[0] == 2


def test_a_damaged_key_is_one_line(log: Path, public: Path, call: Call) -> None:
    (log.with_name("events.jsonl.d") / "keys" / "ed25519").write_bytes(b"short")
    for verb in ("key", "seal"):
        status, _, err = call("audit", verb)
        assert (status, len(err.splitlines())) == (85, 1)
        assert "is not one of this program" in err


def in_a_process(log: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "ACI_EVENT_LOG": str(log), **variables}
    environ.pop("ACI_EVENT_LOG_KEY", None)
    command = [sys.executable, "-m", "adapters.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture
def ring(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """The variables with which the keyring library takes a keyring of the test's own."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "ring.py").write_text(RING)

    def variables(name: str = "Ring", **more: str) -> dict[str, str]:
        return {
            "PYTHONPATH": f"{tmp_path / 'modules'}",
            "PYTHON_KEYRING_BACKEND": f"ring.{name}",
            "RING_FILE": str(tmp_path / "ring.json"),
        } | more

    return variables


def test_a_keyring_has_the_key_where_there_is_one(
    log: Path, ring: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    file = tmp_path / "key.pem"
    assert in_a_process(log, "audit", "key", "-o", str(file), **ring()).stderr == ""
    ((account, secret),) = json.loads((tmp_path / "ring.json").read_text()).items()
    assert account.startswith("devpod-provider-aci/event log ")
    assert not (log.with_name("events.jsonl.d") / "keys" / "ed25519").exists()
    sealed = in_a_process(log, "audit", "seal", **ring())
    assert sealed.stdout.startswith("5 events sealed with key ")
    assert in_a_process(log, "verify", "--public-key", str(file), **ring()).returncode == 0
    for found in tmp_path.rglob("*"):
        if found.is_file() and found.name != "ring.json":
            assert bytes.fromhex(secret) not in found.read_bytes()
            assert secret.encode() not in found.read_bytes()
    # Another log has another key.
    other = tmp_path / "other.jsonl"
    assert in_a_process(other, "audit", "key", **ring()).stdout.splitlines()[1:] != file.read_text().splitlines()[1:]
    # Without the keyring the key is not there, and none is made in its place.
    lost = in_a_process(log, "audit", "seal", **ring() | {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"})
    assert (lost.returncode, len(lost.stderr.splitlines())) == (85, 1)
    assert "a key that is not there any more" in lost.stderr


@pytest.mark.parametrize("name", ["Weak", "none"])
def test_a_keyring_that_keeps_no_secrets_is_not_used(
    log: Path, ring: Callable[..., dict[str, str]], tmp_path: Path, name: str
) -> None:
    variables = ring() | {"PYTHON_KEYRING_BACKEND": "ring.Weak" if name == "Weak" else "keyring.backends.null.Keyring"}
    assert in_a_process(log, "audit", "key", **variables).returncode == 0
    assert (log.with_name("events.jsonl.d") / "keys" / "ed25519").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "ring.json").exists()


def test_a_locked_keyring_is_one_line(log: Path, ring: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    for verb in ("key", "seal"):
        done = in_a_process(log, "audit", verb, **ring(RING_LOCKED="1"))
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (85, "", 1)
        assert "the keyring of this system cannot be used: the person at the screen said no" in done.stderr
        assert "ACI_EVENT_LOG_KEY=file" in done.stderr
    (tmp_path / "ring.json").write_text("{}")
    in_a_process(log, "audit", "key", **ring())
    (account,) = json.loads((tmp_path / "ring.json").read_text())
    (tmp_path / "ring.json").write_text(json.dumps({account: "not hexadecimal"}))
    done = in_a_process(log, "audit", "seal", **ring())
    assert (done.returncode, len(done.stderr.splitlines())) == (85, 1)
    assert "the key in the keyring of this system is not one of this program" in done.stderr


@pytest.mark.parametrize("backend", ["ring.Broken", "ring.Missing", "no_such_module.Ring"])
def test_a_keyring_that_breaks_is_one_line(
    log: Path, ring: Callable[..., dict[str, str]], backend: str, tmp_path: Path
) -> None:
    """What is behind the library raises what it likes."""
    with (tmp_path / "modules" / "ring.py").open("a") as file:
        file.write(
            "\nclass Broken(Ring):\n    def get_password(self, service, username):\n        raise OSError('no bus')\n"
        )
    for verb in ("key", "seal"):
        done = in_a_process(log, "audit", verb, **ring() | {"PYTHON_KEYRING_BACKEND": backend})
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (85, "", 1), done.stderr
        assert "the keyring of this system cannot be used: " in done.stderr
        assert "ACI_EVENT_LOG_KEY=file" in done.stderr


def test_a_locked_keyring_does_not_keep_events_out_of_the_log(
    log: Path, ring: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    in_a_process(log, "audit", "key", **ring())
    code = f"""
from pathlib import Path
from eventlog import Actor, EventLog, log
from eventlog.sealing import checkpoint
from statemachine.events import CommandClosed
checkpoint.EVERY = log.LOOK_EVERY = 1
found = EventLog(Path({str(log)!r}), actor=lambda: Actor("a", "b"), correlation="c")
print(*[found.append("ws", CommandClosed(command="x")).seq for _ in range(5)])
"""
    environ = {**os.environ, **ring(RING_LOCKED="1")}
    environ.pop("ACI_EVENT_LOG_KEY", None)
    environ["PYTHONPATH"] += f":{ROOT}"
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["6", "7", "8", "9", "10"], done.stderr
    assert "could not be sealed: the keyring of this system cannot be used" in done.stderr


def test_no_key_is_ever_in_an_argument_or_in_another_process(log: Path, tmp_path: Path) -> None:
    for verb in (["audit", "key"], ["audit", "seal"], ["audit", "expire"], ["audit", "archive"], ["verify"]):
        done = in_a_process(log, *verb, "--help")
        options = re.findall(r"--[a-z-]+", done.stdout)
        assert [option for option in options if re.search("key|secret|seed|pass", option)] in ([], ["--public-key"])
    code = """
import sys

def watch(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty", "os.putenv"):
        raise SystemExit(f"{event} {arguments}")

from adapters.cli.main import run

sys.addaudithook(watch)
for verb in ("key", "seal"):
    assert run(["audit", verb]) == 0
"""
    environ = {**os.environ, "ACI_EVENT_LOG": str(log)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
