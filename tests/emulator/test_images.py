"""Images with files of their own: a folder or a tarball, what can be written there, and what can be executed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from emulator.containers.rootfs import RootfsError, root_folder
from tests import rootfs
from tests.emulator.clients import Azure, container

IDLE = ["/bin/sh", "-c", "while :; do sleep 1; done"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A few files."""
    root = tmp_path / "tree"
    for name in ("bin", "dev", "etc"):
        (root / name).mkdir(parents=True)
    (root / "bin" / "tool").write_text("#!/bin/sh\n")
    (root / "bin" / "tool").chmod(0o4755)
    (root / "bin" / "link").symlink_to("tool")
    (root / "dev" / "leftover").write_text("not for a container")
    return root


def packed(tree: Path, name: str, *options: str, prefix: str = ".") -> Path:
    made = tree.parent / name
    subprocess.run(["tar", "-c", "-f", made, *options, "-C", tree, prefix], check=True)
    return made


def test_a_folder_is_taken_as_it_is(tree: Path, tmp_path: Path) -> None:
    assert root_folder(str(tree), tmp_path / "cache") == str(tree)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("options", [(), ("-z",), ("-J",)])
def test_a_tarball_is_unpacked_once(tree: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    tarball = packed(tree, "image.tar", *options)
    made = Path(root_folder(str(tarball), tmp_path / "cache"))
    assert (made / "bin" / "tool").stat().st_mode & 0o7777 == 0o4755
    assert (made / "bin" / "link").readlink() == Path("tool")
    assert not (made / "dev" / "leftover").exists()
    (made / "mark").touch()
    assert root_folder(str(tarball), tmp_path / "cache") == str(made)
    assert (made / "mark").exists()
    tarball.unlink()
    again = packed(tree, "image.tar", "--transform=s,bin,sbin,")
    assert (Path(root_folder(str(again), tmp_path / "cache")) / "sbin" / "tool").exists()


def test_what_is_no_root_file_system_is_named(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(RootfsError, match="neither a folder nor a tarball"):
        root_folder(str(tmp_path / "nothing"), tmp_path / "cache")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(RootfsError, match="text cannot be unpacked"):
        root_folder(str(tmp_path / "text"), tmp_path / "cache")
    (tree / "manifest.json").write_text("[]")
    with pytest.raises(RootfsError, match="docker export"):
        root_folder(str(packed(tree, "saved.tar")), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


WRITES = "for d in / /tmp /dev /dev/shm /run; do (echo : >$d/x) 2>/dev/null && echo W$((1))$d; done; echo E''ND\n"
EXECUTES = (
    "for d in /tmp /dev /dev/shm; do (echo : >$d/x && chmod 700 $d/x && $d/x) 2>/dev/null && echo X$((1))$d; done; "
    "echo E''ND\n"
)


@pytest.mark.parametrize(
    ("options", "written", "executed"),
    [
        ({}, {"/", "/tmp", "/dev", "/dev/shm", "/run"}, {"/tmp", "/dev", "/dev/shm"}),
        ({"read_only": True, "writable": ["/tmp"]}, {"/tmp"}, {"/tmp"}),
        ({"read_only": True, "writable": ["/dev/shm"]}, {"/dev/shm"}, {"/dev/shm"}),
        ({"read_only": True, "writable": ["/run"], "noexec": ["/dev"]}, {"/run"}, set()),
        ({"noexec": ["/tmp", "/dev/shm"]}, {"/", "/tmp", "/dev", "/dev/shm", "/run"}, {"/dev"}),
    ],
)
def test_what_can_be_written_and_executed(start, options, written, executed, shared: Azure) -> None:
    if shared.emulator.control.health()["isolation"] != "namespaces":
        pytest.skip("namespaces do not work here")
    azure: Azure = start(images=[{"name": "odd", **options}])
    shell = azure.shell(azure.group(container(image="odd", command=IDLE)))
    shell.raw()
    for text, mark, wanted in ((WRITES, "W1", written), (EXECUTES, "X1", executed)):
        shell.send(text.encode())
        assert set(re.findall(mark + r"(\S+)", shell.until(b"END").decode())) == wanted


def test_a_tarball_as_an_image(start, shared: Azure, tmp_path: Path) -> None:
    if shared.emulator.control.health()["isolation"] != "namespaces":
        pytest.skip("namespaces do not work here")
    root = tmp_path / "root"
    rootfs.add_busybox(root, ("sh", "ls", "sleep", "stty"))
    (root / "etc" / "of-the-tarball").touch()
    azure: Azure = start(images=[{"name": "packed", "rootfs": str(packed(root, "image.tar"))}])
    shell = azure.shell(azure.group(container(image="packed:1", command=IDLE)))
    shell.raw()
    shell.send(b"ls /etc; exit\n")
    assert b"of-the-tarball" in shell.rest()


def test_a_tarball_that_is_none_shows_in_the_events(start, shared: Azure, tmp_path: Path) -> None:
    (tmp_path / "broken.tar").write_text("hello")
    azure: Azure = start(images=[{"name": "broken", "rootfs": str(tmp_path / "broken.tar")}])
    name = azure.group(container(image="broken", command=IDLE), restartPolicy="Never")
    events = azure.aci.container_groups.get("rg", name).containers[0].instance_view.events
    assert any("broken.tar cannot be unpacked" in event.message for event in events if event.name == "Failed")
