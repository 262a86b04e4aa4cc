"""Data points: one measured value of one stream at one time."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Self

import msgspec

from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import (
    MISSING_SOURCE,
    StreamKey,
    domain_faults,
    is_domain,
    is_part,
    json_type,
    part_faults,
)

MAX_FUTURE_SECONDS = 300.0
"""Seconds that a timestamp may be ahead of the service's clock."""

MAX_METADATA_BYTES = 4096
"""Metadata of one point, as compact JSON."""

MAX_METADATA_DEPTH = 32
"""Objects and arrays inside each other in metadata, so that every JSON reader downstream can read them."""

MAX_SEQUENCE = 2**63 - 1

MIN_TIMESTAMP = -62_135_596_800.0
"""The beginning of the year 1, the first of Python's datetime, in Unix seconds."""

MAX_TIMESTAMP = 253_402_300_799.0
"""The end of the year 9999, the last one."""

# A timestamp in a finer unit, read as seconds, lies thousands of years ahead; after division it lies after 1973.
_FINER_UNITS = ((1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds"))
_EARLIEST_PLAUSIBLE = 1e8

_to_json = msgspec.json.Encoder()


class DataPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement: `value` of `stream_id` at `timestamp`.

    Attributes:
        domain: the field of use (`iot`, `finance`, …).
        source_id: the machine, server, market or patient; `_` where none is named.
        stream_id: the stream among those of the source.
        value: a finite number, kept as an IEEE 754 double.
        timestamp: when it was measured, in Unix seconds.
        stream_type: the type of the stream, to find constraint templates by.
        sequence: the sender's count, to order points of one timestamp; an integer from 0.
        metadata: anything else, at most 4 KiB as JSON.
        ingested_at: when it arrived, in Unix seconds.
        processed_at: when it was classified, in Unix seconds.

    Raises:
        FaultyError: a field is not as described above; it has every fault.
    """

    domain: str
    stream_id: str
    value: float
    timestamp: float
    source_id: str = MISSING_SOURCE
    stream_type: str | None = None
    sequence: int | None = None
    metadata: dict[str, Any] = {}
    ingested_at: float | None = None
    processed_at: float | None = None

    def __post_init__(self) -> None:
        if type(self.value) is not float or type(self.timestamp) is not float:
            _make_double(self)
        if not _is_sound(self):
            raise FaultyError(faults_of({name: getattr(self, name) for name in self.__struct_fields__}))

    @classmethod
    def from_iot_reading(
        cls,
        sensor_id: str,
        value: float,
        timestamp: float,
        *,
        device_uuid: str = MISSING_SOURCE,
        sensor_type: str | None = None,
        sequence: int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Self:
        """A sensor's reading: domain `iot`, the device is the source, the sensor the stream."""
        return cls(
            domain="iot",
            source_id=device_uuid,
            stream_id=sensor_id,
            value=value,
            timestamp=timestamp,
            stream_type=sensor_type,
            sequence=sequence,
            metadata={} if metadata is None else metadata,
        )

    @classmethod
    def from_server_metric(
        cls,
        host: str,
        metric: str,
        value: float,
        timestamp: float,
        *,
        sequence: int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Self:
        """A server's metric: domain `infrastructure`, the host is the source, `{host}:{metric}` the stream."""
        return cls(
            domain="infrastructure",
            source_id=host,
            stream_id=f"{host}:{metric}",
            value=value,
            timestamp=timestamp,
            stream_type=metric,
            sequence=sequence,
            metadata={} if metadata is None else metadata,
        )

    @classmethod
    def from_financial_tick(
        cls,
        symbol: str,
        price: float,
        timestamp: float,
        *,
        venue: str = MISSING_SOURCE,
        field: str = "price",
        sequence: int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Self:
        """A market's tick: domain `finance`, the venue is the source, `{symbol}:{field}` the stream."""
        return cls(
            domain="finance",
            source_id=venue,
            stream_id=f"{symbol}:{field}",
            value=price,
            timestamp=timestamp,
            stream_type=field,
            sequence=sequence,
            metadata={} if metadata is None else metadata,
        )

    @classmethod
    def from_vital_sign(
        cls,
        patient_id: str,
        sign: str,
        value: float,
        timestamp: float,
        *,
        sequence: int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Self:
        """A patient's vital sign: domain `health`, the patient is the source, `{patient_id}:{sign}` the stream."""
        return cls(
            domain="health",
            source_id=patient_id,
            stream_id=f"{patient_id}:{sign}",
            value=value,
            timestamp=timestamp,
            stream_type=sign,
            sequence=sequence,
            metadata={} if metadata is None else metadata,
        )

    @property
    def key(self) -> StreamKey:
        """The stream it belongs to."""
        return StreamKey(self.domain, self.source_id, self.stream_id)

    @property
    def timestamp_datetime(self) -> datetime:
        """`timestamp` as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.timestamp, tz=UTC)

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds from its arrival to its classification; None until both are known."""
        if self.ingested_at is None or self.processed_at is None:
            return None
        return (self.processed_at - self.ingested_at) * 1000


def faults_of(raw: Mapping[str, object]) -> tuple[Fault, ...]:
    """Every fault of the fields of a data point.

    Args:
        raw: the fields of a `DataPoint` by name, of any type; unknown names are ignored.
    """
    faults = [
        *domain_faults(raw.get("domain", "iot")),
        *part_faults("source_id", raw.get("source_id", MISSING_SOURCE)),
    ]
    faults += _required(raw, "stream_id") or part_faults("stream_id", raw["stream_id"])
    faults += _required(raw, "value") or _number_faults("value", raw["value"])
    faults += _required(raw, "timestamp") or _timestamp_faults("timestamp", raw["timestamp"])
    if raw.get("stream_type") is not None:
        faults += part_faults("stream_type", raw["stream_type"])
    if raw.get("sequence") is not None:
        faults += _sequence_faults(raw["sequence"])
    faults += metadata_faults(raw.get("metadata", {}))
    for name in ("ingested_at", "processed_at"):
        if raw.get(name) is not None:
            faults += _timestamp_faults(name, raw[name])
    return tuple(faults)


def arrival_fault(timestamp: float, now: float) -> Fault | None:
    """The fault of a timestamp that arrives at `now`: more than 300 s ahead, or not in seconds.

    Args:
        timestamp: a finite number.
        now: the service's clock, in Unix seconds.
    """
    latest = now + MAX_FUTURE_SECONDS
    if timestamp <= latest:
        return None
    for divisor, unit in _FINER_UNITS:
        if _EARLIEST_PLAUSIBLE <= timestamp / divisor <= latest:
            message = f"{timestamp:.0f} can only be {unit}; send Unix seconds: divide by {divisor:.0f}"
            return Fault(FaultCode.NOT_SECONDS, "timestamp", message)
    message = f"is {timestamp - now:.0f} s ahead of the service's clock; {MAX_FUTURE_SECONDS:.0f} s are allowed"
    return Fault(FaultCode.IN_FUTURE, "timestamp", message)


def is_deeper_than(levels: int, value: object) -> bool:
    """Tell whether a JSON value has more than `levels` objects and arrays inside each other."""
    layer = [value]
    for _ in range(levels):
        layer = [child for node in layer for child in _children(node)]
        if not layer:
            return False
    return any(isinstance(node, dict | list) for node in layer)


def metadata_faults(value: object) -> tuple[Fault, ...]:
    """Faults of metadata, which is an object, not too deep, not too long, and representable in JSON."""
    if not isinstance(value, dict):
        return (Fault(FaultCode.WRONG_TYPE, "metadata", f"must be an object, not {json_type(value)}"),)
    if is_deeper_than(MAX_METADATA_DEPTH, value):
        return (Fault(FaultCode.TOO_DEEP, "metadata", f"nests deeper than {MAX_METADATA_DEPTH} levels"),)
    if not _all_finite(value):
        return (Fault(FaultCode.NOT_FINITE, "metadata", "holds a number that is not finite"),)
    return _metadata_size_faults(value)


def _is_sound(point: DataPoint) -> bool:
    """The quick half of `faults_of`: there is no fault."""
    return (
        type(point.value) is float
        and isfinite(point.value)
        and type(point.timestamp) is float
        and MIN_TIMESTAMP <= point.timestamp <= MAX_TIMESTAMP
        and type(point.stream_id) is str
        and is_part(point.stream_id)
        and type(point.source_id) is str
        and is_part(point.source_id)
        and type(point.domain) is str
        and is_domain(point.domain)
        and (point.stream_type is None or (type(point.stream_type) is str and is_part(point.stream_type)))
        and (point.sequence is None or (type(point.sequence) is int and 0 <= point.sequence <= MAX_SEQUENCE))
        and (point.metadata == {} or not metadata_faults(point.metadata))
        and (point.ingested_at is None or _is_time(point.ingested_at))
        and (point.processed_at is None or _is_time(point.processed_at))
    )


def _is_time(value: object) -> bool:
    return (type(value) is float and MIN_TIMESTAMP <= value <= MAX_TIMESTAMP) or not _timestamp_faults("", value)


def _make_double(point: DataPoint) -> None:
    for name in ("value", "timestamp"):
        number = getattr(point, name)
        if not _number_faults(name, number):
            msgspec.structs.force_setattr(point, name, float(number))


def _required(raw: Mapping[str, object], field: str) -> tuple[Fault, ...]:
    return () if field in raw else (Fault(FaultCode.MISSING, field, "is required"),)


def _number_faults(field: str, value: object) -> tuple[Fault, ...]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (Fault(FaultCode.WRONG_TYPE, field, f"must be a number, not {json_type(value)}"),)
    try:
        finite = isfinite(value)
    except OverflowError:  # an integer that no double can hold
        finite = False
    if not finite:
        return (Fault(FaultCode.NOT_FINITE, field, "must be a finite number that a 64-bit double can hold"),)
    return ()


def _timestamp_faults(field: str, value: object) -> tuple[Fault, ...]:
    faults = _number_faults(field, value)
    if not faults and not MIN_TIMESTAMP <= value <= MAX_TIMESTAMP:  # type: ignore[operator] # it is a number
        message = f"must be Unix seconds between the years 1 and 9999, not {value}"
        return (Fault(FaultCode.OUT_OF_RANGE, field, message),)
    return faults


def _sequence_faults(value: object) -> tuple[Fault, ...]:
    if type(value) is not int:
        return (Fault(FaultCode.WRONG_TYPE, "sequence", f"must be an integer, not {json_type(value)}"),)
    if value < 0:
        return (Fault(FaultCode.NEGATIVE, "sequence", "must be 0 or more"),)
    if value > MAX_SEQUENCE:
        return (Fault(FaultCode.OUT_OF_RANGE, "sequence", f"must be at most {MAX_SEQUENCE}"),)
    return ()


def _metadata_size_faults(value: dict[str, object]) -> tuple[Fault, ...]:
    try:
        size = len(_to_json.encode(value))
    except UnicodeEncodeError:
        message = "holds a lone surrogate, which no UTF-8 text can hold"
        return (Fault(FaultCode.FORBIDDEN_CHARACTER, "metadata", message),)
    except TypeError:
        return (Fault(FaultCode.WRONG_TYPE, "metadata", "holds a value that JSON does not have"),)
    except ValueError:  # an integer of more digits than Python converts, and so than metadata may have
        message = f"holds an integer of more than {MAX_METADATA_BYTES} digits"
        return (Fault(FaultCode.TOO_LONG, "metadata", message),)
    if size > MAX_METADATA_BYTES:
        message = f"is {size} bytes as JSON; {MAX_METADATA_BYTES} are allowed"
        return (Fault(FaultCode.TOO_LONG, "metadata", message),)
    return ()


def _all_finite(value: object) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return all(_all_finite(child) for child in _children(value))


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
