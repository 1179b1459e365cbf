# ruff: noqa: PTH102, PTH103, PTH108, PTH114, PTH115, PTH118, PTH119, PTH120, PTH123, PTH208, PTH112, PTH211 - plain os calls: pathlib is one import more in every container's first process
"""Namespaces and mounts of a container, by ctypes.

Runs inside the agent process, before and after it becomes process 1. Only the standard library
is used, and nothing is imported late: after ``pivot_root`` the host's Python is out of sight.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# What a container gets fresh, never from the image beneath.
SPECIAL = ("proc", "sys", "dev")
OWNED_FOLDERS = (
    "usr/local/bin", "usr/local/sbin", "usr/local/lib", "usr/local/share", "usr/local/etc", "usr/bin", "usr/sbin",
    "usr/lib", "usr/share", "var/lib", "var/cache", "var/log", "var/spool", "etc/profile.d", "etc/ssh",
)  # fmt: skip
OWNED_FILES = ("etc/passwd", "etc/group", "etc/profile", "etc/environment")

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def prctl(option: int, value: int) -> None:
    """Set one option of this process, by prctl."""
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def unshare(flags: int) -> None:
    """Move this process (or its next child, for pids) into new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int = 0, data: str = "") -> None:
    """Mount something, by the system call."""
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )
    _check(result, f"mount {kind or 'bind'} on {target}")


def enter_namespaces() -> bool:
    """Unshare into namespaces of our own; returns whether a user namespace was needed.

    The pid namespace begins with the next child: fork after this.
    """
    base = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC
    uid, gid = os.geteuid(), os.getegid()
    unprivileged = uid != 0
    if not unprivileged:
        try:
            unshare(base)
        except PermissionError:  # root without CAP_SYS_ADMIN, as in most containers
            unprivileged = True
    if unprivileged:
        unshare(base | CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    return unprivileged


def build_root(spec: dict[str, Any], *, unprivileged: bool) -> None:
    """Compose the container's root file system and make it ``/``.

    Everything written lives on a tmpfs inside this mount namespace: when its last process
    dies, so does every mount and every byte.
    """
    base: str = spec["scratch"]
    lower: str = spec["rootfs"]
    mount("tmpfs", base, "tmpfs", MS_NODEV, f"mode=0755,size={spec['disk']}")
    root = f"{base}/root"
    for name in ("root", "upper", "work"):
        os.mkdir(f"{base}/{name}", 0o755)
    _overlay(lower, root, base, unprivileged=unprivileged)
    _special(root, unprivileged=unprivileged)
    for path, mode in spec["fresh"]:
        _fresh(root, path, mode)
    for path in spec["noexec"]:
        _restrict(_inside(root, path), MS_NOEXEC)
    for source, target, read_only in spec["binds"]:
        place = _inside(root, target)
        os.makedirs(place, exist_ok=True)
        mount(source, place, None, MS_BIND)
        if read_only:
            mount("none", place, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NODEV | MS_NOSUID)
    _identity(root, spec)
    os.makedirs(_inside(root, spec["workdir"]), exist_ok=True)
    if spec["read_only"]:
        mount("none", root, None, MS_BIND | MS_REMOUNT | MS_RDONLY)
    for path in spec["locked"]:
        _restrict(_inside(root, path), MS_RDONLY)
    _pivot(root)


def _overlay(lower: str, root: str, base: str, *, unprivileged: bool) -> None:
    extra = ",userxattr" if unprivileged else ""
    try:
        options = f"lowerdir={lower},upperdir={base}/upper,workdir={base}/work{extra}"
        mount("overlay", root, "overlay", 0, options)
    except OSError:
        # In a user namespace a root with mounts below it cannot be cloned (they are locked):
        # lay one overlay over each top-level directory instead.
        mount("tmpfs", root, "tmpfs", 0, "mode=0755")
        for name in sorted(os.listdir(lower)):
            _overlay_entry(name, lower, root, base, extra)
    else:
        # A bind of itself, so that it can be made read-only apart from its submounts.
        mount(root, root, None, MS_BIND)


def _overlay_entry(name: str, lower: str, root: str, base: str, extra: str) -> None:
    source, target = os.path.join(lower, name), os.path.join(root, name)
    mode = os.lstat(source).st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(source), target)
    elif stat.S_ISDIR(mode):
        os.mkdir(target, 0o755)
        if name in SPECIAL:
            return
        upper, work = f"{base}/parts/{name}/upper", f"{base}/parts/{name}/work"
        os.makedirs(upper)
        os.mkdir(work)
        _take_over(name, lower, upper)
        try:
            options = f"lowerdir={source},upperdir={upper},workdir={work}{extra}"
            mount("overlay", target, "overlay", 0, options)
        except OSError:
            return  # a folder with mounts below it stays an empty one


def _take_over(name: str, lower: str, upper: str) -> None:
    """Make the usual folders and files of an image ours.

    Their owner on the host has no number in our user namespace, so "root" could not write there.
    What lies in the upper layer is ours, and its folders are merged with those beneath.
    """
    for path in OWNED_FOLDERS:
        top, _, rest = path.partition("/")
        if top == name and rest and os.path.isdir(f"{lower}/{path}") and not os.path.islink(f"{lower}/{path}"):
            os.makedirs(f"{upper}/{rest}", exist_ok=True)
    for path in OWNED_FILES:
        top, _, rest = path.partition("/")
        if top == name:
            with contextlib.suppress(OSError), open(f"{lower}/{path}", encoding="utf-8") as file:
                _write(f"{upper}/{rest}", file.read())


def _special(root: str, *, unprivileged: bool) -> None:
    for name in SPECIAL:
        os.makedirs(f"{root}/{name}", exist_ok=True)
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    try:
        mount("/sys", f"{root}/sys", None, MS_BIND | MS_REC)
    except OSError:
        mount("tmpfs", f"{root}/sys", "tmpfs", MS_RDONLY)
    dev = f"{root}/dev"
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=0755,size=1m")
    for name in DEVICES:
        with open(f"{dev}/{name}", "wb"):
            pass
        mount(f"/dev/{name}", f"{dev}/{name}", None, MS_BIND)
    os.mkdir(f"{dev}/pts")
    os.mkdir(f"{dev}/shm")
    group = "" if unprivileged else ",gid=5"
    mount(
        "devpts",
        f"{dev}/pts",
        "devpts",
        MS_NOSUID | MS_NOEXEC,
        f"newinstance,ptmxmode=0666,mode=0620{group}",
    )
    mount("shm", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m")
    links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0"}
    links |= {"stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
    for name, target in links.items():
        os.symlink(target, f"{dev}/{name}")


def _fresh(root: str, path: str, mode: int) -> None:
    place = _inside(root, path)
    try:
        os.makedirs(place, exist_ok=True)
    except OSError:
        return
    mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode:04o}")


def _restrict(place: str, flag: int) -> None:
    """Set a flag of a mount of ours and keep those it has; nothing where nothing is mounted."""
    if not os.path.ismount(place):
        return
    # Of one mount, the numbers in statvfs are those of mount(2).
    kept = os.statvfs(place).f_flag & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("none", place, None, MS_BIND | MS_REMOUNT | kept | flag)


def _inside(root: str, path: str) -> str:
    """A path under ``root``; symbolic links are followed as if ``root`` were ``/``."""
    place = root
    pending = [part for part in path.split("/") if part not in ("", ".")][::-1]
    for _ in range(400):
        if not pending:
            break
        part = pending.pop()
        if part == "..":
            place = place if place == root else os.path.dirname(place)
            continue
        step = os.path.join(place, part)
        if os.path.islink(step):
            target = os.readlink(step)
            if target.startswith("/"):
                place = root
            pending += [p for p in target.split("/") if p not in ("", ".")][::-1]
        else:
            place = step
    return place


def _identity(root: str, spec: dict[str, Any]) -> None:
    name: str = spec["hostname"]
    _check(_libc.sethostname(name.encode(), len(name)), "sethostname")
    for path, text in spec["files"].items():
        place = os.path.join(_inside(root, os.path.dirname(path)), os.path.basename(path))
        try:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            if os.path.lexists(place):
                os.unlink(place)
            _write(place, text)
        except OSError:
            continue  # an unprivileged container may not own that folder


def _pivot(root: str) -> None:
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", MNT_DETACH), "umount old root")
    os.chdir("/")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
