"""Quarantine of points of new streams beyond the limit of their source."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from afluente.application.ingest.packs import ReceivedPack
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import StreamKey


def too_many_streams(
    pack: ReceivedPack, beyond_limit: Mapping[StreamKey, tuple[int, Sequence[DataPoint]]]
) -> Iterator[QuarantinedRecord]:
    """The quarantined records of a pack, one a source; the same at each retry of the pack.

    Args:
        pack: as the queue delivered it.
        beyond_limit: points by stream, with the limit of streams a source.
    """
    by_source: dict[str, list[DataPoint]] = {}
    limits: dict[str, int] = {}
    for key, (limit, points) in beyond_limit.items():
        by_source.setdefault(key.source, []).extend(points)
        limits[key.source] = limit
    for number, (source, points) in enumerate(by_source.items()):
        fault = Fault(
            FaultCode.OUT_OF_RANGE,
            "stream_id",
            f"the source has {limits[source]:,} streams already, the most that this stage allows"
            " (streams_per_source): use the stream ids that exist, spread the streams over several sources,"
            " or have the limit raised",
        )
        yield QuarantinedRecord(
            record_id=f"{pack.message_id}-{number}",
            reason=QuarantineReason.TOO_MANY_STREAMS,
            transport=pack.transport or "sqs",
            failed_at=max(point.ingested_at or 0.0 for point in points),
            message=f"{len(points)} point(s) of new streams of {source}: {fault.message}",
            origin={"domain": points[0].domain, "source_id": points[0].source_id},
            faults=dict.fromkeys(range(len(points)), (fault,)),
            payload=json.dumps([_raw(point) for point in points]),
        )


def _raw(point: DataPoint) -> dict[str, Any]:
    """The point as a client may send it again."""
    fields = {
        "stream_id": point.stream_id,
        "stream_type": point.stream_type,
        "value": point.value,
        "timestamp": point.timestamp,
        "sequence": point.sequence,
        "metadata": point.metadata or None,
    }
    return {name: value for name, value in fields.items() if value is not None}
