"""The pictures of the audit report in docs/: ``python -m tools.report_pictures``. Needs Chromium.

The week is the one the tests tell; the page is made by the verb's own code and photographed as a reader sees it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from adapters.cli.audit.prices import footnotes
from adapters.report.page import Frame, render, seal_of
from eventlog import verify
from eventlog.audit.prices import shipped
from eventlog.audit.query import Query
from eventlog.audit.reader import LogReader
from eventlog.audit.summary import summarise
from tests.adapters.report.chromium import DARK, PROGRAM, shoot
from tests.adapters.report.conftest import NOW
from tests.eventlog.audit.story import week

DOCS = Path(__file__).parents[1] / "docs"
SHOTS = {
    "report.png": ((1100, 1900), ()),
    "report-phone.png": ((500, 1500), (DARK,)),
}
"""File in docs/, size of the window (a headless one is at least 500 wide), and options."""


def main() -> None:
    if PROGRAM is None:
        raise SystemExit("there is no Chromium here (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = week(folder / "events.jsonl").path
        summary = summarise(LogReader(log).records(), Query(), shipped(), NOW)
        notes = footnotes(summary.by_workspace, shipped())
        page = folder / "report.html"
        frame = Frame("events.jsonl", NOW, "0.1.0", notes)
        page.write_text(render(summary, seal_of(verify(log)), frame), "utf-8")
        for file, (size, options) in SHOTS.items():
            shoot(page, folder, size, *options)
            shutil.copyfile(folder / "shot.png", DOCS / file)
            print(DOCS / file)


if __name__ == "__main__":
    main()
