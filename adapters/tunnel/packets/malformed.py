"""What every reader of the tunnel's wire format raises; apart from them, for who only writes does not need them."""


class MalformedError(Exception):
    """Bytes that cannot be ours, or that the channel has damaged."""
