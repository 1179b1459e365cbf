"""A line of the log: its shape, the event in it, and the older forms of both."""
