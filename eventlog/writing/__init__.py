"""The way into the log: one line at a time, whoever else writes, and whatever fails."""
