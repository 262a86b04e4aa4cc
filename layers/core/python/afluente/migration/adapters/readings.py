"""Readings of sensors as legacy clients send them: `{sensor_id | sensor_uuid, value, ts?, …}`.

The sensor's number is the stream, the device's UUID the source. The sensor directory completes the names that a reading
lacks, so a reading becomes a point in two steps.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import json_type
from afluente.migration.adapters.sender_words import PLACEHOLDER, point_or_faults, shown, time_of
from afluente.migration.application.sensors import canonical_uuid, needs_directory, source_and_stream
from afluente.migration.domain.thresholds import Sensor, SensorName

# The names of each field; if a reading has two of them, the first counts.
DEVICE = ("device_uuid", "deviceUuid")
TIME = ("ts", "timestamp")
SENSOR_ID = ("sensor_id", "sensorId")
SENSOR_UUID = ("sensor_uuid", "sensorUuid")
SENSOR_TYPE = ("sensor_type", "sensorType")

_INTEGER = re.compile(r"-?[0-9]{1,19}")
# Of a column of SQL's widest integers.
_MAX_ID = 2**63 - 1


class ReadingContext(msgspec.Struct, frozen=True):
    """The fields that a packet or a topic gives to all its readings.

    Attributes:
        device: the UUID of the device, in canonical form.
        time: of the measurement, in Unix seconds; checked with each reading.
        time_field: the sender's name of that field.
        sensor: the sensor.
    """

    device: str | None = None
    time: object = None
    time_field: str = TIME[0]
    sensor: SensorName | None = None


class LegacyReading(msgspec.Struct, frozen=True):
    """A valid reading, whose stream may need an entry of the directory.

    Attributes:
        sensor: as the reading names it.
        device: the UUID of its device, if it is named.
        measured: its point, without stream and source.
    """

    sensor: SensorName
    device: str | None
    measured: DataPoint

    @property
    def to_look_up(self) -> SensorName | None:
        """The sensor whose entry in the directory is needed; None if it is not."""
        return self.sensor if needs_directory(self.sensor, self.device) else None

    def point(self, entry: Sensor | None) -> DataPoint:
        """The point of the reading; `entry` is that of its sensor in the directory."""
        source, stream = source_and_stream(self.sensor, self.device, entry)
        return msgspec.structs.replace(self.measured, source_id=source, stream_id=stream)


def read(raw: object, context: ReadingContext, *, now: float) -> LegacyReading | tuple[Fault, ...]:
    """Read a reading, or return all its faults; a null counts as a field left out.

    Args:
        raw: a JSON value.
        context: of the reading.
        now: the time of arrival, in Unix seconds.
    """
    if not isinstance(raw, dict):
        return (Fault(FaultCode.WRONG_TYPE, "reading", f"must be an object, not {json_type(raw)}"),)
    faults: list[Fault] = []
    sensor = _sensor(raw, context.sensor, faults)
    device = device_of(raw, faults) or context.device
    words = {"timestamp": _name_in(raw, TIME) or context.time_field, "stream_type": _name_in(raw, SENSOR_TYPE) or ""}
    measured = _measured(raw, context, faults)
    point = point_or_faults({"sensor_id": PLACEHOLDER} | measured, words=words, known=faults, now=now)
    return point if isinstance(point, tuple) else LegacyReading(sensor, device, point)


def device_of(raw: Mapping[str, object], faults: list[Fault]) -> str | None:
    """The device of a reading or a packet, in canonical form; None if absent or invalid; appends the fault."""
    name = _name_in(raw, DEVICE)
    return None if name is None else _uuid(raw[name], name, faults)


def sensor_name(value: object, field: str, faults: list[Fault]) -> SensorName | None:
    """A sensor's number or UUID, as clients write it; None if it is neither; appends the fault."""
    if isinstance(value, float) and value.is_integer():  # as some languages write their integers
        value = int(value)
    if isinstance(value, str):
        name = int(value) if _INTEGER.fullmatch(value) else canonical_uuid(value)
        if name is None:
            message = f"is neither an integer nor a UUID: {shown(value)}"
            faults.append(Fault(FaultCode.OUT_OF_RANGE, field, message))
    elif type(value) is int:
        name = value
    else:
        message = f"must be an integer or a UUID, not {json_type(value)}"
        faults.append(Fault(FaultCode.WRONG_TYPE, field, message))
        return None
    if isinstance(name, int) and abs(name) > _MAX_ID:
        faults.append(Fault(FaultCode.OUT_OF_RANGE, field, f"must be at most {_MAX_ID}"))
        return None
    return name


def _sensor(raw: Mapping[str, object], of_topic: SensorName | None, faults: list[Fault]) -> SensorName:
    """The sensor of a reading, its number if it has number and UUID; appends a fault if it contradicts the topic."""
    of_id, of_uuid = _name_in(raw, SENSOR_ID), _name_in(raw, SENSOR_UUID)
    own = of_topic
    if of_id is not None:
        own = sensor_name(raw[of_id], of_id, faults)
    elif of_uuid is not None:
        own = _uuid(raw[of_uuid], of_uuid, faults)
    elif of_topic is None:
        faults.append(Fault(FaultCode.MISSING, SENSOR_ID[0], f"is required, or {SENSOR_UUID[0]}"))
    if own is None or of_topic is None:
        return PLACEHOLDER if own is None else own
    if type(own) is type(of_topic) and own != of_topic:
        message = f"is {own}, but {of_topic} in the topic; leave it out, or publish to its own topic"
        faults.append(Fault(FaultCode.CONTRADICTION, of_id or of_uuid or "", message))
    return own if isinstance(own, int) else of_topic


def _measured(raw: Mapping[str, object], context: ReadingContext, faults: list[Fault]) -> dict[str, Any]:
    """The arguments of `DataPoint.from_iot_reading` without stream and source."""
    if "value" not in raw:
        faults.append(Fault(FaultCode.MISSING, "value", "is required"))
    time_field, type_field = _name_in(raw, TIME), _name_in(raw, SENSOR_TYPE)
    return {
        "value": raw.get("value", 0),
        "timestamp": time_of(raw[time_field], time_field, faults) if time_field else context.time,
        "sensor_type": raw[type_field] if type_field else None,
        "sequence": raw.get("sequence"),
    }


def _uuid(value: object, field: str, faults: list[Fault]) -> str | None:
    if not isinstance(value, str):
        faults.append(Fault(FaultCode.WRONG_TYPE, field, f"must be a UUID, not {json_type(value)}"))
        return None
    uuid = canonical_uuid(value)
    if uuid is None:
        faults.append(Fault(FaultCode.OUT_OF_RANGE, field, f"is no UUID: {shown(value)}"))
    return uuid


def _name_in(raw: Mapping[str, object], names: Sequence[str]) -> str | None:
    """The name by which a field is present."""
    return next((name for name in names if raw.get(name) is not None), None)
