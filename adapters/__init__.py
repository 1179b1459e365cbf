"""The outside world: DevPod, Azure, the tunnel, and the command line that puts them together."""
