"""MQTT: the messages of the inbox queue."""
