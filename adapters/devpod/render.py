"""``python -m adapters.devpod.render [FOLDER]``: write the files that are made from the table of options."""

from __future__ import annotations

import sys
from pathlib import Path

from adapters.devpod.generated import generated

# Only ever run, never imported: the package's own name "render" is a function.
if __name__ == "__main__":
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2]
    for name, text in generated().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
