"""The contract of `ClassifiedStreams`: points reach the stream of their class, in order, at least once."""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import pytest

from afluente.adapters.aws.kinesis import MAX_CALL_BYTES, MAX_CALL_RECORDS, MAX_RECORD_BYTES, KinesisStreams
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


@dataclass
class Kinesis:
    """Kinesis streams of which a test looks at the records."""

    client: Any
    names: dict[Classification, str]
    executor: Executor

    def writing(self, *, one_point_a_record: bool = False, waits: list[float] | None = None) -> KinesisStreams:
        return KinesisStreams(
            self.client,
            self.names,
            executor=self.executor,
            one_point_a_record=one_point_a_record,
            sleep=(waits if waits is not None else []).append,
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
            for line in record["Data"].splitlines()
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
) -> Delivery:
    """Points of one source and class, numbered."""
    domain, source_id = source.split("/")
    its_points = [
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
    return a_delivery(*its_points, classification=classification, source=source)


def noisy(delivery: Delivery) -> Delivery:
    """The same with 3 KB of metadata a point."""
    noise = Random(7)  # noqa: S311 - no secret
    return msgspec.structs.replace(
        delivery,
        points=[
            msgspec.structs.replace(point, metadata={"noise": b64encode(noise.randbytes(2_250)).decode()})
            for point in delivery.points
        ],
    )


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

    streams.writing.put([a_delivery(full, classification=ALERT), a_run(20)])

    assert streams.read(ALERT) == [full]
    assert streams.read(NORMAL) == list(a_run(20).points)
    assert streams.read(WARNING) == streams.read(ANOMALY) == []


def test_every_class_has_its_stream(streams: Streams) -> None:
    deliveries = [a_run(2, classification=name) for name in Classification]

    streams.writing.put(deliveries)

    assert [streams.read(name) for name in Classification] == [list(delivery.points) for delivery in deliveries]


def test_points_of_a_source_keep_their_order_over_many_calls(streams: Streams) -> None:
    for start in range(0, 50, 10):
        streams.writing.put([a_run(10, start=start), a_run(10, "iot/furnace-2", start=start)])

    for source in ("iot/furnace-1", "iot/furnace-2"):
        assert [point.sequence for point in of_source(streams.read(NORMAL), source)] == list(range(50))


def test_any_number_of_points_of_a_source_keeps_its_order(streams: Streams) -> None:
    delivery = noisy(a_run(1_500))

    streams.writing.put([delivery])

    assert streams.read(NORMAL) == list(delivery.points)


def test_any_number_of_sources_can_be_written_at_once(streams: Streams) -> None:
    deliveries = [a_run(2, f"iot/machine-{number}") for number in range(1_100)]

    streams.writing.put(deliveries)

    assert len(streams.read(NORMAL)) == 2_200
    for delivery in deliveries[::100]:
        assert of_source(streams.read(NORMAL), delivery.source) == list(delivery.points)


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_record_holds_the_points_of_a_source_one_json_object_a_line(kinesis: Kinesis) -> None:
    kinesis.writing().put([a_run(3), a_run(2, "health/patient-9")])

    records = {record["PartitionKey"]: record["Data"] for record in kinesis.records(NORMAL)}
    assert set(records) == {"iot/furnace-1", "health/patient-9"}
    assert records["iot/furnace-1"].endswith(b"}\n")
    assert [json.loads(line)["sequence"] for line in records["iot/furnace-1"].splitlines()] == [0, 1, 2]


def test_a_point_on_the_wire_is_a_flat_object(kinesis: Kinesis) -> None:
    kinesis.writing().put(
        [
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
        ]
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
    kinesis.writing(one_point_a_record=True).put([a_run(5)])

    records = kinesis.records(NORMAL)
    assert [json.loads(record["Data"])["sequence"] for record in records] == [0, 1, 2, 3, 4]


def test_records_and_calls_stay_within_the_quotas_of_kinesis(kinesis: Kinesis) -> None:
    calls = record_calls(kinesis.client, "PutRecords")

    kinesis.writing().put(
        [noisy(a_run(1_000)), *(noisy(a_run(100, f"iot/m-{n}")) for n in range(30)), *_many_small_sources(600)]
    )

    for call in calls:
        sizes = [len(record["Data"]) for record in call["Records"]]
        assert len(sizes) <= MAX_CALL_RECORDS == 500
        assert sum(sizes) <= MAX_CALL_BYTES < 5 * 1024 * 1024
        assert max(sizes) <= MAX_RECORD_BYTES < 1024 * 1024
    assert len(calls) > 3


def test_a_call_holds_one_record_of_a_partition_key_at_the_most(kinesis: Kinesis) -> None:
    calls = record_calls(kinesis.client, "PutRecords")

    kinesis.writing(one_point_a_record=True).put([a_run(3), a_run(2, "iot/furnace-2")])

    assert [[record["PartitionKey"] for record in call["Records"]] for call in calls] == [
        ["iot/furnace-1", "iot/furnace-2"],
        ["iot/furnace-1", "iot/furnace-2"],
        ["iot/furnace-1"],
    ]


# --- failures --------------------------------------------------------------------------------------------------------


def test_records_that_failed_are_written_again_alone_and_nothing_is_reordered(kinesis: Kinesis) -> None:
    failing = fail_in_part(kinesis.client, PUT_RECORDS, plan=[{0, 2}, {0, 1}, {1}, set(), {0, 1, 2}])
    sources = ["iot/furnace-1", "iot/furnace-2", "iot/furnace-3"]
    waits: list[float] = []

    kinesis.writing(one_point_a_record=True, waits=waits).put([a_run(2, source) for source in sources])

    assert [[record["PartitionKey"][-1] for record in call] for call in failing.calls] == [
        ["1", "2", "3"],
        ["1", "3"],
        ["1", "3"],
        ["3"],
        ["1", "2", "3"],
        ["1", "2", "3"],
    ]
    assert len(waits) == 4
    assert waits[:3] == sorted(waits[:3])
    for source in sources:
        assert [point.sequence for point in of_source(kinesis.points(NORMAL), source)] == [0, 1]


def test_records_that_fail_for_ever_are_unavailable(kinesis: Kinesis) -> None:
    fail_in_part(kinesis.client, PUT_RECORDS, plan=[{0}] * 20)

    with pytest.raises(UnavailableError, match="1 of 2 not taken after 8 attempts"):
        kinesis.writing().put([a_run(1), a_run(1, "iot/furnace-2")])


def test_a_stream_that_is_not_there_is_unavailable_and_the_others_are_written(kinesis: Kinesis) -> None:
    name = kinesis.names[WARNING]
    kinesis.client.delete_stream(StreamName=name)
    kinesis.client.get_waiter("stream_not_exists").wait(StreamName=name)

    with pytest.raises(UnavailableError, match=name):
        kinesis.writing().put([a_run(2, classification=name) for name in Classification])

    assert [len(kinesis.points(name)) for name in (ALERT, ANOMALY, NORMAL)] == [2, 2, 2]


def test_the_first_stream_failing_does_not_leave_the_others_under_way(kinesis: Kinesis) -> None:
    kinesis.client.delete_stream(StreamName=kinesis.names[ALERT])
    kinesis.client.get_waiter("stream_not_exists").wait(StreamName=kinesis.names[ALERT])

    with pytest.raises(UnavailableError):
        kinesis.writing().put([a_run(2, classification=ALERT), noisy(a_run(1_000))])

    assert len(kinesis.points(NORMAL)) == 1_000


def test_a_call_that_fails_is_unavailable_and_writing_again_is_safe(kinesis: Kinesis) -> None:
    fail(kinesis.client, "PutRecords", times=1)
    with pytest.raises(UnavailableError, match="InternalFailure"):
        kinesis.writing().put([a_run(3)])

    kinesis.writing().put([a_run(3)])

    assert [point.sequence for point in kinesis.points(NORMAL)] == [0, 1, 2]


def _many_small_sources(count: int) -> list[Delivery]:
    return [a_run(1, f"iot/small-{number}") for number in range(count)]
