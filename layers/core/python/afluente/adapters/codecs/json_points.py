"""Points in JSON, the same for every transport.

Sound points are decoded quickly. Any other is decoded again slowly, so that all its faults are named and its neighbours
are accepted.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from afluente.adapters.codecs.json_documents import MAX_DEPTH, too_deep
from afluente.application.ingest.rejection import RejectedPoint
from afluente.domain.datapoints import DataPoint, arrival_fault, faults_of, is_deeper_than
from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import json_type

_REQUIRED = frozenset({"stream_id", "value", "timestamp"})
# The document, its array of points, and the point.
_LEVELS_ABOVE_METADATA = 3


class JsonPoint(msgspec.Struct, omit_defaults=True):
    """A point whose fields have the right types, not checked further.

    Attributes:
        stream_id: the stream among those of the source; by custom `{source_id}:{what}`.
        value: any finite number that a 64-bit double can hold.
        timestamp: when it was measured, in Unix seconds.
        stream_type: the type of the stream, to find constraint templates by.
        sequence: the sender's count; orders points of one timestamp.
        metadata: anything else.
    """

    stream_id: str
    value: float
    timestamp: float
    stream_type: str | None = None
    sequence: int | None = None
    metadata: dict[str, Any] | None = None


def partition_points(
    items: Iterable[object], *, domain: str, source_id: str, now: float
) -> tuple[list[DataPoint], list[RejectedPoint]]:
    """Partition points into sound and rejected ones.

    Args:
        items: `JsonPoint`s, or JSON values of any kind.
        domain: of all of them, already checked.
        source_id: of all of them, already checked.
        now: the time of their arrival, in Unix seconds.

    Raises:
        MalformedJsonError: a rejected point nests too deeply to be quarantined.
    """
    points: list[DataPoint] = []
    rejected: list[RejectedPoint] = []
    for index, item in enumerate(items):
        point = _sound_point(item, domain, source_id, now) if isinstance(item, JsonPoint) else None
        if point is None:
            raw = _raw(item)
            decoded = decode_point(raw, domain=domain, source_id=source_id, now=now)
            if not isinstance(decoded, DataPoint):
                rejected.append(RejectedPoint(index, decoded, raw))
                continue
            point = decoded
        points.append(point)
    return points, rejected


def decode_point(raw: object, *, domain: str, source_id: str, now: float) -> DataPoint | tuple[Fault, ...]:
    """The point of a JSON value, or all its faults. A null counts as a field left out."""
    if not isinstance(raw, dict):
        return (Fault(FaultCode.WRONG_TYPE, "datapoint", f"must be an object, not {json_type(raw)}"),)
    fields = {
        name: raw[name]
        for name in JsonPoint.__struct_fields__
        if raw.get(name) is not None or name in _REQUIRED & raw.keys()
    }
    faults = with_arrival_fault(faults_of(fields), fields.get("timestamp"), now)
    if faults:
        return faults
    return DataPoint(domain=domain, source_id=source_id, ingested_at=now, **fields)


def with_arrival_fault(faults: tuple[Fault, ...], timestamp: Any, now: float) -> tuple[Fault, ...]:
    """The faults of a point, with the fault of its time by the service's clock.

    Args:
        faults: of the point.
        timestamp: of the point; a number, unless one of the faults is of it.
        now: the time of its arrival, in Unix seconds.
    """
    if any(fault.field == "timestamp" and fault.code is not FaultCode.OUT_OF_RANGE for fault in faults):
        return faults
    arrival = arrival_fault(float(timestamp), now)
    return (*(fault for fault in faults if fault.field != "timestamp"), arrival) if arrival else faults


def _sound_point(item: JsonPoint, domain: str, source_id: str, now: float) -> DataPoint | None:
    """Decode a sound point quickly; None for a point with a fault."""
    if arrival_fault(item.timestamp, now):
        return None
    try:
        return DataPoint(
            domain=domain,
            source_id=source_id,
            stream_id=item.stream_id,
            value=item.value,
            timestamp=item.timestamp,
            stream_type=item.stream_type,
            sequence=item.sequence,
            metadata=item.metadata or {},
            ingested_at=now,
        )
    except FaultyError:
        return None


def _raw(item: object) -> object:
    """A rejected point as a JSON value, for the quarantine."""
    if not isinstance(item, JsonPoint):
        return item
    if is_deeper_than(MAX_DEPTH - _LEVELS_ABOVE_METADATA, item.metadata):
        raise too_deep()
    return msgspec.to_builtins(item)
