"""Packets over HTTP and messages over MQTT of legacy clients, decoded into valid and rejected readings."""

from codecs import BOM_UTF8
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from afluente.adapters.http.errors import RequestError, invalid_request
from afluente.adapters.http.points import MAX_POINTS
from afluente.adapters.http.requests import object_of, open_domain_faults
from afluente.adapters.mqtt.messages import MqttMessage, UnusableMessageError, payload_document
from afluente.application.ingest.accept_points import PointsRequest, RejectedPoint
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import MISSING_SOURCE, json_type
from afluente.migration.adapters.readings import (
    TIME,
    LegacyReading,
    ReadingContext,
    device_of,
    read,
    sensor_name,
)
from afluente.migration.adapters.sender_words import time_of
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN, LEGACY_TOPIC
from afluente.migration.domain.thresholds import Sensor, SensorName

FORM = "legacy"
"""The form of points, as the origin of a quarantined record names it."""

_LEVELS = LEGACY_TOPIC.split("/")


class LegacyReadings(msgspec.Struct, frozen=True):
    """The readings of a packet or a message.

    Attributes:
        transport: `http` or `mqtt`.
        readings: the valid ones, in their order.
        rejected: the others.
        device: the UUID of their device; None if only readings name one.
        received_at: the time of arrival, in Unix seconds.
        origin: more on their origin, for quarantined records.
    """

    transport: str
    readings: Sequence[LegacyReading]
    rejected: Sequence[RejectedPoint]
    device: str | None
    received_at: float
    origin: dict[str, str]

    @property
    def devices(self) -> set[str]:
        """The devices that the packet and its readings name."""
        return {name for name in (self.device, *(reading.device for reading in self.readings)) if name is not None}

    @property
    def to_look_up(self) -> set[SensorName]:
        """The sensors whose entries in the directory are needed."""
        return {name for reading in self.readings if (name := reading.to_look_up) is not None}

    def request(self, request_id: str, sensors: Mapping[SensorName, Sensor | None]) -> PointsRequest:
        """The points of the readings.

        Args:
            request_id: the transport's id of the packet or the message.
            sensors: entries of the directory.
        """
        points = [reading.point(sensors.get(reading.sensor)) for reading in self.readings]
        source_id = self.device or MISSING_SOURCE
        origin = {"form": FORM, **self.origin}
        return PointsRequest(
            request_id, self.transport, LEGACY_DOMAIN, source_id, self.received_at, points, self.rejected, origin
        )


def decode_packet(body: bytes, *, domains: Collection[str], now: float) -> LegacyReadings:
    """Read the body of `POST /ingest/packets`: `{device_uuid, ts?, readings: [{sensor_id | sensor_uuid, value, …}]}`.

    Args:
        body: from `read_body`.
        domains: the domains that are open.
        now: the time of arrival, in Unix seconds.

    Raises:
        RequestError: 400 for a body that is no JSON or no packet; 413 for too many readings.
    """
    # Some clients write a byte order mark.
    document = object_of(body.removeprefix(BOM_UTF8))
    faults = list(open_domain_faults(LEGACY_DOMAIN, domains))
    readings = _readings(document, faults)
    device = device_of(document, faults)
    time_field = next((name for name in TIME if document.get(name) is not None), TIME[0])
    context = ReadingContext(device, time_of(document.get(time_field), time_field, faults), time_field)
    if faults:
        raise invalid_request(faults)
    if len(readings) > MAX_POINTS:
        detail = f"{len(readings)} readings are more than {MAX_POINTS}; send them in several requests"
        raise RequestError(413, "too_many_points", detail)
    origin = {} if context.time is None else {time_field: str(document[time_field])}
    valid, rejected = _partition(readings, context, now)
    return LegacyReadings("http", valid, rejected, device, now, origin)


def is_legacy_topic(topic: str) -> bool:
    """True if a topic is one of the legacy service."""
    levels = topic.split("/")
    return len(levels) == len(_LEVELS) and levels[:2] == _LEVELS[:2] and levels[3] == _LEVELS[3]


def decode_legacy_message(message: MqttMessage, *, domains: Collection[str]) -> LegacyReadings:
    """Read a message of a legacy topic: a reading, or an array of them.

    Args:
        message: its topic names the sensor; readings may repeat it.
        domains: the domains that are open.

    Raises:
        UnusableMessageError: the topic names no sensor, the domain is not open, or the payload is no JSON or no
            readings.
    """
    faults = list(open_domain_faults(LEGACY_DOMAIN, domains))
    sensor = sensor_name(message.topic.split("/")[2], "sensor", faults)
    if faults:
        raise UnusableMessageError("; ".join(f"the topic's {fault.field} {fault.message}" for fault in faults))
    document = payload_document(message.payload)
    readings = [document] if isinstance(document, dict) else document
    if not isinstance(readings, list) or not readings:
        what = "an empty array" if readings == [] else json_type(readings)
        raise UnusableMessageError(f"the payload must be a reading or an array of readings, not {what}")
    now = message.arrived_at / 1000
    valid, rejected = _partition(readings, ReadingContext(time_field=TIME[1], sensor=sensor), now)
    origin = {"topic": message.topic, "client_id": message.client_id}
    return LegacyReadings("mqtt", valid, rejected, None, now, origin)


def _readings(document: Mapping[str, Any], faults: list[Fault]) -> Sequence[object]:
    readings = document.get("readings")
    if isinstance(readings, list):
        return readings
    if "readings" in document:
        faults.append(Fault(FaultCode.WRONG_TYPE, "readings", f"must be an array, not {json_type(readings)}"))
    else:
        faults.append(Fault(FaultCode.MISSING, "readings", "is required: an array of readings"))
    return ()


def _partition(
    items: Sequence[object], context: ReadingContext, now: float
) -> tuple[list[LegacyReading], list[RejectedPoint]]:
    valid: list[LegacyReading] = []
    rejected: list[RejectedPoint] = []
    for index, raw in enumerate(items):
        reading = read(raw, context, now=now)
        if isinstance(reading, LegacyReading):
            valid.append(reading)
        else:
            rejected.append(RejectedPoint(index, reading, raw))
    return valid, rejected
