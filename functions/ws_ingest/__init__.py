"""WebSocket API of afluente."""
