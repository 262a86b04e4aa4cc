"""AWS: one module a service and capability."""
