"""The lifecycle of a workspace: states, events, commands, and the order of effects. No I/O of its own."""
