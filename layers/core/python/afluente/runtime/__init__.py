"""Composition of the functions: settings, clients, logs, metrics, and the HTTP pipeline."""
