"""Kinesis streams of the classes."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from afluente.adapters.aws.calls import Unfinished, unavailable
from afluente.application.classification.ports import Delivery
from afluente.domain.classification import ClassifiedDataPoint
from afluente.domain.evaluation import Classification

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

MAX_RECORD_BYTES = 1_000_000
"""Below the 1 MiB that a record and its partition key may have in every stream (PutRecords quota)."""

MAX_CALL_BYTES = 4_000_000
"""Below the 5 MiB that a PutRecords call may have in every region; newer streams take 10 MiB."""

MAX_CALL_RECORDS = 500
"""PutRecords quota."""

_RETRY_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

_encoder = msgspec.json.Encoder()


class _Record(NamedTuple):
    partition_key: str
    data: bytes


class KinesisStreams:
    """Writes classified points as NDJSON records, retrying the failed records alone.

    Args:
        client: of Kinesis.
        streams: the name of the stream of each class.
        executor: runs the calls to different streams side by side.
        one_point_a_record: for consumers that cannot split a record; expensive, as each record is billed as at least
            1 KiB.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        client: "KinesisClient",
        streams: Mapping[Classification, str],
        *,
        executor: Executor,
        one_point_a_record: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._streams = streams
        self._executor = executor
        self._max_record_points = 1 if one_point_a_record else None
        self._sleep = sleep

    def put(self, deliveries: Sequence[Delivery]) -> None:
        by_class: dict[Classification, list[Delivery]] = {}
        for delivery in deliveries:
            by_class.setdefault(delivery.classification, []).append(delivery)
        first, *others = by_class.items()
        futures = [self._executor.submit(self._put_class, *other) for other in others]
        try:
            self._put_class(*first)
        finally:
            # After a failure, too: no call may still be under way when the pack is retried.
            errors = [error for future in futures if (error := future.exception())]
        if errors:
            raise errors[0]

    def _put_class(self, classification: Classification, deliveries: Iterable[Delivery]) -> None:
        # A call holds at most one record of a partition key: so a retry of the failed records alone cannot reorder.
        waiting = {delivery.source: deque(self._records(delivery)) for delivery in deliveries}
        while waiting:
            stream = f"Kinesis stream {self._streams[classification]}"
            unfinished = Unfinished(_next_call(waiting), dependency=stream, delays=_RETRY_DELAYS, sleep=self._sleep)
            for records in unfinished:
                unfinished.items = self._put_records(classification, records)

    def _records(self, delivery: Delivery) -> Iterator[_Record]:
        for data in _ndjson(delivery.points, self._max_record_points):
            yield _Record(delivery.source, data)

    def _put_records(self, classification: Classification, records: Sequence[_Record]) -> Sequence[_Record]:
        with unavailable(f"Kinesis stream {self._streams[classification]}"):
            answer = self._client.put_records(
                StreamName=self._streams[classification],
                Records=[{"PartitionKey": record.partition_key, "Data": record.data} for record in records],
            )
        results = zip(records, answer["Records"], strict=True)
        return [record for record, result in results if result.get("ErrorCode")]


def _next_call(waiting: dict[str, deque[_Record]]) -> list[_Record]:
    """Remove the records of the next call: one of each partition key, as far as the quotas allow."""
    call: list[_Record] = []
    size = 0
    for source, records in list(waiting.items()):
        if len(call) == MAX_CALL_RECORDS or (call and size + len(records[0].data) > MAX_CALL_BYTES):
            break
        record = records.popleft()
        size += len(record.data)
        call.append(record)
        if not records:
            del waiting[source]
    return call


def _ndjson(points: Iterable[ClassifiedDataPoint], max_points: int | None) -> Iterator[bytes]:
    """Points as lines, joined up to a record's size."""
    lines: list[bytes] = []
    size = 0
    for point in points:
        line = _encoder.encode(point)
        if lines and (len(lines) == max_points or size + len(line) + 1 > MAX_RECORD_BYTES):
            yield b"\n".join(lines) + b"\n"
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    yield b"\n".join(lines) + b"\n"
