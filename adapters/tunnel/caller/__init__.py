"""The caller's end of a command: its descriptors, its terminal, and the signals it gets."""
