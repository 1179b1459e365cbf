"""What the events add up to: from a snapshot where there is one, on all processors where that is faster."""
