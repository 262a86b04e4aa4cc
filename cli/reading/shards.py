"""Reads Kinesis streams: every shard from a place on, for as long as wanted."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_LOOK_SECONDS = 0.25
"""Between two looks at a shard: GetRecords may be called five times a second, by all its readers together."""


@dataclass(frozen=True, slots=True)
class Start:
    """Starting position in a stream.

    Attributes:
        kind: LATEST, TRIM_HORIZON (the oldest record) or AT_TIMESTAMP.
        time: for AT_TIMESTAMP.
    """

    kind: str
    time: datetime | None = None

    def arguments(self) -> dict[str, Any]:
        """The arguments of GetShardIterator."""
        return {"ShardIteratorType": self.kind} | ({"Timestamp": self.time} if self.time else {})


LATEST = Start("LATEST")
OLDEST = Start("TRIM_HORIZON")


@dataclass(slots=True)
class _Shard:
    """A shard and how far it is read; `iterator` is None once it is read to its end.

    Attributes:
        due_at: earliest time of the next look, as the reader's clock has it.
    """

    stream: str
    shard_id: str
    start: Start
    iterator: str | None
    last_sequence_number: str | None = None
    is_behind: bool = False
    due_at: float = 0.0


@dataclass(slots=True)
class ShardReader:
    """Reads the records of some streams.

    Args:
        client: of Kinesis.
        streams: names.
        start: where to begin in each; what is written after the reader was made is never missed.
        clock: seconds that only go forward.
        sleep: waits between looks.
    """

    client: "KinesisClient"
    streams: Sequence[str]
    start: Start
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _shards: dict[tuple[str, str], _Shard] = field(init=False)

    def __post_init__(self) -> None:
        self._shards = {}
        for stream in self.streams:
            self._add_shards(stream, self.start)

    def records(self, *, until_idle: float | None) -> Iterator[bytes]:
        """The records as Kinesis has them, those of one shard in order; `lines_of` reads either format.

        Args:
            until_idle: end when nothing came for so many seconds, with every shard read to its present end; None for
                never.
        """
        last_came = self.clock()
        while True:
            for shard in list(self._shards.values()):
                for data in self._read(shard):
                    yield data
                    last_came = self.clock()
            if any(shard.is_behind for shard in self._shards.values()):
                continue
            if until_idle is not None and self.clock() - last_came >= until_idle:
                return

    def _read(self, shard: _Shard) -> Iterator[bytes]:
        """The records that a shard has now."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - loaded with the client

        if shard.iterator is None:
            return
        if (wait := shard.due_at - self.clock()) > 0:
            self.sleep(wait)
        shard.due_at = self.clock() + _LOOK_SECONDS
        try:
            answer: Any = self.client.get_records(ShardIterator=shard.iterator)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ExpiredIteratorException":
                shard.iterator = self._iterator(shard)
            elif code != "ProvisionedThroughputExceededException":
                raise
            # Else another reader was faster; the same iterator is good for the next look.
            return
        shard.iterator = answer.get("NextShardIterator")
        shard.is_behind = shard.iterator is not None and answer.get("MillisBehindLatest", 0) > 0
        for record in answer["Records"]:
            shard.last_sequence_number = record["SequenceNumber"]
            yield record["Data"]
        if shard.iterator is None:
            # It was split or merged, and is read to its end: its children have what came after.
            self._add_shards(shard.stream, OLDEST)

    def _add_shards(self, stream: str, start: Start) -> None:
        for page in self.client.get_paginator("list_shards").paginate(StreamName=stream):
            for found in page["Shards"]:
                key = (stream, found["ShardId"])
                if key not in self._shards:
                    shard = _Shard(stream, found["ShardId"], start, None)
                    shard.iterator = self._iterator(shard)
                    self._shards[key] = shard

    def _iterator(self, shard: _Shard) -> str:
        arguments: dict[str, Any] = shard.start.arguments()
        if shard.last_sequence_number is not None:
            arguments = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": shard.last_sequence_number,
            }
        answer = self.client.get_shard_iterator(StreamName=shard.stream, ShardId=shard.shard_id, **arguments)
        return answer["ShardIterator"]
