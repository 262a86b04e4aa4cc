"""Kinesis streams of the classes."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, NamedTuple

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.codecs.kinesis_records import RecordFormat, encode_records
from afluente.application.classification.ports import Delivery
from afluente.application.errors import UnavailableError
from afluente.domain.evaluation import Classification

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

MAX_CALL_RECORDS = 500
"""Kinesis quota of PutRecords. A call of so many records of one point is far below the 10 MiB of a call."""

RETRY_SECONDS = 0.2
"""Pause before failed records are written again. A shard takes 1 MiB a second and keeps what it did not use for a
second, so that a longer pause with doubling delays would waste its rate."""

PATIENCE_SECONDS = 2.0
"""Time without any record accepted after which a shard counts as unavailable."""


class _Record(NamedTuple):
    partition_key: str
    data: bytes
    stream: str | None
    """The stream of its points; None where it may hold points of any stream of its partition key."""


class KinesisStreams:
    """Writes classified points, one record a pack and class as far as the size allows; retries failed records alone.

    Args:
        client: of Kinesis.
        streams: the name of the stream of each class.
        executor: runs the calls to different streams side by side.
        record_format: form of the records.
        sleep: waits between attempts.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        client: "KinesisClient",
        streams: Mapping[Classification, str],
        *,
        executor: Executor,
        record_format: RecordFormat = RecordFormat.PLAIN,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._streams = streams
        self._executor = executor
        self._format = record_format
        self._sleep = sleep
        self._clock = clock

    def put(self, deliveries: Sequence[Delivery], *, time_left: Callable[[], float]) -> None:
        by_class: dict[Classification, list[Delivery]] = {}
        for delivery in deliveries:
            by_class.setdefault(delivery.classification, []).append(delivery)
        first, *others = by_class.items()
        futures = [self._executor.submit(self._put_class, *other, time_left) for other in others]
        try:
            self._put_class(*first, time_left)
        finally:
            # After a failure, too: no call may still be under way when the pack is retried.
            errors = [error for future in futures if (error := future.exception())]
        if errors:
            raise errors[0]

    def _put_class(
        self, classification: Classification, deliveries: Iterable[Delivery], time_left: Callable[[], float]
    ) -> None:
        waiting = deque(record for delivery in deliveries for record in self._records(delivery))
        total = len(waiting)
        gives_up_at = self._clock() + PATIENCE_SECONDS
        while waiting:
            call = _next_call(waiting)
            failed = self._put_records(classification, call)
            if not failed:
                gives_up_at = self._clock() + PATIENCE_SECONDS
                continue
            # Before all others: no later record of their streams is written earlier.
            waiting.extendleft(reversed([record for record, _ in failed]))
            if len(failed) < len(call):
                gives_up_at = self._clock() + PATIENCE_SECONDS
            if self._clock() >= gives_up_at or time_left() <= RETRY_SECONDS:
                cause = failed[0][1]
                name = self._streams[classification]
                raise UnavailableError(f"Kinesis stream {name}: {len(waiting)} of {total} records failed: {cause}")
            self._sleep(RETRY_SECONDS)

    def _records(self, delivery: Delivery) -> Iterator[_Record]:
        records = encode_records(delivery.points, self._format)
        if self._format is RecordFormat.POINT:
            for point, data in zip(delivery.points, records, strict=True):
                yield _Record(delivery.group, data, f"{point.domain}/{point.source_id}/{point.stream_id}")
            return
        for data in records:
            yield _Record(delivery.group, data, None)

    def _put_records(self, classification: Classification, records: Sequence[_Record]) -> Sequence[tuple[_Record, str]]:
        """Write records; returns those that failed, each with the reason."""
        with unavailable(f"Kinesis stream {self._streams[classification]}"):
            answer = self._client.put_records(
                StreamName=self._streams[classification],
                Records=[{"PartitionKey": record.partition_key, "Data": record.data} for record in records],
            )
        results = zip(records, answer["Records"], strict=True)
        return [
            (record, f"{code}: {result.get('ErrorMessage')}")
            for record, result in results
            if (code := result.get("ErrorCode"))
        ]


def _next_call(waiting: deque[_Record]) -> list[_Record]:
    """Remove the records of the next call: no two of them share a stream of points.

    PutRecords may fail for the first of two and not for the second, which would then come before it.
    """
    call: list[_Record] = []
    streams: set[tuple[str, str | None]] = set()
    while waiting and len(call) < MAX_CALL_RECORDS and (waiting[0][0], waiting[0].stream) not in streams:
        record = waiting.popleft()
        streams.add((record.partition_key, record.stream))
        call.append(record)
    return call
