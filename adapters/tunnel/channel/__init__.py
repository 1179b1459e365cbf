"""One channel to the container: a WebSocket, and the connection below it."""
