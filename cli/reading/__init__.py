"""Reading what a deployment says: logs, alarms and the streams of the classes."""
