"""Alarms: the sinks that events are published to, and the history of raised and cleared ones."""
