"""The console script, also as ``python -m adapters.cli``: the tunnel's holder is started this way."""

from __future__ import annotations

import sys
from typing import Final

INTERRUPTED: Final = 130


def main() -> None:
    """Run the verb; Ctrl-C ends also the imports before it without a traceback."""
    try:
        from adapters.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
