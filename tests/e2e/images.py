"""Container images as people have them, and worse: root file systems made here, and how they are mounted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import rootfs

NOWHERE = ["/tmp", "/dev", "/dev/shm"]
"""All that can be written in a read-only container."""


@dataclass(frozen=True)
class Kind:
    """One kind of image; ``build`` fills a folder, ``options`` are the emulator's of an image."""

    build: Callable[[Path], None] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    volume: str = ""
    user: str = "root"

    def image(self, name: str, folder: Path) -> dict[str, Any]:
        """The emulator's setting for it; ``folder`` is a place for its files."""
        made: dict[str, Any] = {"name": name, **self.options}
        if self.build is not None:
            root = folder / self.build.__name__
            if not root.exists():
                self.build(root)
            made["rootfs"] = str(root)
        return made


def plain(root: Path) -> None:
    """A shell and few tools, as on Debian; nothing that decodes base64, no interpreter of any language."""
    with_shell(root, "dash")


def with_shell(root: Path, shell: str) -> None:
    """The same with another shell."""
    rootfs.link_shell(rootfs.add_programs(root, (shell, *rootfs.TOOLS)), shell)


def alpine(root: Path) -> None:
    """Busybox with all its applets."""
    rootfs.add_busybox(root)
    (root / "etc" / "alpine-release").write_text("3.20.0\n")
    (root / "etc" / "profile").write_text("export PS1='\\h:\\w\\$ '\n")


def red_hat(root: Path) -> None:
    """The layout of Red Hat's images with this computer's programs: bash as sh, /usr merged, its /etc/bashrc."""
    for name in ("bin", "lib64", "lib"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    (root / "usr" / "libexec").mkdir()
    with_shell(root, "bash")
    (root / "etc" / "redhat-release").write_text("Red Hat Enterprise Linux release 9.4 (Plow)\n")
    (root / "etc" / "os-release").write_text('ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"\n')
    (root / "etc" / "bashrc").write_text(
        'PROMPT_COMMAND=\'printf "\\033]0;%s@%s:%s\\007" "root" "host" "/"\'\n'
        'PS1="[\\u@\\h \\W]\\\\$ "\nalias rm="rm -i" mv="mv -i" cp="cp -i"\n'
    )


def loud_bash(root: Path) -> None:
    """A prompt of several coloured lines, and a command before each."""
    with_shell(root, "bash")
    (root / "etc" / "bashrc").write_text(
        "PS1='\\e[31m** \\u at \\w **\\e[0m\\n\\t \\! \\$ '\nPS2='\\e[32mmore\\e[0m '\n"
        "PROMPT_COMMAND='echo; echo \"[$? $RANDOM] it is a fine day\"; id; cat /etc/passwd'\nset -o vi\n"
    )


def strict_dash(root: Path) -> None:
    """A shell that ends at the first failure and at the first unset variable, overwrites nothing, and has aliases."""
    plain(root)
    (root / "etc" / "strict").write_text(
        "set -eufC\nalias mkdir='mkdir -v' mv='mv -i' chmod='chmod -v' echo='echo so:'\n"
    )


def banner_zsh(root: Path) -> None:
    """A shell that greets first, at length."""
    with_shell(root, "zsh")
    (root / "etc" / "banner").write_text(
        "i=0; while [ $i -lt 40 ]; do echo '#### Welcome! Report abuse to [root@localhost] {now}: ^~=?'; "
        "i=$((i+1)); done\nPS1='%n@%m %~ %# '\n"
    )


def busybox_alone(root: Path) -> None:
    """Busybox as its shell and without a link for anything else."""
    rootfs.add_busybox(root, ("sh",))


def with_perl(root: Path) -> None:
    """Perl is there, with no module at all; Python is not."""
    plain(root)
    rootfs.add_programs(root, ("perl",))


def flooding(root: Path) -> None:
    """The shell that is asked for leaves one behind that never stops printing to the same terminal."""
    plain(root)
    (root / "bin" / "sh").unlink()
    (root / "bin" / "sh").write_text(
        '#!/bin/dash\n[ -t 1 ] && { while :; do echo "flood flood flood flood flood"; done & }\nexec /bin/dash "$@"\n'
    )
    (root / "bin" / "sh").chmod(0o755)


def long_winded(root: Path) -> None:
    """A shell that prints megabytes before it listens."""
    plain(root)
    (root / "etc" / "banner").write_text(
        "l=0123456789abcdef; l=$l$l$l$l; l=$l$l$l$l; l=$l$l$l$l\n"
        "i=0; while [ $i -lt 4000 ]; do echo $l; i=$((i+1)); done\n"
    )


def shell_alone(root: Path) -> None:
    """A shell and not one other program."""
    rootfs.link_shell(rootfs.add_programs(root, ("dash",)), "dash")


def shell_less(root: Path) -> None:
    """A program and no shell, as images made from scratch."""
    rootfs.add_programs(root, ("sleep",))


KINDS = {
    "debian": Kind(),
    "alpine": Kind(alpine),
    "red-hat": Kind(red_hat, {"env": {"ENV": "/etc/bashrc", "HOSTNAME": "rhel"}}),
    "no-base64": Kind(plain),
    "busybox-alone": Kind(busybox_alone),
    "loud-bash": Kind(loud_bash, {"env": {"ENV": "/etc/bashrc"}}),
    "strict-dash": Kind(strict_dash, {"env": {"ENV": "/etc/strict"}}),
    "banner-zsh": Kind(banner_zsh, {"env": {"ENV": "/etc/banner"}}),
    "long-winded": Kind(long_winded, {"env": {"ENV": "/etc/banner"}}),
    "not-root": Kind(alpine, {"user": "user", "workdir": "/home/user"}, user="user"),
    "unknown-uid": Kind(plain, {"user": "4711:4711"}, user="4711"),
    "only-tmp": Kind(plain, {"read_only": True, "writable": ["/tmp"]}),
    "only-shm": Kind(alpine, {"read_only": True, "writable": ["/dev/shm"]}),
    "noexec-tmp": Kind(plain, {"noexec": ["/tmp"]}),
    "only-dev": Kind(plain, {"read_only": True, "noexec": ["/tmp", "/dev/shm"]}),
    "only-a-volume": Kind(plain, {"read_only": True, "noexec": NOWHERE}, volume="/srv/place"),
    "noexec-python": Kind(options={"read_only": True, "noexec": NOWHERE}),
    "noexec-perl": Kind(with_perl, {"read_only": True, "noexec": NOWHERE}),
    "noexec-perl-not-root": Kind(with_perl, {"read_only": True, "noexec": NOWHERE, "user": "user"}, user="user"),
}
"""Those a command runs in, however odd they are."""

REFUSED = {
    "noexec": Kind(plain, {"read_only": True, "noexec": NOWHERE}),
    "nothing-writable": Kind(alpine, {"read_only": True, "writable": [], "user": "user"}),
    "shell-alone": Kind(shell_alone, {"cmd": ["/bin/sh", "-c", "while :; do read -r x </dev/ptmx; done"]}),
    "no-shell": Kind(shell_less, {"cmd": ["/bin/sleep", "86400"]}),
    "flooding": Kind(flooding),
}
"""Those no command can run in."""
