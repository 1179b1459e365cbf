"""Containers as processes: what is private, what is lost, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from emulator.containers.runtime import Sandbox, SandboxSpec
from tests.emulator.clients import Azure, container, eventually
from tests.running import processes_with


@pytest.fixture(params=["auto", "process"])
def level(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_files_are_lost_on_stop(start, level: str):
    azure: Azure = start(isolation=level)
    name = azure.group()
    shell = azure.shell(name)
    shell.raw()
    shell.send(b"echo kept >$HOME/file; cat $HOME/file; exit\n")
    assert b"kept" in shell.rest()
    azure.aci.container_groups.stop("rg", name)
    azure.aci.container_groups.begin_start("rg", name).result()
    shell = azure.shell(name)
    shell.raw()
    shell.send(b"[ -e $HOME/file ] || echo GO''NE; exit\n")
    assert b"GONE" in shell.rest()


def test_stop_kills_everything_however_it_hides(start, level: str):
    azure: Azure = start(isolation=level)
    name = azure.group()
    mark = f"86{uuid.uuid4().int % 10**9:09d}"
    shell = azure.shell(name)
    shell.raw()
    shell.send(f"nohup setsid sh -c 'sleep {mark} & sleep {mark}' >/dev/null 2>&1 & echo OK\n".encode())
    shell.until(b"OK")
    eventually(lambda: len(processes_with(f"sleep {mark}")) >= 2)
    shell.ws.close()
    time.sleep(0.2)
    assert processes_with(f"sleep {mark}")
    azure.aci.container_groups.stop("rg", name)
    assert not processes_with(f"sleep {mark}")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_emulator_that_ends_leaves_no_process_and_no_mount(start, level: str, how: signal.Signals):
    azure: Azure = start(isolation=level)
    mark = f"87{uuid.uuid4().int % 10**9:09d}"
    name = azure.group(container(command=["/bin/sh", "-c", f"setsid sleep {mark} & sleep {mark}"]))
    shell = azure.shell(name)
    shell.raw()
    shell.send(f"sleep {mark}\n".encode())
    eventually(lambda: len(processes_with(f"sleep {mark}")) >= 3)
    state = str(azure.emulator.state)
    os.kill(azure.emulator.process.pid, how)
    azure.emulator.process.wait(20)
    eventually(lambda: not processes_with(f"sleep {mark}"))
    assert state not in Path("/proc/self/mounts").read_text()
    if how == signal.SIGTERM:
        assert azure.emulator.process.returncode == 0
        assert not (azure.emulator.state / "groups").exists()


@pytest.fixture
def isolated(shared: Azure) -> Azure:
    if shared.emulator.control.health()["isolation"] != "namespaces":
        pytest.skip("namespaces do not work here")
    return shared


def test_a_namespaced_container_has_a_root_of_its_own(isolated: Azure):
    name = isolated.group()
    mark = uuid.uuid4().hex
    shell = isolated.shell(name)
    shell.raw()
    script = (
        f"echo {mark} >/usr/local/bin/{mark}; echo x >/tmp/{mark}; ls /usr/local/bin/{mark} /tmp; "
        "echo $$; hostname; echo >/dev/null; ls /dev/shm /dev/ptmx; ps ax | wc -l; cat /proc/1/comm; exit\n"
    )
    shell.send(script.encode())
    seen = shell.rest().decode()
    assert seen.count(mark) == 2
    assert "SandboxHost-" in seen
    assert not Path("/usr/local/bin", mark).exists()
    assert not Path("/tmp", mark).exists()


def test_volumes_are_shared_by_the_group_and_gone_on_stop(isolated: Azure):
    mounts = {"volumeMounts": [{"name": "empty", "mountPath": "/data"}, {"name": "secret", "mountPath": "/secret"}]}
    volumes = [{"name": "empty", "emptyDir": {}}, {"name": "secret", "secret": {"key": "aHVzaA=="}}]
    name = isolated.group(container("one", **mounts), container("two", **mounts), volumes=volumes)

    def say(where: str, text: bytes) -> bytes:
        ticket = isolated.ticket(name, where=where)
        shell = isolated.open(ticket.web_socket_uri, ticket.password)
        shell.raw()
        shell.send(text + b"; exit\n")
        return shell.rest()

    say("one", b"echo from-one >/data/file")
    assert b"from-one" in say("two", b"cat /data/file /secret/key")
    assert b"hush" in say("two", b"cat /secret/key")
    isolated.aci.container_groups.stop("rg", name)
    isolated.aci.container_groups.begin_start("rg", name).result()
    assert b"from-one" not in say("two", b"cat /data/file")


def needs_an_interpreter(elf: bytes) -> bool:
    """Whether a 64-bit program has a PT_INTERP header: whether it is dynamic."""
    start, size, count = (struct.unpack_from(kind, elf, at)[0] for kind, at in (("<Q", 32), ("<H", 54), ("<H", 56)))
    return any(struct.unpack_from("<I", elf, start + n * size)[0] == 3 for n in range(count))


def test_an_image_of_its_own(start, isolated: Azure, tmp_path: Path):
    busybox = shutil.which("busybox")
    if busybox is None or needs_an_interpreter(Path(busybox).read_bytes()):
        pytest.skip("needs a static busybox")
    root = tmp_path / "rootfs"
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
    shutil.copy(busybox, root / "bin" / "busybox")
    (root / "bin" / "sh").symlink_to("busybox")
    image = {"name": "tiny", "rootfs": str(root), "cmd": ["/bin/sh", "-c", "while :; do sleep 1; done"],
             "read_only": True, "noexec": ["/tmp"]}  # fmt: skip
    azure: Azure = start(images=[image])
    name = azure.group(container(image="tiny:1", command=None))
    shell = azure.shell(name)
    shell.raw()
    shell.send(b"ls /; touch /x || echo RE''ADONLY; exit\n")
    seen = shell.rest()
    assert b"READONLY" in seen
    assert b"usr" not in seen


def test_the_agent_needs_nothing_but_the_standard_library():
    code = "import sys; sys.path.insert(0, '.'); import emulator.containers.agent; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("steps", [1, 1000])
def test_a_container_that_is_given_up_while_it_is_made_leaves_nothing(tmp_path: Path, steps: int):
    def children() -> list[str]:
        return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()

    async def give_up() -> None:
        before = children()
        making = asyncio.create_task(Sandbox.launch("process", SandboxSpec(tmp_path / "container", "host")))
        turns = 0
        while turns < steps:
            await asyncio.sleep(0)
            turns += children() != before
        making.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await making).close()
        assert children() == before

    asyncio.run(give_up())
