"""Signatures over the log, and what they vouch for."""
