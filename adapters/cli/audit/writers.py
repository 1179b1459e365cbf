"""audit writers: whose logs are in a container, and who vouches for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from adapters.cli.audit import shipped
from adapters.cli.audit.rows import print_rows
from adapters.cli.audit.source import Source, from_option
from adapters.cli.call_error import CallError
from adapters.cli.key_option import PUBLIC_KEYS
from statemachine.errors import LogDamagedError

if TYPE_CHECKING:
    from adapters.ship.vouch import Voucher

ASK: Final = (
    "The events before those are whole. A log that no key vouches for may have been written anew: ask for the missing"
    " keys, choose with --writer, or compare with its owner's copy."
)


@click.command()
@from_option
@PUBLIC_KEYS
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def writers(*, source: Source, keys: tuple[Path, ...], as_json: bool) -> None:
    """List who shipped to a container, whether each one's log is whole, and who vouches for it."""
    if not source.is_shared():
        raise CallError("--from URL says of which container, or --from FOLDER of which copies")
    found = shipped.merged(source)
    voucher = _voucher(keys)
    for writer, line in shipped.whole(found.named(), []):
        if voucher is not None:
            voucher.look(writer, line)
    columns = ["writer", "events", "first", "last", "blobs", "bytes", "chain"]
    rows: list[tuple[object, ...]] = [
        (one.name, one.mark.seq, one.first, one.last, len(one.blobs), one.mark.offset, one.damage or "whole")
        for one in found.writers
    ]
    wrong = [f"event {one.mark.seq + 1} of {one.name} {one.damage}" for one in found.writers if one.damage]
    if voucher is not None:
        columns += ["sealed", "keys"]
        said = {one.name: voucher.verdict(one.name) for one in found.writers}
        rows = [(*row, one.sealed, ", ".join(one.keys)) for row, one in zip(rows, said.values(), strict=True)]
        wrong += [f"{name}: {one.wrong}" for name, one in said.items() if one.wrong]
        wrong += [f"the key in {name} signed none of these logs" for name in voucher.unused()]
    print_rows(columns, iter(rows), as_json=as_json)
    if wrong:
        raise LogDamagedError(f"{found.store.name}: {'; '.join(wrong)}", remedy=ASK)


def _voucher(files: tuple[Path, ...]) -> Voucher | None:
    if not files:
        return None
    from adapters.ship.vouch import Voucher
    from eventlog.sealing.seal import read_trust

    return Voucher({str(file): read_trust(file) for file in files})
