"""The files a log is made of: the one that is appended to, and the sealed segments before it."""
