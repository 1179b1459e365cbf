"""Exec and attach: credentials, the WebSocket, the terminal behind it."""
