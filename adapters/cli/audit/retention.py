"""audit archive, audit expire: copy old events to an archive, and remove them; the log records which they were."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from adapters.cli.audit.filters import moment
from adapters.cli.call_error import CallError
from adapters.cli.compose import own_log
from adapters.cli.console import say
from adapters.cli.unicode_text import unicode_text
from statemachine.errors import LogError

if TYPE_CHECKING:
    from eventlog import EventLog
    from eventlog.disk import Disk
    from eventlog.lines.tombstone import SegmentFacts
    from eventlog.retention.expire import Plan

WHY: Final = click.option("--why", type=unicode_text, metavar="TEXT", default="", help="The reason, for the record.")
DRY_RUN: Final = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@click.command()
@click.option("--to", "target", type=click.Path(path_type=Path, file_okay=False), required=True, help="A folder.")
@click.option("--before", metavar="TIME", help="What happened before this time; else everything that is sealed.")
@click.option("--keep", type=click.IntRange(min=0), default=0, help="Leave out the newest N segments.")
@WHY
@DRY_RUN
def archive(*, target: Path, before: str | None, keep: int, why: str, dry_run: bool) -> None:
    """Copy old events to a folder: compressed, read back, and recorded in the log.

    The log itself stays as it is; `audit expire --archived-only` then removes what is safely there.
    """
    from eventlog.disk import Disk
    from eventlog.retention.archive import archive as carry_out
    from eventlog.retention.archive import select
    from eventlog.retention.steps import alone, finish

    if before is not None and keep:
        raise CallError("--before and --keep both say what to leave out: give one of them")
    limit = None if before is None else moment(before, "--before").first
    log, disk = own_log(os.environ), Disk()
    if _is_empty(log):
        return
    place = Path(os.path.realpath(target))  # which, unlike resolve, leaves it to the first use to fail
    if dry_run:
        _say_selected("would be archived", select(disk, log.path, before=limit, keep=keep).segments)
        return
    with alone(disk, log.path):
        finish(disk, log.path)
        selection = select(disk, log.path, before=limit, keep=keep)
        if not selection.segments:
            _say_selected("were archived", ())
            return
        fresh = carry_out(log, disk, place, selection, reason=why)
    if fresh:
        _say_selected(f"archived in {place}", fresh)
    else:
        say(f"nothing new to archive: events up to {selection.segments[-1].last} are in {place} already")


@click.command()
@click.option("--before", metavar="TIME", help="What happened before this time.")
@click.option("--keep-days", type=click.IntRange(min=0), metavar="N", help="What is older than N days.")
@click.option("--archived-only", is_flag=True, help="Only what `audit archive` copied, if the copy is still there.")
@click.option(
    "--archive",
    type=click.Path(exists=True, path_type=Path, file_okay=False),
    help="Where the copies are now, if not where `audit archive` put them.",
)
@WHY
@DRY_RUN
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def expire(
    *,
    before: str | None,
    keep_days: int | None,
    archived_only: bool,
    archive: Path | None,
    why: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Remove old events for good, and leave a signed tombstone that says which they were.

    What the state of a living workspace rests on is kept. Time decides what is chosen, and nothing else.
    """
    from eventlog.disk import Disk
    from eventlog.retention.expire import expire as carry_out
    from eventlog.retention.steps import alone, finish, is_unfinished

    limit = _limit(before, keep_days)
    if archive is not None and not archived_only:
        raise CallError("--archive belongs to --archived-only")
    log, disk = own_log(os.environ), Disk()
    if _is_empty(log):
        return

    def planned() -> Plan:
        return _plan(disk, log.path, limit, archived_only=archived_only, archive=archive)

    if dry_run:
        if is_unfinished(log.path):
            say("an expiry that was begun would be finished first")
        _say_plan("would expire", planned())
        return
    with alone(disk, log.path):
        if finish(disk, log.path):
            say("an expiry that was begun is finished now")
        found = planned()
        if not found.segments:
            _say_plan("expired", found)
            return
        if not yes and sys.stdin.isatty():
            _say_plan("would expire", found)
            click.confirm("They cannot be brought back. Go on?", abort=True, err=True)
        recorded = carry_out(log, disk, found, reason=why, archived=archived_only)
    _say_plan("expired", found)
    click.echo(f"the tombstone is event {recorded.seq}")


def _plan(disk: Disk, log: Path, limit: datetime, *, archived_only: bool, archive: Path | None) -> Plan:
    """What expires; a copy that was lost is named. Raises LogError where nothing can go because of it."""
    from eventlog.retention.archive import Copies
    from eventlog.retention.expire import plan

    if not archived_only:
        return plan(disk, log, limit)
    copies = Copies(disk, log, archive)
    found = plan(disk, log, limit, copies.has)
    if copies.lost and not found.segments:
        raise LogError(copies.lost, remedy="Name the folder with --archive, or copy them again: `audit archive`.")
    if copies.lost:
        say(f"warning: {copies.lost}; nothing from there on expires")
    return found


def _limit(before: str | None, keep_days: int | None) -> datetime:
    """The moment before which everything is to go. Raises CallError."""
    if (before is None) is (keep_days is None):
        raise CallError("give --before TIME or --keep-days N, one of them")
    if before is not None:
        return moment(before, "--before").first
    try:
        return datetime.now(UTC) - timedelta(days=keep_days or 0)
    except OverflowError as error:
        raise CallError(f"--keep-days: {keep_days} days ago is no date") from error


def _is_empty(log: EventLog) -> bool:
    """Whether there is no log to take anything from; then that is said, and no file made."""
    from eventlog.failures import explained
    from eventlog.files.segments import parts

    with explained(log.path, "read"):
        if log.path.exists() or parts(log.path).sealed:
            return False
    say(f"nothing is recorded in {log.path}")
    return True


def _say_plan(did: str, found: Plan) -> None:
    from eventlog.table import printable

    _say_selected(did, found.segments)
    if found.kept:
        names = printable(", ".join(found.living[:5])) + (", …" if len(found.living) > 5 else "")
        click.echo(f"{len(found.kept)} of them are kept, for {len(found.living)} living workspaces: {names}")


def _say_selected(did: str, segments: Sequence[SegmentFacts]) -> None:
    if not segments:
        say("nothing is old enough: no events " + did)
        return
    events, size = sum(one.events for one in segments), sum(one.size for one in segments)
    ended = max(one.ended for one in segments)[:19].replace("T", " ")
    began = min(one.began for one in segments)[:19].replace("T", " ")
    kinds = "1 segment" if len(segments) == 1 else f"{len(segments)} segments"
    click.echo(
        f"{events} events {did}: {segments[0].first} to {segments[-1].last}, of {began} to {ended} UTC,"
        f" {kinds}, {size / 1024:.0f} KiB"
    )
