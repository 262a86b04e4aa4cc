"""HTTP API of afluente."""
