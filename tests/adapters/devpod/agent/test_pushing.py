"""A machine that cannot download the agent asks for it to be pushed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from adapters.devpod.agent import pushed_without_download

# DevPod's script (pkg/inject/inject.sh, 0.6.15) in its own lines, as a machine gets it, less sudo and mount points.
SCRIPT = """\
#!/bin/sh
set -e
INSTALL_DIR="{folder}"
INSTALL_FILENAME="devpod"
INSTALL_PATH="$INSTALL_DIR/$INSTALL_FILENAME"
PREFER_DOWNLOAD="true"
CHMOD_PATH="true"
echo "ping"
IFS='$\\n' read -r DEVPOD_PING
if [ "$DEVPOD_PING" != "pong" ]; then
  >&2 echo "Received wrong answer for ping request $DEVPOD_PING"
  exit 1
fi

command_exists() {{
  command -v "$@" >/dev/null 2>&1
}}

inject() {{
  echo "ARM-false"
  $sh_c "cat > $INSTALL_PATH.$$"
  $sh_c "mv $INSTALL_PATH.$$ $INSTALL_PATH"

  if [ "$CHMOD_PATH" = "true" ]; then
    $sh_c "chmod +x $INSTALL_PATH"
  fi

  echo "done"
  exit 0
}}

download() {{
  DOWNLOAD_URL="http://127.0.0.1:9/devpod-linux-amd64"
  iteration=1
  max_iteration=3

  while :; do
    if [ "$iteration" -gt "$max_iteration" ]; then
      >&2 echo "error: failed to download devpod"
      exit 1
    fi

    cmd_status=""
    if command_exists curl; then
        $sh_c "curl -fsSL $DOWNLOAD_URL -o $INSTALL_PATH.$$" && break
        cmd_status=$?
    elif command_exists wget; then
        $sh_c "wget -q $DOWNLOAD_URL -O $INSTALL_PATH.$$" && break
        cmd_status=$?
    else
        echo "error: no download tool found, please install curl or wget"
        exit 127
    fi
    >&2 echo "error: failed to download devpod"
    >&2 echo "       command returned: ${{cmd_status}}"
    >&2 echo "Trying again in 10 seconds..."
    iteration=$((iteration+1))
    sleep 10
  done

  $sh_c "mv $INSTALL_PATH.$$ $INSTALL_PATH"
}}

if [ "$($INSTALL_PATH version 2>/dev/null || echo 'false')" != "v0.6.15" ]; then
  sh_c='sh -c'
  if [ "$PREFER_DOWNLOAD" = "true" ]; then
    download || inject
  else
    inject || download
  fi
  chmod +x $INSTALL_PATH
fi
echo "done"
"""
AGENT = b"#!/bin/sh\necho v0.6.15\n"
CURLS = {
    "none": None,
    "failing": "#!/bin/sh\nexit 7\n",
    "working": f"#!/bin/sh\nprintf '%s' '{AGENT.decode()}' >\"$4\"\n",
}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A machine's programs: none to download with, and a sleep that is none."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sh", "cat", "mv", "chmod"):
        (folder / name).symlink_to(shutil.which(name) or name)
    (folder / "sleep").write_text("#!/bin/sh\n")
    (folder / "sleep").chmod(0o755)
    return folder


def looking(folder: Path, tools: Path) -> list[str]:
    text = pushed_without_download(SCRIPT.format(folder=folder))
    answer = subprocess.run(
        ["/bin/sh", "-c", text], input=b"pong\n" + AGENT, capture_output=True, env={"PATH": str(tools)}, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.decode().splitlines()


@pytest.mark.parametrize("curl", CURLS)
def test_the_agent_comes_either_way(tmp_path: Path, tools: Path, curl: str) -> None:
    if program := CURLS[curl]:
        (tools / "curl").write_text(program)
        (tools / "curl").chmod(0o755)
    pushed = [] if curl == "working" else ["ARM-false"]
    assert looking(tmp_path, tools) == ["ping", *pushed, "done"]
    assert (tmp_path / "devpod").read_text().strip() == AGENT.decode().strip()
    assert looking(tmp_path, tools) == ["ping", "done"]


def test_any_other_text_stays_as_it_is() -> None:
    text = "download() { exit 1; }\nexit 1\n"
    assert pushed_without_download(text) == text
