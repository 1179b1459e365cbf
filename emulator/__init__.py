"""Azure Container Instances on this computer.

ARM, Entra ID and the exec WebSocket over TLS, with containers that are real processes
under real terminals. Nothing here imports the provider: the two meet on the wire.
"""
