"""``python -m emulator``."""

from emulator.cli import main

main(prog_name="devpod-provider-aci-emulator")
