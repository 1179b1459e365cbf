"""``python -m emulator``."""

from emulator.start import main

main()
