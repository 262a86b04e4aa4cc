"""State of a deployment: functions, queues, dead letters."""
