"""How old events leave the log, and what it says of those that did."""
