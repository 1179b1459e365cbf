"""Volumes of a group, as folders of the host that its containers share."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from emulator.model import Group


class MountError(Exception):
    """A volume, or the group itself, cannot be provided; ``event`` names the reason."""

    def __init__(self, event: str, text: str) -> None:
        super().__init__(text)
        self.event = event


async def prepare_volumes(folder: Path, group: Group, shares: dict[str, str], share_root: Path) -> dict[str, Path]:
    """Make every volume of the group; raises ``MountError`` as Azure's event would say."""
    made: dict[str, Path] = {}
    for volume in group.properties.get("volumes") or []:
        name = volume["name"]
        if volume.get("azureFile"):
            made[name] = _share(volume["azureFile"], shares, share_root)
            continue
        place = folder / "volumes" / name
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o777)
        if volume.get("secret"):
            for file, value in volume["secret"].items():
                (place / file).write_bytes(base64.b64decode(value))
                (place / file).chmod(0o444)
        elif volume.get("gitRepo"):
            await _clone(volume["gitRepo"], place)
        made[name] = place
    return made


def _share(wanted: dict[str, str], shares: dict[str, str], root: Path) -> Path:
    name = f"{wanted['storageAccountName']}/{wanted['shareName']}"
    if name not in shares:
        raise MountError("FailedMount", "mount error(2): No such file or directory")
    if shares[name] != wanted.get("storageAccountKey"):
        raise MountError("FailedMount", "mount error(13): Permission denied")
    place = root / name
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o777)
    return place


async def _clone(wanted: dict[str, str], place: Path) -> None:
    target = place / (wanted.get("directory") or Path(wanted["repository"]).stem)
    commands = [["git", "clone", "--quiet", "--", wanted["repository"], str(target)]]
    if wanted.get("revision"):
        commands.append(["git", "-C", str(target), "checkout", "--quiet", wanted["revision"]])
    for command in commands:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        _, errors = await process.communicate()
        if process.returncode:
            raise MountError("FailedMount", errors.decode(errors="replace").strip())
