"""Writes the table of exit statuses into the README, from the error classes themselves.

``python -m tools.exit_statuses``; a test fails when the README is stale.
"""

from __future__ import annotations

from pathlib import Path

from statemachine.errors import ProviderError, one_line

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- exit statuses: made by `make docs` -->\n"
END = "<!-- end -->"


def every(kind: type[ProviderError] = ProviderError) -> list[type[ProviderError]]:
    """All public error classes, depth first; a module's own refinement of one is no status of its own."""
    return [
        found
        for child in kind.__subclasses__()
        if child.__module__ == ProviderError.__module__
        for found in (child, *every(child))
    ]


def table() -> str:
    """The table, in Markdown."""
    rows = [
        "| status | meaning | usual remedy |",
        "|---|---|---|",
        "| 2 | The call itself was malformed. | See `--help`. |",
    ]
    for kind in sorted(every(), key=lambda error: error.exit_status):
        meaning = one_line((kind.__doc__ or "").split("\n\n", maxsplit=1)[0])
        rows.append(f"| {kind.exit_status} | {meaning} | {kind.remedy} |")
    rows.append("| 130 | Ctrl-C, or no to a question. |  |")
    return "\n".join(rows) + "\n"


def renewed(text: str) -> str:
    """The README with the table as it should be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
