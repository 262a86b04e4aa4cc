"""Output of a deployment: logs, alarms and the streams of the classes."""
