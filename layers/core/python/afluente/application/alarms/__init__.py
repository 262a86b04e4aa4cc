"""Alarms: where they are published, and the history of what was raised and cleared."""
