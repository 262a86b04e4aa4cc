"""Shared by every function: settings, clients of AWS, secrets, logs and metrics."""
