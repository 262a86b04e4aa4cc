"""The classifier, on events as Lambda's event source mapping hands them over."""

import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from afluente.adapters.codecs.packs import encode_pack
from afluente.application.classification.retries import MAX_TRIES
from afluente.application.errors import UnavailableError
from afluente.application.ingest.quarantine import QuarantineReason
from afluente.domain.evaluation import Classification
from afluente.runtime.classifier import ClassifierFunction
from classifier.handler import handle
from classifier.reporting import NAMED_TYPES
from tests.factories import NOW, a_point, arrived
from tests.unit.classifier_world import World as Outside
from tests.unit.functions.conftest import LogLines

Event = dict[str, Any]
FIRST, SECOND = "059f36b4-87a3-44ab-83d2-661975470001", "059f36b4-87a3-44ab-83d2-661975470002"


class Context:
    """The context of an invocation that has just begun."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class World(Outside):
    """The ports of the function, in memory."""

    def __init__(self) -> None:
        super().__init__(max_value=50, consecutive_violations_required=1)
        self.retried_later: list[tuple[str, int]] = []
        self.function = ClassifierFunction(self.classify_in_time, self.retry, self.quarantining, self.retry_later)

    def retry_later(self, receipts: Sequence[tuple[str, int]]) -> None:
        self.fault("queue", "")
        self.retried_later += receipts

    def values(self) -> dict[str, list[float]]:
        return {name.value: [point.value for point in points] for name, points in self.streams.points.items() if points}

    def failures_of(self, event: Event) -> list[str]:
        """The messages that are retried, as JSON carries the answer."""
        answer = json.loads(json.dumps(handle(event, Context(), self.function)))
        assert set(answer) == {"batchItemFailures"}
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


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


def test_the_time_from_acceptance_to_kinesis_is_reported_by_transport(
    world: World, batch: Event, durations: Callable[[], dict[tuple[str, str], list[float]]]
) -> None:
    for record, at in zip(batch["Records"], (0, 1), strict=True):
        record["body"] = encode_pack(arrived(a_point(at=at), ingested_at=NOW - 2), "mqtt").body

    world.failures_of(batch)

    assert durations() == {("AcceptanceToKinesis", "mqtt"): [2.0, 2.0]}


def test_points_without_constraints_are_counted_by_domain_and_logged_by_type(
    batch: Event, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world = World()
    world.constraints.delete("iot")
    untyped = [a_point(at=at) for at in range(3)]
    typed = [a_point(stream_id=f"s{n}", stream_type=f"type-{n:02}", at=at) for n in range(12) for at in range(2)]
    batch["Records"][0]["body"] = encode_pack(arrived(*untyped, *typed)).body
    batch["Records"] = batch["Records"][:1]

    assert world.failures_of(batch) == []

    (line,) = log.lines
    assert line["unconstrained_points"] == 27
    assert line["unconstrained"][0] == {"domain": "iot", "stream_type": None, "points": 3}
    assert len(line["unconstrained"]) == NAMED_TYPES == 10
    assert counted()["PointsUnconstrained"] == 27


def test_points_with_constraints_are_not_counted_as_such_without(
    world: World, batch: Event, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world.failures_of(batch)

    assert not {"unconstrained", "unconstrained_points"} & log.lines[-1].keys()
    assert "PointsUnconstrained" not in counted()


# --- what is no pack -------------------------------------------------------------------------------------------------


def test_a_record_with_an_unexpected_error_makes_its_group_alone_wait(
    world: World, batch: Event, log: LogLines
) -> None:
    first, second = batch["Records"]
    # No queue of ours delivers a message with another number.
    first["attributes"]["SequenceNumber"] = "first"
    second["attributes"] = second["attributes"] | {"MessageGroupId": "8-of-64"}

    assert world.failures_of(batch) == [first["messageId"]]

    assert world.values() == {"alert": [60.0]}
    (line,) = [line for line in log.lines if line["code"] == "RECORD_FAILED"]
    assert line["message_id"] == first["messageId"]


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


def test_a_message_whose_quarantine_is_unavailable_holds_up_those_after_it_in_its_group(
    world: World, batch: Event
) -> None:
    before = json.loads(json.dumps(batch["Records"][0])) | {"messageId": "before"}
    before["attributes"]["SequenceNumber"] = "7"
    spoil(batch["Records"][0])
    world.fail("quarantine")

    assert world.failures_of({"Records": [before, *batch["Records"]]}) == [FIRST, SECOND]

    assert world.values() == {"normal": [20.5, 21.0]}
    assert [seconds for _, seconds in world.retried_later] == [1, 0]
    assert [handle for handle, _ in world.retried_later] == [record["receiptHandle"] for record in batch["Records"]]


# --- what is away ----------------------------------------------------------------------------------------------------


def test_a_pack_that_fails_is_retried_later_and_those_after_it_once_it_is_done(
    world: World, batch: Event, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world.fail("put")
    first, second = (record["receiptHandle"] for record in batch["Records"])

    assert world.failures_of(batch) == [FIRST, SECOND]
    assert world.failures_of(batch) == [FIRST, SECOND]

    assert world.values() == {}
    # By its failed tries, however often it was received; a wait for one before it is no try.
    assert world.retried_later == [(first, 1), (second, 0), (first, 2), (second, 0)]
    assert log.codes[-1] == "PACKS_RETURNED"
    assert log.lines[-1]["causes"] == {"0-of-64": "UnavailableError: put"}
    assert counted() == {"PacksReturned": 2}

    world.heal()
    assert world.failures_of(batch) == []
    assert world.values() == {"normal": [20.5, 21.0], "alert": [60.0]}


def test_an_error_that_nobody_expected_is_logged_with_its_traceback(world: World, batch: Event, log: LogLines) -> None:
    def fault(effect: str, _group: str) -> None:
        if effect == "put":
            raise KeyError("a defect")

    world.fault = fault

    assert world.failures_of(batch) == [FIRST, SECOND]

    line = log.lines[log.codes.index("RECORD_FAILED")]
    assert (line["group"], line["exc_info"][0]) == ("0-of-64", KeyError)


def test_packs_are_retried_even_if_the_backoff_cannot_be_set(world: World, batch: Event, log: LogLines) -> None:
    def fault(effect: str, _group: str) -> None:
        if effect in ("put", "queue"):
            raise UnavailableError(effect)

    world.fault = fault

    assert world.failures_of(batch) == [FIRST, SECOND]

    assert log.codes[-2:] == ["PACKS_RETURNED", "PACKS_RETURNED"]


def test_a_pack_that_failed_too_often_is_moved_and_those_after_it_go_on(
    world: World, batch: Event, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world.fail("put")
    for _ in range(MAX_TRIES - 1):
        assert world.failures_of(batch) == [FIRST, SECOND]
    counted()

    assert world.failures_of(batch) == [SECOND]

    assert world.dead_letters.packs[FIRST].body == batch["Records"][0]["body"]
    assert log.codes[-1] == "PACK_MOVED"
    assert counted() == {"PacksMoved": 1}
    world.heal()
    assert world.failures_of({"Records": batch["Records"][1:]}) == []
    assert world.values() == {"alert": [60.0]}


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
