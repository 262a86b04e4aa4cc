"""WebSocket: the messages of the protocol."""
