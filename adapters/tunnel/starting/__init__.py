"""From a shell in the container to a helper that runs there."""
