"""Keys and tenants of a deployment."""
