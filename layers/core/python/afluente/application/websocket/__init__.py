"""WebSocket connections: their authentication, and the last acknowledged sequence of each source."""
