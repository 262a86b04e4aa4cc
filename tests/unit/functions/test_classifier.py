"""The classifier, on events as Lambda's event source mapping hands them over."""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from afluente.adapters.memory.alarms import MemoryAlarms
from afluente.adapters.memory.classification import MemoryStates, MemoryStreams
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.adapters.memory.ingest import MemoryQuarantine
from afluente.application.classification.classifier import ConstraintClassifier
from afluente.application.classification.classify_packs import ClassifyPacks
from afluente.application.classification.ports import Delivery, LoadedStates
from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.errors import UnavailableError
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.domain.evaluation import Classification
from afluente.domain.stream_keys import StreamKey
from afluente.runtime.classifier import ClassifierFunction
from classifier.handler import handle
from tests.factories import Clock, a_config
from tests.unit.functions.conftest import CONTEXT, LogLines

Event = dict[str, Any]
FIRST, SECOND = "059f36b4-87a3-44ab-83d2-661975470001", "059f36b4-87a3-44ab-83d2-661975470002"


class World:
    """The ports of the function, in memory; each can be unavailable."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.streams = MemoryStreams()
        self.states = MemoryStates()
        self.alarms = MemoryAlarms()
        self.quarantine = MemoryQuarantine()
        self.retried_later: list[tuple[str, int]] = []
        constraints = MemoryConstraints()
        constraints.put("iot", a_config(max_value=50, consecutive_violations_required=1))
        self.function = ClassifierFunction(
            ClassifyPacks(
                classifier=ConstraintClassifier(ConstraintsLookup(constraints, ttl_seconds=60, clock=Clock())),
                states=_States(self),
                streams=_Streams(self),
                alarms=self.alarms,
                clock=Clock(),
            ),
            _Quarantine(self),
            self.retry_later,
        )

    def check(self, part: str) -> None:
        if part in self.away:
            raise UnavailableError(part)

    def retry_later(self, receipts: Sequence[tuple[str, int]]) -> None:
        self.check("queue")
        self.retried_later += receipts

    def values(self) -> dict[str, list[float]]:
        return {name.value: [point.value for point in points] for name, points in self.streams.points.items() if points}

    def failures_of(self, event: Event) -> list[str]:
        """The messages that are retried, as JSON carries the answer."""
        answer = json.loads(json.dumps(handle(event, CONTEXT, self.function)))
        assert set(answer) == {"batchItemFailures"}
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


class _States:
    def __init__(self, world: World) -> None:
        self._world = world

    def load(self, groups: Mapping[StreamKey, str]) -> LoadedStates:
        self._world.check("states")
        return self._world.states.load(groups)


class _Streams:
    def __init__(self, world: World) -> None:
        self._world = world

    def put(self, deliveries: Sequence[Delivery]) -> None:
        self._world.check("streams")
        self._world.streams.put(deliveries)


class _Quarantine:
    def __init__(self, world: World) -> None:
        self._world = world

    def put(self, record: QuarantinedRecord) -> None:
        self._world.check("quarantine")
        self._world.quarantine.put(record)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def batch(event: Callable[[str], Event]) -> Event:
    """Two packs of one group: two points, then one beyond a hard limit."""
    return event("sqs_fifo")


def spoil(record: Event) -> None:
    record["body"] = "no pack"


# --- packs -----------------------------------------------------------------------------------------------------------


def test_the_points_of_a_batch_go_to_the_streams_of_their_classes(world: World, batch: Event) -> None:
    assert world.failures_of(batch) == []

    assert world.values() == {"normal": [20.5, 21.0], "alert": [60.0]}
    assert [(event.state.value, event.value) for event in world.alarms.events] == [("raised", 60.0)]
    first, second = world.streams.points[Classification.NORMAL]
    assert (first.stream_id, second.sequence, second.metadata) == ("temperature", 7, {"batch": "b-1"})


def test_a_repeated_batch_changes_nothing(world: World, batch: Event) -> None:
    world.failures_of(batch)

    assert world.failures_of(batch) == []

    assert world.values() == {"normal": [20.5, 21.0], "alert": [60.0]}
    assert len(world.alarms.events) == 1


# --- what is no pack -------------------------------------------------------------------------------------------------


def test_what_is_no_pack_goes_into_quarantine_and_the_others_through(
    world: World, batch: Event, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    spoil(batch["Records"][0])

    assert world.failures_of(batch) == []

    assert world.values() == {"alert": [60.0]}
    record = world.quarantine.records[FIRST]
    assert (record.reason, record.transport) == (QuarantineReason.UNDECODABLE_PACK, "sqs")
    assert b64decode(record.payload) == b"no pack"
    assert record.failed_at == 1_700_000_000.123
    assert record.origin == {
        "queue": "arn:aws:sqs:us-east-1:123456789012:afluente-dev-datapoints.fifo",
        "group": "0-of-64",
        "sequence_number": "18881963022385647616",
    }
    assert log.codes == ["PACK_QUARANTINED", "PACKS_CLASSIFIED"]
    assert counted()["PacksQuarantined"] == 1


def test_a_batch_without_any_pack_is_done_once_it_is_in_quarantine(world: World, batch: Event) -> None:
    for record in batch["Records"]:
        spoil(record)

    assert world.failures_of(batch) == []

    assert set(world.quarantine.records) == {FIRST, SECOND}
    assert world.values() == {}


def test_a_group_is_retried_while_the_quarantine_it_needs_is_unavailable_and_the_others_are_not(
    world: World, batch: Event
) -> None:
    other = json.loads(json.dumps(batch["Records"][0])) | {"messageId": "other"}
    other["attributes"]["MessageGroupId"] = "1-of-64"
    spoil(batch["Records"][0])
    world.away = {"quarantine"}

    assert world.failures_of({"Records": [*batch["Records"], other]}) == [FIRST, SECOND]

    assert world.values() == {"normal": [20.5, 21.0]}
    assert [handle for handle, _ in world.retried_later] == [record["receiptHandle"] for record in batch["Records"]]


# --- what is away ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["states", "streams"])
def test_packs_are_retried_in_their_order_while_a_dependency_is_unavailable(
    world: World, batch: Event, log: LogLines, counted: Callable[[], dict[str, int]], part: str
) -> None:
    world.away = {part}
    batch["Records"][1]["attributes"]["ApproximateReceiveCount"] = "4"

    assert world.failures_of(batch) == [FIRST, SECOND]

    assert world.values() == {}
    assert world.retried_later == [
        (batch["Records"][0]["receiptHandle"], 1),
        (batch["Records"][1]["receiptHandle"], 4),
    ]
    assert log.codes[-1] == "PACKS_RETURNED"
    assert log.lines[-1]["causes"] == {"0-of-64": part}
    assert counted() == {"PacksReturned": 2}

    world.away = set()
    assert world.failures_of(batch) == []
    assert world.values() == {"normal": [20.5, 21.0], "alert": [60.0]}


def test_packs_are_retried_even_if_the_backoff_cannot_be_set(world: World, batch: Event, log: LogLines) -> None:
    world.away = {"states", "queue"}

    assert world.failures_of(batch) == [FIRST, SECOND]

    assert log.codes[-2:] == ["PACKS_RETURNED", "PACKS_RETURNED"]


# --- what operators see ----------------------------------------------------------------------------------------------


def test_points_and_alarms_are_counted_by_what_became_of_them(
    world: World, batch: Event, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world.failures_of(batch)
    assert log.codes == ["PACKS_CLASSIFIED"]
    assert counted() == {"PointsNormal": 2, "PointsAlert": 1, "AlarmsRaised": 1}

    world.failures_of(batch)
    assert counted() == {"PointsRepeated": 3}

    for record in batch["Records"]:
        record["attributes"]["SequenceNumber"] = str(int(record["attributes"]["SequenceNumber"]) + 10**12)
    world.failures_of(batch)
    assert counted() == {"PointsDuplicate": 3}
