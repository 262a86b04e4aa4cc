"""The contract of `ClassifiedStreams`: points reach the stream of their class, in order, at least once."""

import gzip
import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import pytest

from afluente.adapters.aws.kinesis import MAX_CALL_RECORDS, PATIENCE_SECONDS, RETRY_SECONDS, KinesisStreams
from afluente.adapters.codecs.kinesis_records import MAX_RECORD_BYTES, RecordFormat, lines_of
from afluente.adapters.memory.classification import MemoryStreams
from afluente.application.classification.ports import ClassifiedStreams, Delivery
from afluente.application.errors import UnavailableError
from afluente.domain.classification import ClassifiedDataPoint
from afluente.domain.constraints import RateViolation, Severity
from afluente.domain.evaluation import Classification, Reason
from tests.contract.local_aws import PUT_RECORDS, LocalAws, fail, fail_in_part, record_calls
from tests.factories import NOW, a_classified_point, a_delivery

NORMAL, ALERT, WARNING, ANOMALY = (
    Classification.NORMAL,
    Classification.ALERT,
    Classification.WARNING,
    Classification.ANOMALY,
)


@dataclass
class Streams:
    """The streams of the classes from both ends."""

    writing: ClassifiedStreams
    read: Callable[[Classification], list[ClassifiedDataPoint]]


class Pauses:
    """A clock that goes on while somebody sleeps, and at no other time."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Kinesis:
    """Kinesis streams of which a test looks at the records."""

    client: Any
    names: dict[Classification, str]
    executor: Executor

    def writing(
        self, record_format: RecordFormat = RecordFormat.GZIP, pauses: "Pauses | None" = None
    ) -> KinesisStreams:
        pauses = pauses or Pauses()
        return KinesisStreams(
            self.client,
            self.names,
            executor=self.executor,
            record_format=record_format,
            sleep=pauses.sleep,
            clock=lambda: pauses.now,
        )

    def records(self, classification: Classification) -> list[dict[str, Any]]:
        """The records of a stream, those of a partition key in their order."""
        name = self.names[classification]
        found: list[dict[str, Any]] = []
        for shard in self.client.list_shards(StreamName=name)["Shards"]:
            iterator = self.client.get_shard_iterator(
                StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while records := (answer := self.client.get_records(ShardIterator=iterator))["Records"]:
                found += records
                iterator = answer["NextShardIterator"]
        return found

    def points(self, classification: Classification) -> list[ClassifiedDataPoint]:
        return [
            msgspec.json.decode(line, type=ClassifiedDataPoint)
            for record in self.records(classification)
            for line in lines_of(record["Data"])
        ]


@pytest.fixture
def streams(backend: LocalAws | None, executor: Executor) -> Streams:
    if backend is None:
        memory = MemoryStreams()
        return Streams(memory, memory.points.__getitem__)
    local = _kinesis(backend, executor)
    return Streams(local.writing(), local.points)


@pytest.fixture
def kinesis(aws: LocalAws, executor: Executor) -> Kinesis:
    return _kinesis(aws, executor)


def _kinesis(local: LocalAws, executor: Executor) -> Kinesis:
    return Kinesis(local.client("kinesis"), {name: local.stream() for name in Classification}, executor)


def a_run(
    count: int, source: str = "iot/furnace-1", classification: Classification = NORMAL, start: int = 0
) -> list[ClassifiedDataPoint]:
    """Points of one source and class, numbered."""
    domain, source_id = source.split("/")
    return [
        a_classified_point(
            float(number),
            at=number,
            sequence=number,
            domain=domain,
            source_id=source_id,
            classification=classification,
        )
        for number in range(start, start + count)
    ]


def noisy(points: Sequence[ClassifiedDataPoint]) -> list[ClassifiedDataPoint]:
    """The same with 3 KB of metadata a point, which cannot be compressed."""
    noise = Random(7)  # noqa: S311 - no secret
    return [
        msgspec.structs.replace(point, metadata={"noise": b64encode(noise.randbytes(2_250)).decode()})
        for point in points
    ]


def put(streams: ClassifiedStreams, *deliveries: Delivery, time_left: float = 30.0) -> None:
    streams.put(deliveries, time_left=lambda: time_left)


def of_source(found: Sequence[ClassifiedDataPoint], source: str) -> list[ClassifiedDataPoint]:
    return [point for point in found if f"{point.domain}/{point.source_id}" == source]


# --- every streams ---------------------------------------------------------------------------------------------------


def test_points_are_read_as_they_were_written_and_in_their_order(streams: Streams) -> None:
    full = a_classified_point(
        60.5,
        stream_type="thermocouple",
        sequence=7,
        metadata={"big": 10**30, "text": "\ufffe\n😀", "null": None},
        classification=ALERT,
        reason=Reason.HARD_LIMIT,
        violated_constraints={"max_value": 50.0},
        violated_rate={"abs_delta": RateViolation(5.0, 40.5)},
        severity=Severity.CRITICAL,
        late=True,
    )

    put(streams.writing, a_delivery(full, classification=ALERT), a_delivery(*a_run(20)))

    assert streams.read(ALERT) == [full]
    assert streams.read(NORMAL) == a_run(20)
    assert streams.read(WARNING) == streams.read(ANOMALY) == []


def test_every_class_has_its_stream(streams: Streams) -> None:
    runs = {name: a_run(2, classification=name) for name in Classification}

    put(streams.writing, *(a_delivery(*run, classification=name) for name, run in runs.items()))

    assert {name: streams.read(name) for name in Classification} == runs


def test_points_of_a_source_keep_their_order_over_many_calls(streams: Streams) -> None:
    for start in range(0, 50, 10):
        put(streams.writing, a_delivery(*a_run(10, start=start), *a_run(10, "iot/furnace-2", start=start)))

    for source in ("iot/furnace-1", "iot/furnace-2"):
        assert [point.sequence for point in of_source(streams.read(NORMAL), source)] == list(range(50))


def test_any_number_of_points_keeps_its_order(streams: Streams) -> None:
    run = noisy(a_run(1_500))

    put(streams.writing, a_delivery(*run))

    assert streams.read(NORMAL) == run


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_record_holds_the_points_of_a_pack_gzipped_under_the_message_group(kinesis: Kinesis) -> None:
    put(kinesis.writing(), a_delivery(*a_run(3), *a_run(2, "health/patient-9"), group="7-of-64"))

    (record,) = kinesis.records(NORMAL)
    assert record["PartitionKey"] == "7-of-64"
    lines = gzip.decompress(record["Data"])
    assert lines.endswith(b"}\n")
    assert [json.loads(line)["sequence"] for line in lines.splitlines()] == [0, 1, 2, 0, 1]


def test_a_plain_record_is_one_json_object_a_line(kinesis: Kinesis) -> None:
    put(kinesis.writing(RecordFormat.PLAIN), a_delivery(*a_run(3)))

    (record,) = kinesis.records(NORMAL)
    assert record["Data"].endswith(b"}\n")
    assert [json.loads(line)["sequence"] for line in record["Data"].splitlines()] == [0, 1, 2]


def test_a_point_on_the_wire_is_a_flat_object(kinesis: Kinesis) -> None:
    put(
        kinesis.writing(RecordFormat.PLAIN),
        a_delivery(
            a_classified_point(
                60.5,
                at=3600,
                point_id="12a1a3b7657d7ae0cd50963ba7f2d023",
                stream_type="thermocouple",
                sequence=7,
                metadata={"batch": "b-1"},
                classification=ALERT,
                reason=Reason.HARD_LIMIT,
                violated_constraints={"max_value": 50.0},
                violated_rate={"abs_delta": RateViolation(5.0, 40.5)},
                severity=Severity.CRITICAL,
                config_version=3,
                config_key="iot#thermocouple",
                processed_at=NOW + 0.5,
            ),
            classification=ALERT,
        ),
        a_delivery(a_classified_point(1, at=3600, config_version=None)),
    )

    (alert,), (normal,) = kinesis.records(ALERT), kinesis.records(NORMAL)
    assert json.loads(alert["Data"]) == {
        "point_id": "12a1a3b7657d7ae0cd50963ba7f2d023",
        "domain": "iot",
        "source_id": "furnace-1",
        "stream_id": "temperature",
        "stream_type": "thermocouple",
        "value": 60.5,
        "timestamp": NOW,
        "sequence": 7,
        "metadata": {"batch": "b-1"},
        "classification": "alert",
        "reason": "hard_limit",
        "violated_constraints": {"max_value": 50.0},
        "violated_rate": {"abs_delta": {"limit": 5.0, "observed": 40.5}},
        "severity": "critical",
        "late": False,
        "config_version": 3,
        "config_key": "iot#thermocouple",
        "ingested_at": NOW,
        "processed_at": NOW + 0.5,
    }
    assert json.loads(alert["Data"]).keys() - json.loads(normal["Data"]).keys() == {
        "stream_type",
        "sequence",
        "metadata",
        "violated_constraints",
        "violated_rate",
        "severity",
        "config_version",
        "config_key",
    }


def test_a_record_may_hold_one_point_for_consumers_that_cannot_split_it(kinesis: Kinesis) -> None:
    put(kinesis.writing(RecordFormat.POINT), a_delivery(*a_run(5)))

    records = kinesis.records(NORMAL)
    assert [json.loads(record["Data"])["sequence"] for record in records] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("record_format", [RecordFormat.GZIP, RecordFormat.PLAIN])
def test_records_are_far_smaller_than_what_a_shard_takes_a_second(
    kinesis: Kinesis, record_format: RecordFormat
) -> None:
    put(kinesis.writing(record_format), a_delivery(*noisy(a_run(400))))

    sizes = [len(record["Data"]) for record in kinesis.records(NORMAL)]
    assert len(sizes) > 3
    assert max(sizes) <= MAX_RECORD_BYTES == 1024 * 1024 // 4


def test_records_of_one_point_share_a_call_unless_they_are_of_one_stream(kinesis: Kinesis) -> None:
    calls = record_calls(kinesis.client, "PutRecords")
    others = a_run(MAX_CALL_RECORDS, "iot/furnace-2")
    streams = [msgspec.structs.replace(point, stream_id=f"s{number}") for number, point in enumerate(others)]

    put(kinesis.writing(RecordFormat.POINT), a_delivery(*a_run(2), *streams))

    assert [len(call["Records"]) for call in calls] == [1, MAX_CALL_RECORDS, 1]


# --- failures --------------------------------------------------------------------------------------------------------


def test_records_that_failed_are_written_again_before_any_later_one(kinesis: Kinesis) -> None:
    failing = fail_in_part(kinesis.client, PUT_RECORDS, plan=[{0}, {0}, set(), {0}])
    pauses = Pauses()
    run = noisy(a_run(200))

    put(kinesis.writing(RecordFormat.PLAIN, pauses), a_delivery(*run))

    assert all(len(call) == 1 for call in failing.calls)
    assert kinesis.points(NORMAL) == run
    # The pause does not grow: a shard has its rate again at once.
    assert pauses.now == 3 * RETRY_SECONDS


def test_records_of_one_point_that_failed_are_written_again_alone_and_none_is_reordered(kinesis: Kinesis) -> None:
    failing = fail_in_part(kinesis.client, PUT_RECORDS, plan=[{0, 2}, {0, 1}, {1}])
    sources = ["iot/furnace-1", "iot/furnace-2", "iot/furnace-3"]
    rounds = [point for at in range(2) for source in sources for point in a_run(1, source, start=at)]

    put(kinesis.writing(RecordFormat.POINT), a_delivery(*rounds))

    assert len(failing.calls) > 3
    for source in sources:
        assert [point.sequence for point in of_source(kinesis.points(NORMAL), source)] == [0, 1]


def test_a_shard_that_takes_nothing_for_a_while_is_unavailable(kinesis: Kinesis) -> None:
    fail_in_part(kinesis.client, PUT_RECORDS, plan=[set()] + [{0}] * 100)
    pauses = Pauses()

    with pytest.raises(UnavailableError, match="1 of 2 records failed: ProvisionedThroughputExceededException: made"):
        put(kinesis.writing(RecordFormat.POINT, pauses), a_delivery(*a_run(2)))

    assert PATIENCE_SECONDS <= pauses.now <= PATIENCE_SECONDS + RETRY_SECONDS


def test_a_shard_that_takes_some_is_given_time(kinesis: Kinesis) -> None:
    throttled = [{0}] * int(PATIENCE_SECONDS / RETRY_SECONDS / 2)
    fail_in_part(kinesis.client, PUT_RECORDS, plan=[*throttled, set()] * 4)
    pauses = Pauses()

    put(kinesis.writing(RecordFormat.POINT, pauses), a_delivery(*a_run(4)))

    assert pauses.now > PATIENCE_SECONDS
    assert len(kinesis.points(NORMAL)) == 4


def test_nothing_is_written_again_when_the_time_is_over(kinesis: Kinesis) -> None:
    failing = fail_in_part(kinesis.client, PUT_RECORDS, plan=[{0}] * 100)

    with pytest.raises(UnavailableError):
        put(kinesis.writing(), a_delivery(*a_run(1)), time_left=0.1)

    assert len(failing.calls) == 1


def test_a_stream_that_is_not_there_is_unavailable_and_the_others_are_written(kinesis: Kinesis) -> None:
    name = kinesis.names[WARNING]
    kinesis.client.delete_stream(StreamName=name)
    kinesis.client.get_waiter("stream_not_exists").wait(StreamName=name)

    with pytest.raises(UnavailableError, match=name):
        put(
            kinesis.writing(),
            *(a_delivery(*a_run(2, classification=name), classification=name) for name in Classification),
        )

    assert [len(kinesis.points(name)) for name in (ALERT, ANOMALY, NORMAL)] == [2, 2, 2]


def test_the_first_stream_failing_does_not_leave_the_others_under_way(kinesis: Kinesis) -> None:
    kinesis.client.delete_stream(StreamName=kinesis.names[ALERT])
    kinesis.client.get_waiter("stream_not_exists").wait(StreamName=kinesis.names[ALERT])

    with pytest.raises(UnavailableError):
        put(
            kinesis.writing(),
            a_delivery(*a_run(2, classification=ALERT), classification=ALERT),
            a_delivery(*noisy(a_run(1_000))),
        )

    assert len(kinesis.points(NORMAL)) == 1_000


def test_a_call_that_fails_is_unavailable_and_writing_again_is_safe(kinesis: Kinesis) -> None:
    fail(kinesis.client, "PutRecords", times=1)
    with pytest.raises(UnavailableError, match="InternalFailure"):
        put(kinesis.writing(), a_delivery(*a_run(3)))

    put(kinesis.writing(), a_delivery(*a_run(3)))

    assert [point.sequence for point in kinesis.points(NORMAL)] == [0, 1, 2]
