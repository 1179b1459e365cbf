"""The log leaves the building: exports, shipping, reading back what many computers shipped, and SQL over all of it."""
