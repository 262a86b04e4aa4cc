"""WebSocket connections: who is at the other end, and how far the source is acknowledged."""
