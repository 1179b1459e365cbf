"""``podman exec -i`` beside the tunnel: no network, no TLS, no terminal; what a container on this computer does."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.figures import Rows
from tools.tunnel_sides import Piped, announced, download, upload

APPLETS = ("sh", "head", "cat", "printf", "sleep")
# As podman is set up; then with the little that a machine inside a machine grants.
WAYS: tuple[tuple[str, ...], ...] = (
    (),
    ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"),
)
GLOBALS: tuple[tuple[str, ...], ...] = ((), ("--cgroup-manager", "cgroupfs"))


class NoPodmanError(Exception):
    """Why there are no figures of podman's."""


def rows(size: int, keys: int) -> Rows:
    """Its rates and echo; raises NoPodmanError with the reason when it cannot be measured here."""
    with _container() as enter:

        def session(command: str) -> Piped:
            return Piped([*enter, "sh", "-c", announced(command)], os.environ)

        times: dict[str, float] = {}
        for way, command in (("up", upload(size)), ("down", download(size))):
            side = session(command)
            times[way] = getattr(side, way)(size)
            side.close()
        side = session("exec cat")
        echo = side.echoes(keys)
        side.close()
    made: Rows = [
        (f"podman_{way}_mib_s", f"podman exec -i, {way}", size / 2**20 / s, "MiB/s") for way, s in times.items()
    ]
    made += [
        ("podman_echo_p50_ms", "podman exec -i, echo, median", statistics.median(echo), "ms"),
        ("podman_echo_p99_ms", "podman exec -i, echo, 99th percentile", statistics.quantiles(echo, n=100)[98], "ms"),
    ]
    return made


@contextmanager
def _container() -> Iterator[list[str]]:
    podman, busybox = shutil.which("podman"), shutil.which("busybox")
    if podman is None or busybox is None:
        raise NoPodmanError("podman and a static busybox are not both on PATH")
    name = f"devpod-aci-bench-{os.getpid()}"
    runtimes = [("--runtime", found) for found in map(shutil.which, ("crun", "runc")) if found]
    with tempfile.TemporaryDirectory(prefix="podman-") as folder:
        root = _root(Path(folder), busybox)
        problem = ""
        for program in ([podman, *runtime, *more] for runtime in [(), *runtimes] for more in GLOBALS):
            for way in WAYS:
                arguments = [
                    "run",
                    "-d",
                    "--name",
                    name,
                    "--network",
                    "none",
                    *way,
                    "--rootfs",
                    str(root),
                    "sleep",
                    "600",
                ]
                started = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
                try:
                    if started.returncode == 0:
                        yield [*program, "exec", "-i", name]
                        return
                finally:
                    subprocess.run([*program, "rm", "-f", "-t", "0", name], capture_output=True, check=False)
                problem = (started.stderr.strip().splitlines() or [""])[-1]
    raise NoPodmanError(f"podman starts no container here: {problem}")


def _root(folder: Path, busybox: str) -> Path:
    for name in ("bin", "proc", "dev", "sys", "tmp", "etc", "run"):
        (folder / name).mkdir()
    shutil.copy(busybox, folder / "bin" / "busybox")
    for applet in APPLETS:
        (folder / "bin" / applet).symlink_to("busybox")
    return folder
