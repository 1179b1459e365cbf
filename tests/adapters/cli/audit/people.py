"""Logs of three people, as they are in a container: each has a workspace named shop, and one that failed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from adapters.ship.writer import blob_name, writer_of
from tests.eventlog.audit.story import ADA, BOB, CI, MONDAY, Story, refused

PEOPLE = (ADA, BOB, CI)


def tell(root: Path, *, segment: str = "") -> dict[str, Path]:
    """Their logs, by user: ``root/USER/events.jsonl``."""
    found = {}
    for number, person in enumerate(PEOPLE):
        path = root / person.user / f"events{segment}.jsonl"
        path.parent.mkdir(parents=True, mode=0o700)
        story = Story(path, MONDAY + timedelta(hours=9, seconds=10 * number))
        story.call(person).creates("shop").wait(minutes=5).call(person).runs("shop", 100)
        story.call(person).stops("shop").wait(minutes=1).call(person)
        story.fails_to_create(f"ml-{person.user}", refused("InaccessibleImage", "no such image", error="ImageError"))
        found[person.user] = path
    return found


def copies(root: Path) -> Path:
    """A folder of copies of a container that the three shipped to."""
    folder = root / "copies"
    for path in tell(root).values():
        raw = path.read_bytes()
        blob = folder / blob_name(writer_of(raw.partition(b"\n")[0]), 1)
        blob.parent.mkdir(parents=True)
        blob.write_bytes(raw)
    return folder
