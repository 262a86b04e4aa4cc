"""The sensor directory, for the functions that accept readings of legacy clients."""

import time

from afluente.migration.adapters.dynamodb_sensors import DynamoSensors
from afluente.migration.application.sensors import SensorLookup
from afluente.runtime.core.clients import client
from afluente.runtime.core.jitter import sleep_with_jitter


def sensor_lookup(table: str, *, ttl_seconds: float) -> SensorLookup:
    """Build the look-up of sensors in the table of the migration."""
    directory = DynamoSensors(client("dynamodb"), table, sleep=sleep_with_jitter)
    return SensorLookup(directory, ttl_seconds=ttl_seconds, clock=time.monotonic)
