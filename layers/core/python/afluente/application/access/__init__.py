"""Access: API keys, what they may do, and tenants."""
