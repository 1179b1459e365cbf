"""The event log elsewhere: exports, shipping, reading back what many writers shipped, and SQL over all of it."""
