"""What crosses a channel: packets and their payloads, as bytes and as values. No I/O."""
