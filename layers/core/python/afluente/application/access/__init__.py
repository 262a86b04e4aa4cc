"""Access: API keys, the grants of their owners, and tenants."""
