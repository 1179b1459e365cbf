"""A process that keeps one exec session open, and how commands go through it."""
