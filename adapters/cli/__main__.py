"""``python -m adapters.cli`` is the console script; the tunnel's holder is started this way."""

from adapters.cli.main import main

main()
