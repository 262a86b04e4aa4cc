"""The domain of the legacy service, and the topic of its devices."""

LEGACY_DOMAIN = "iot"
"""The legacy service's only domain."""

LEGACY_TOPIC = "iot/sensors/{sensor_id}/readings"
"""The topic to which a legacy device publishes the readings of a sensor."""
