"""MQTT inbox of afluente."""
