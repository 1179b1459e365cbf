"""Containers as real processes: the agent inside, the sandbox around it, the runtime outside."""
