"""The output of a running stack: points on Kinesis, alarms on the EventBridge bus and in the log of alarms."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from afluente.adapters.codecs.kinesis_records import lines_of
from afluente.application.ingest.packs import shard_group
from afluente.domain.evaluation import Classification
from cli.reading.log_events import read
from infra.presets import local
from tests.stack import LocalStack

Document = dict[str, Any]

SHARDS = local().shards

_RULE = "tests"
_QUEUE = "tests-alarms"
_LOOK_SECONDS = 0.21
"""Between two looks at a shard, which answers five calls of GetRecords a second."""
_WHEN_CLASSIFIED = frozenset({"ingested_at", "processed_at"})


class Outbox:
    """Points that came out since it was made."""

    def __init__(self, stack: LocalStack) -> None:
        self._kinesis = stack.client("kinesis")
        self._streams = {name: stack.target[f"{name.title()}Stream"] for name in Classification}
        self._made_at = datetime.now(UTC)
        self._came: dict[str, list[Document]] = defaultdict(list)
        self._iterators: dict[tuple[Classification, str], str] = {}
        self._due_at: dict[tuple[Classification, str], float] = {}

    def lines(self, source: str) -> list[Document]:
        """Every point of a source (`domain/source_id`) with its repeats, those of one class in their order."""
        self._read_on()
        return list(self._came[source])

    def lines_of(self, sources: Iterable[str]) -> list[Document]:
        """As `lines`, of many sources at once."""
        self._read_on()
        return [line for source in sources for line in self._came[source]]

    def points(self, source: str) -> list[Document]:
        """Every point of a source as a consumer has it that drops repeats by `point_id`, without times of processing.

        Asserts that a repeat is the same measurement under the same id, with the same classification.
        """
        first: dict[str, Document] = {}
        ids: dict[str, str] = {}
        for line in self.lines(source):
            point = timeless(line)
            assert first.setdefault(point["point_id"], point) == point
            measurement = json.dumps([point["stream_id"], point["timestamp"], point.get("sequence"), point["value"]])
            assert ids.setdefault(measurement, point["point_id"]) == point["point_id"]
        return list(first.values())

    def _read_on(self) -> None:
        # Not before the first look: an iterator ends after five minutes.
        self._iterators = self._iterators or self._first_iterators()
        for (name, shard), iterator in self._iterators.items():
            self._iterators[name, shard] = self._read(name, shard, iterator)

    def _first_iterators(self) -> dict[tuple[Classification, str], str]:
        return {
            (name, shard["ShardId"]): self._kinesis.get_shard_iterator(
                StreamName=stream,
                ShardId=shard["ShardId"],
                ShardIteratorType="AT_TIMESTAMP",
                Timestamp=self._made_at,
            )["ShardIterator"]
            for name, stream in self._streams.items()
            for shard in self._kinesis.list_shards(StreamName=stream)["Shards"]
        }

    def _read(self, name: Classification, shard: str, iterator: str) -> str:
        while True:
            # All shards are looked at in turn, so this waits for the first of them alone.
            time.sleep(max(0.0, self._due_at.get((name, shard), 0.0) - time.monotonic()))
            self._due_at[name, shard] = time.monotonic() + _LOOK_SECONDS
            answer = self._kinesis.get_records(ShardIterator=iterator)
            iterator = answer["NextShardIterator"]
            for record in answer["Records"]:
                points = [json.loads(line) for line in lines_of(record["Data"])]
                assert {point["classification"] for point in points} == {name}
                sources = [f"{point['domain']}/{point['source_id']}" for point in points]
                assert {shard_group(source, SHARDS) for source in sources} == {record["PartitionKey"]}
                for source, point in zip(sources, points, strict=True):
                    self._came[source].append(point)
            if answer["MillisBehindLatest"] == 0:
                return str(iterator)


class AlarmTap:
    """Alarms that came out since it was made, on the bus and in the log."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._sqs = stack.client("sqs")
        self._queue_url: str = self._sqs.create_queue(QueueName=_QUEUE)["QueueUrl"]
        self._came: dict[str, list[Document]] = defaultdict(list)
        self._follow(stack.target["AlarmBus"])

    def on_bus(self, source: str) -> list[Document]:
        """Every alarm event of a source that rules on the bus received, with its repeats."""
        while messages := self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                event = json.loads(message["Body"])
                detail: Document = event["detail"]
                assert event["source"] == "afluente"
                assert event["detail-type"] == {"raised": "Alarm raised", "cleared": "Alarm cleared"}[detail["state"]]
                assert event["resources"] == [f"{detail['domain']}/{detail['source_id']}/{detail['stream_id']}"]
                self._came[f"{detail['domain']}/{detail['source_id']}"].append(detail)
            handles = [{"Id": str(i), "ReceiptHandle": sent["ReceiptHandle"]} for i, sent in enumerate(messages)]
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=handles)
        return list(self._came[source])

    def in_log(self, source: str) -> list[Document]:
        """Every alarm event of a source in the log of alarms, with its repeats."""
        log = read(self._stack.client("logs"), self._stack.target["AlarmLogGroup"], since_ms=0, follow=False)
        events = [json.loads(line.message) for line in log]
        return [event for event in events if f"{event['domain']}/{event['source_id']}" == source]

    def _follow(self, bus: str) -> None:
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
        events = self._stack.client("events")
        events.put_rule(Name=_RULE, EventBusName=bus, EventPattern=json.dumps({"source": ["afluente"]}))
        target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
        events.put_targets(Rule=_RULE, EventBusName=bus, Targets=[target])


def timeless(point: Document) -> Document:
    """A point without the times of its arrival and its classification."""
    return {name: value for name, value in point.items() if name not in _WHEN_CLASSIFIED}


def distinct(alarms: list[Document]) -> list[Document]:
    """Alarm events without repeats."""
    return list({(alarm["alarm_id"], alarm["transition"]): alarm for alarm in alarms}.values())


def of_stream(documents: list[Document], key: str) -> Iterator[Document]:
    """Those of points or alarm events that are of one stream."""
    for document in documents:
        if f"{document['domain']}/{document['source_id']}/{document['stream_id']}" == key:
            yield document
