"""Compile the helper: a static x86-64 Linux binary from the C files beside this one.

Run as a script (``make helper``), or call ``build`` (the wheel's build hook). Needs PyPI's ``ziglang``
or Debian's ``musl-tools``; the same sources and the same compiler give the same bytes anywhere.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "devpod-aci-helper"
SIZE_MOST = 96 * 1024
FLAGS = (
    "-std=c11", "-D_GNU_SOURCE", "-O2", "-g0", "-static", "-s", "-Wall", "-Wextra", "-Werror",
    "-fno-asynchronous-unwind-tables", "-fno-stack-protector", "-fno-ident",
    "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-Wl,--build-id=none",
)  # fmt: skip


class NoCompilerError(Exception):
    """Neither of the two compilers is there."""


def compiler() -> list[str]:
    """The command that compiles for x86-64 Linux with musl, whatever this machine is."""
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-linux-musl"]
    if shutil.which("musl-gcc"):
        return ["musl-gcc"]
    message = "the tunnel's helper needs a C compiler: `pip install ziglang`, or `apt-get install musl-tools`"
    raise NoCompilerError(message)


def build(out_dir: Path) -> Path:
    """Compile into ``out_dir``; returns the binary. Its SHA-256 is put beside it."""
    command = compiler()
    sources = sorted(path.name for path in HERE.glob("*.c"))
    out_dir.mkdir(parents=True, exist_ok=True)
    binary = out_dir / NAME
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / NAME
        # Relative names and a mapped prefix: no path of this machine gets into the binary.
        flags = [*FLAGS, f"-ffile-prefix-map={HERE}=."]
        subprocess.run([*command, *flags, "-o", str(made), *sources], cwd=HERE, check=True)
        data = made.read_bytes()
        if len(data) > SIZE_MOST:
            message = f"the helper has {len(data)} bytes, more than {SIZE_MOST}"
            raise SystemExit(message)
        waiting = binary.with_name(f".{NAME}.new")
        waiting.write_bytes(data)
        waiting.chmod(0o755)
        waiting.replace(binary)
    digest = hashlib.sha256(data).hexdigest()
    binary.with_name(f"{NAME}.sha256").write_text(f"{digest}  {NAME}\n", encoding="ascii")
    return binary


def main() -> None:
    """Build in place and say what came of it."""
    try:
        binary = build(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
    except NoCompilerError as problem:
        raise SystemExit(str(problem)) from None
    digest = binary.with_name(f"{NAME}.sha256").read_text(encoding="ascii").split()[0]
    print(f"{binary} {binary.stat().st_size} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
