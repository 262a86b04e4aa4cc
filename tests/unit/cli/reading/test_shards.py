"""Reading streams: every record once, whatever happens to iterators and shards."""

# ruff: noqa: N803 - the names of Kinesis' own arguments

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from cli.reading.shards import LATEST, OLDEST, ShardReader, Start


@dataclass
class FakeKinesis:
    """Streams of shards, whose answers can be made to fail."""

    shards: dict[tuple[str, str], list[bytes]]
    closed: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    children: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    looks: list[tuple[str, str]] = field(default_factory=list)
    limit: int = 2
    _iterators: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    _names: Any = field(default_factory=count)

    def get_paginator(self, _: str) -> "FakeKinesis":
        return self

    def paginate(self, StreamName: str) -> list[dict[str, Any]]:
        return [{"Shards": [{"ShardId": shard}]} for stream, shard in self.shards if stream == StreamName]

    def get_shard_iterator(self, StreamName: str, ShardId: str, **arguments: Any) -> dict[str, str]:
        self.asked.append(arguments)
        records = self.shards[StreamName, ShardId]
        kind = arguments["ShardIteratorType"]
        position = {"LATEST": len(records), "TRIM_HORIZON": 0, "AT_TIMESTAMP": 0}.get(kind)
        if position is None:
            position = int(arguments["StartingSequenceNumber"]) + 1
        return {"ShardIterator": self._iterator(StreamName, ShardId, position)}

    def get_records(self, ShardIterator: str) -> dict[str, Any]:
        if self.failures:
            raise ClientError({"Error": {"Code": self.failures.pop(0), "Message": ""}}, "GetRecords")
        stream, shard, position = self._iterators[ShardIterator]
        self.looks.append((stream, shard))
        records = self.shards[stream, shard]
        taken = records[position : position + self.limit]
        end = position + len(taken)
        answer: dict[str, Any] = {
            "Records": [{"SequenceNumber": str(position + index), "Data": data} for index, data in enumerate(taken)],
            "MillisBehindLatest": 1000 if end < len(records) else 0,
        }
        if shard in self.closed and end == len(records):
            self.shards |= self.children
        else:
            answer["NextShardIterator"] = self._iterator(stream, shard, end)
        return answer

    def _iterator(self, stream: str, shard: str, position: int) -> str:
        name = f"iterator-{next(self._names)}"
        self._iterators[name] = (stream, shard, position)
        return name


class Clock:
    """Time that goes by only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def read(kinesis: FakeKinesis, start: Start = OLDEST, until_idle: float = 1.0) -> list[bytes]:
    clock = Clock()
    streams = list(dict.fromkeys(stream for stream, _ in kinesis.shards))
    reader = ShardReader(cast("Any", kinesis), streams, start, clock=clock, sleep=clock.sleep)
    return list(reader.records(until_idle=until_idle))


RECORDS = [b"%d" % number for number in range(5)]


def test_all_records_of_all_shards_come_each_shard_in_order() -> None:
    kinesis = FakeKinesis({("a", "1"): RECORDS, ("a", "2"): [b"x"], ("b", "1"): [b"y"]})
    records = read(kinesis)
    assert [record for record in records if record in RECORDS] == RECORDS
    assert sorted(records) == [*RECORDS, b"x", b"y"]


def test_from_now_on_means_that_older_records_do_not_come() -> None:
    assert read(FakeKinesis({("a", "1"): list(RECORDS)}), LATEST) == []


def test_a_record_that_is_written_after_the_reader_was_made_comes() -> None:
    kinesis = FakeKinesis({("a", "1"): [b"old"]})
    clock = Clock()
    reader = ShardReader(cast("Any", kinesis), ["a"], LATEST, clock=clock, sleep=clock.sleep)
    kinesis.shards["a", "1"].append(b"new")
    assert list(reader.records(until_idle=0.0)) == [b"new"]


def test_a_moment_is_asked_for() -> None:
    moment = datetime(2024, 5, 1, tzinfo=UTC)
    kinesis = FakeKinesis({("a", "1"): RECORDS})
    assert read(kinesis, Start("AT_TIMESTAMP", moment)) == RECORDS
    assert kinesis.asked == [{"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": moment}]


@pytest.mark.parametrize("failure", ["ExpiredIteratorException", "ProvisionedThroughputExceededException"])
def test_no_record_is_missed_or_repeated_after_a_failure(failure: str) -> None:
    kinesis = FakeKinesis({("a", "1"): RECORDS})
    clock = Clock()
    reader = ShardReader(cast("Any", kinesis), ["a"], OLDEST, clock=clock, sleep=clock.sleep)
    records = reader.records(until_idle=1.0)
    first = [next(records), next(records)]
    kinesis.failures = [failure, failure]
    assert first + list(records) == RECORDS


def test_a_shard_is_asked_less_than_five_times_a_second_whoever_asks_for_its_records_again() -> None:
    kinesis, clock = FakeKinesis({("a", "1"): RECORDS, ("a", "2"): RECORDS}), Clock()
    reader = ShardReader(cast("Any", kinesis), ["a"], OLDEST, clock=clock, sleep=clock.sleep)
    for _ in range(8):
        list(reader.records(until_idle=0.0))
    calls = Counter(shard for _, shard in kinesis.looks)
    assert all(count <= 5 * clock.now + 1 for count in calls.values())


def test_an_iterator_that_expires_before_any_record_begins_where_it_was_to_begin() -> None:
    kinesis = FakeKinesis({("a", "1"): RECORDS}, failures=["ExpiredIteratorException"])
    assert read(kinesis) == RECORDS


def test_another_failure_is_not_swallowed() -> None:
    kinesis = FakeKinesis({("a", "1"): RECORDS}, failures=["AccessDeniedException"])
    with pytest.raises(ClientError):
        read(kinesis)


def test_the_children_of_a_split_shard_are_read_after_it() -> None:
    children = {("a", "2"): [b"x", b"y", b"z"], ("a", "3"): [b"w"]}
    kinesis = FakeKinesis({("a", "1"): RECORDS}, closed={"1"}, children=children)
    records = read(kinesis)
    assert records[:5] == RECORDS
    assert sorted(records[5:]) == [b"w", b"x", b"y", b"z"]
