"""Messages of legacy devices over MQTT: a reading, or an array of them, under the topic of a sensor."""

from collections.abc import Collection

from afluente.adapters.mqtt.messages import MqttMessage, UnusableMessageError, check_number, payload_document
from afluente.domain.stream_keys import closed_domain_faults, json_type
from afluente.migration.adapters.legacy_readings import LegacyReadings, partition
from afluente.migration.adapters.readings import TIME, ReadingContext, sensor_name
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN, LEGACY_TOPIC

_LEVELS = LEGACY_TOPIC.split("/")


def is_legacy_topic(topic: str) -> bool:
    """True if a topic is one of the legacy service."""
    levels = topic.split("/")
    return len(levels) == len(_LEVELS) and levels[:2] == _LEVELS[:2] and levels[3] == _LEVELS[3]


def decode_legacy_message(message: MqttMessage, *, domains: Collection[str], max_points: int) -> LegacyReadings:
    """Read a message of a legacy topic: a reading, or an array of them.

    Args:
        message: its topic names the sensor; readings may repeat it.
        domains: the domains that are open.
        max_points: of a message.

    Raises:
        UnusableMessageError: the topic names no sensor, the domain is not open, or the payload is no JSON, no
            readings, or too many.
    """
    faults = list(closed_domain_faults(LEGACY_DOMAIN, domains))
    sensor = sensor_name(message.topic.split("/")[2], "sensor", faults)
    if faults:
        raise UnusableMessageError("; ".join(f"the topic's {fault.field} {fault.message}" for fault in faults))
    document = payload_document(message.payload)
    readings = [document] if isinstance(document, dict) else document
    if not isinstance(readings, list) or not readings:
        what = "an empty array" if readings == [] else json_type(readings)
        raise UnusableMessageError(f"the payload must be a reading or an array of readings, not {what}")
    check_number(readings, max_points)
    now = message.arrived_at / 1000
    valid, rejected = partition(readings, ReadingContext(time_field=TIME[1], sensor=sensor), now)
    origin = {"topic": message.topic, "client_id": message.client_id}
    return LegacyReadings("mqtt", valid, rejected, None, now, origin)
