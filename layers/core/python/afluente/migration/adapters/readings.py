"""Readings of sensors, as the clients of the old service send them: `{sensor_id | sensor_uuid, value, ts?, …}`.

The sensor's number is the stream, the device's UUID the source. What a reading does not say of them the sensor
directory knows, so reading one takes two steps.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import json_type
from afluente.migration.adapters.sender_words import PLACEHOLDER, point_or_faults, shown, time_of
from afluente.migration.application.sensors import SensorName, canonical_uuid, needs_directory, source_and_stream
from afluente.migration.domain.thresholds import Sensor

# Each field by the names that clients have for it; of two the first counts.
DEVICE = ("device_uuid", "deviceUuid")
TIME = ("ts", "timestamp")
SENSOR_ID = ("sensor_id", "sensorId")
SENSOR_UUID = ("sensor_uuid", "sensorUuid")
SENSOR_TYPE = ("sensor_type", "sensorType")

_INTEGER = re.compile(r"-?[0-9]{1,19}")
# Of a column of SQL's widest integers.
_MAX_ID = 2**63 - 1


class Surroundings(msgspec.Struct, frozen=True):
    """What is said of a reading beside it, by its packet or its topic.

    Attributes:
        device: the UUID of its device, in canonical form.
        time: when it was measured, in Unix seconds; checked with the reading.
        time_field: what the sender calls that.
        sensor: its sensor.
    """

    device: str | None = None
    time: object = None
    time_field: str = TIME[0]
    sensor: SensorName | None = None


class LegacyReading(msgspec.Struct, frozen=True):
    """A reading whose stream may take the directory to tell.

    Attributes:
        sensor: what it calls its sensor.
        device: the UUID of its device.
        measured: its point, of no stream and no source yet.
    """

    sensor: SensorName
    device: str | None
    measured: DataPoint

    @property
    def to_look_up(self) -> SensorName | None:
        """What the directory is to be asked for."""
        return self.sensor if needs_directory(self.sensor, self.device) else None

    def point(self, entry: Sensor | None) -> DataPoint:
        """The point of the reading.

        Args:
            entry: of its sensor in the directory.
        """
        source, stream = source_and_stream(self.sensor, self.device, entry)
        return msgspec.structs.replace(self.measured, source_id=source, stream_id=stream)


def read(raw: object, beside: Surroundings, *, now: float) -> LegacyReading | tuple[Fault, ...]:
    """Read a reading, or name all its faults; a null is a field left out.

    Args:
        raw: a JSON value.
        beside: what is said beside it.
        now: the time of its arrival, in Unix seconds.
    """
    if not isinstance(raw, dict):
        return (Fault(FaultCode.WRONG_TYPE, "reading", f"must be an object, not {json_type(raw)}"),)
    faults: list[Fault] = []
    sensor = _sensor(raw, beside.sensor, faults)
    device = device_of(raw, faults) or beside.device
    words = {"timestamp": _name_in(raw, TIME) or beside.time_field, "stream_type": _name_in(raw, SENSOR_TYPE) or ""}
    measured = _measured(raw, beside, faults)
    point = point_or_faults({"sensor_id": PLACEHOLDER} | measured, words=words, known=faults, now=now)
    return point if isinstance(point, tuple) else LegacyReading(sensor, device, point)


def device_of(raw: Mapping[str, object], faults: list[Fault]) -> str | None:
    """The device that a reading or a packet names, in canonical form; None where it names none, or by a fault more."""
    name = _name_in(raw, DEVICE)
    return None if name is None else _uuid(raw[name], name, faults)


def sensor_name(value: object, field: str, faults: list[Fault]) -> SensorName | None:
    """A sensor's number or UUID, as clients write it; None where it is neither, which is a fault more."""
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


def _sensor(raw: Mapping[str, object], beside: SensorName | None, faults: list[Fault]) -> SensorName:
    """What a reading calls its sensor: by its number if it has both, and as what is beside it says."""
    of_id, of_uuid = _name_in(raw, SENSOR_ID), _name_in(raw, SENSOR_UUID)
    own = beside
    if of_id is not None:
        own = sensor_name(raw[of_id], of_id, faults)
    elif of_uuid is not None:
        own = _uuid(raw[of_uuid], of_uuid, faults)
    elif beside is None:
        faults.append(Fault(FaultCode.MISSING, SENSOR_ID[0], f"is required, or {SENSOR_UUID[0]}"))
    if own is None or beside is None:
        return PLACEHOLDER if own is None else own
    if type(own) is type(beside) and own != beside:
        message = f"is {own}, but {beside} in the topic; leave it out, or publish to its own topic"
        faults.append(Fault(FaultCode.CONTRADICTION, of_id or of_uuid or "", message))
    return own if isinstance(own, int) else beside


def _measured(raw: Mapping[str, object], beside: Surroundings, faults: list[Fault]) -> dict[str, Any]:
    """The arguments of the factory but for the stream and the source."""
    if "value" not in raw:
        faults.append(Fault(FaultCode.MISSING, "value", "is required"))
    time_field, type_field = _name_in(raw, TIME), _name_in(raw, SENSOR_TYPE)
    return {
        "value": raw.get("value", 0),
        "timestamp": time_of(raw[time_field], time_field, faults) if time_field else beside.time,
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
    """By which of its names a field is there."""
    return next((name for name in names if raw.get(name) is not None), None)
