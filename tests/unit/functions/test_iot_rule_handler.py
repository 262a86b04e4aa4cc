"""MQTT messages as topic rules put them into the inbox, with memory in place of AWS."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from afluente.adapters.memory.ingest import MemoryPackQueue, MemoryQuarantine
from afluente.adapters.memory.limits import MemoryLimits
from afluente.application.errors import BusyError, UnavailableError
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.ingest.packs import Pack
from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.application.ingest.rejection import MAX_LISTED_BYTES
from afluente.application.limits.leases import SharedBucket
from afluente.application.limits.stage_limits import Limits, StageLimits
from afluente.domain.datapoints import DataPoint
from afluente.migration.adapters.memory import MemorySensors
from afluente.migration.application.sensors import SensorLookup
from afluente.migration.domain.thresholds import Sensor, SensorName
from afluente.runtime.iot_rule_handler import IotRuleHandler, IotRuleHandlerSettings
from iot_rule_handler.handler import handle
from tests.factories import Clock, some_rate_limits
from tests.migration.thresholds import a_sensor
from tests.unit.functions.conftest import CONTEXT, LogLines

ARRIVED_AT = 1_700_000_000.5


class World:
    def __init__(self) -> None:
        self.queue = MemoryPackQueue()
        self.quarantine = MemoryQuarantine()
        self.queue_is_away = False
        self.quarantine_is_away = False
        self.poison: float | None = None
        self.directory = MemorySensors([a_sensor()])
        self.directory_is_away = False
        self.limits = some_rate_limits()
        self.lookup = SensorLookup(self, ttl_seconds=60, clock=Clock())
        self.executor = ThreadPoolExecutor(4)

    def function(self) -> IotRuleHandler:
        return IotRuleHandler(
            settings=IotRuleHandlerSettings(
                domains=("iot", "health"), shards=64, datapoints_queue_url="memory", quarantine_bucket="memory"
            ),
            accept=AcceptPoints(queue=self, quarantine=self, shards=64),
            quarantine=self,
            executor=self.executor,
            sensors=self.lookup,
            limits=self.limits,
        )

    def resolve(self, names: Collection[SensorName]) -> Mapping[SensorName, Sensor]:
        if self.directory_is_away:
            raise UnavailableError("DynamoDB: InternalServerError")
        return self.directory.resolve(names)

    def send(self, packs: Sequence[Pack]) -> None:
        if self.queue_is_away:
            raise UnavailableError("SQS: ServiceUnavailable")
        if any(point.value == self.poison for pack in packs for point in pack.points):
            raise ZeroDivisionError("poison")
        self.queue.send(packs)

    def put(self, record: QuarantinedRecord) -> None:
        if self.quarantine_is_away:
            raise UnavailableError("S3: SlowDown")
        if self.poison is not None and record.payload == b64encode(f"{self.poison}".encode()).decode():
            raise ZeroDivisionError("poison")
        self.quarantine.put(record)

    def points(self) -> list[DataPoint]:
        return [point for pack in self.queue.packs for point in pack.points]

    def returned(self, *records: dict[str, Any]) -> list[str]:
        answer = handle({"Records": list(records)}, CONTEXT, self.function())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.fixture
def world() -> World:
    return World()


def record(message_id: str, payload: object, topic: str = "iot/oven-1/temperature") -> dict[str, Any]:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    body = {
        "payload": b64encode(raw).decode(),
        "topic": topic,
        "client_id": "oven-1",
        "arrived_at": int(ARRIVED_AT * 1000),
    }
    return stray(message_id, json.dumps(body))


def stray(message_id: str, body: str) -> dict[str, Any]:
    return {"messageId": message_id, "body": body, "attributes": {"SentTimestamp": "1700000000600"}}


def undelivered(message_id: str, payload: object, *, client_id: str = "oven-1") -> dict[str, Any]:
    """A message that its rule could not put into the inbox, as the error action has it."""
    body = {
        "ruleName": "afluente_local_iot",
        "topic": "iot/oven-1/temperature",
        "cloudwatchTraceId": "4b0f4a34-6b43-4ee5-9b5c-5f4a3b1a7a2e",
        "clientId": client_id,
        "sourceIp": "192.0.2.7",
        "base64OriginalPayload": b64encode(json.dumps(payload).encode()).decode(),
        "failures": [{"failedAction": "SqsAction", "failedResource": "inbox", "errorMessage": "AccessDenied"}],
    }
    return stray(message_id, json.dumps(body))


def a_point(value: float = 20.5, timestamp: float = 1_699_999_990, **others: object) -> dict[str, object]:
    return {"value": value, "timestamp": timestamp, **others}


@pytest.mark.parametrize(
    "payload", [a_point(), [a_point()], {"datapoints": [a_point()]}, a_point(stream_id="temperature")]
)
def test_each_shape_of_a_payload_gives_the_point_of_its_topic(world: World, payload: object) -> None:
    assert world.returned(record("1", payload)) == []

    (point,) = world.points()
    assert (str(point.key), point.value, point.timestamp) == ("iot/oven-1/temperature", 20.5, 1_699_999_990)
    assert point.ingested_at == ARRIVED_AT
    assert point.metadata == {}


def test_a_point_without_a_time_has_that_of_its_arrival_and_a_note_of_it(world: World) -> None:
    world.returned(record("1", {"value": 1, "metadata": {"line": 3}}), record("2", {"value": 2, "timestamp": None}))

    assert [(point.timestamp, point.metadata) for point in world.points()] == [
        (ARRIVED_AT, {"line": 3, "timestamp_source": "arrival"}),
        (ARRIVED_AT, {"timestamp_source": "arrival"}),
    ]


def test_senml_names_its_streams_itself(world: World) -> None:
    world.returned(record("1", [{"bn": "oven-1:", "n": "door", "v": 1, "bt": 1_699_999_990}, {"n": "fan", "v": 2}]))

    assert [point.stream_id for point in world.points()] == ["oven-1:door", "oven-1:fan"]


def test_the_messages_of_a_source_arrive_together(world: World) -> None:
    world.returned(*(record(str(number), a_point(number, 1_699_999_000 + number)) for number in range(500)))

    (pack,) = world.queue.packs
    assert [point.value for point in pack.points] == list(range(500))


def test_a_bad_point_is_quarantined_with_its_faults_and_its_neighbours_are_queued(world: World) -> None:
    assert world.returned(record("1", [a_point(1), a_point("high"), a_point(stream_id="other"), 5, a_point(2)])) == []  # type: ignore[arg-type] # on purpose

    assert [point.value for point in world.points()] == [1, 2]
    kept = world.quarantine.records["1"]
    assert (kept.transport, kept.reason) == ("mqtt", "rejected_points")
    assert kept.origin["topic"] == "iot/oven-1/temperature"
    codes = {index: [(fault.field, fault.code.value) for fault in faults] for index, faults in kept.faults.items()}
    assert codes == {
        1: [("value", "wrong_type")],
        2: [("stream_id", "contradiction")],
        3: [("datapoint", "wrong_type")],
    }


@pytest.mark.parametrize(
    ("payload", "topic", "reason"),
    [
        (b"", "iot/oven-1/t", "the payload is empty"),
        (b"\xff\xfe", "iot/oven-1/t", "the payload is not UTF-8 (at byte 0)"),
        (b'{"value": 1', "iot/oven-1/t", "the payload is no JSON"),
        (b"[" * 100_000, "iot/oven-1/t", "nests deeper than 64 levels"),
        (b"[]", "iot/oven-1/t", "not an empty array"),
        (b"7", "iot/oven-1/t", "not a number"),
        (b'{"datapoints": 7}', "iot/oven-1/t", "not a number"),
        (b'[{"v": 1, "bver": 11}]', "iot/oven-1/t", "SenML of version 11"),
        (rb'[{"v": 1, "bver": "\ud800"}]', "iot/oven-1/t", "SenML of version"),
        (rb'[{"v": 1, "\ud800_": 2}]', "iot/oven-1/t", "must be understood and is not"),
        (b"{}", "iot/oven-1", "2 part(s)"),
        (b"{}", "iot/oven-1/t/x", "4 part(s)"),
        (b"{}", "/".join(["iot"] * 100), "100 part(s)"),
        (b"{}", "iot/oven-1/", "stream_id must have 1 to 128 characters"),
        (b"{}", "Iot/oven-1/t", "domain must be"),
        (b"{}", "finance/oven-1/t", "'finance' is not open; open are health, iot"),
    ],
)
def test_an_unusable_message_is_quarantined_as_it_came_and_holds_up_none(
    world: World, payload: bytes, topic: str, reason: str
) -> None:
    assert world.returned(record("bad", payload, topic), record("good", a_point())) == []

    assert len(world.points()) == 1
    kept = world.quarantine.records["bad"]
    assert reason in kept.message
    # Quarantine writes UTF-8.
    assert kept.message.encode()
    assert (kept.transport, kept.reason, kept.failed_at) == ("mqtt", "unusable_message", 1_700_000_000.6)
    assert kept.origin == {"topic": topic, "client_id": "oven-1"}
    assert kept.payload == b64encode(payload).decode()


@pytest.mark.parametrize(
    "body", ["", "no JSON", "{}", "\ud800", '{"payload": "!", "topic": "iot/a/b", "arrived_at": 1}']
)
def test_a_message_that_no_rule_wrote_is_quarantined(world: World, body: str) -> None:
    assert world.returned(stray("1", body)) == []

    assert world.quarantine.records["1"].reason == "unusable_message"


def test_a_message_whose_rule_failed_is_accepted_once_it_is_redriven(world: World) -> None:
    assert world.returned(undelivered("1", a_point()), undelivered("2", {"value": 2})) == []

    # When the broker had it is not known: the inbox's time is the arrival.
    assert [(str(point.key), point.value, point.timestamp) for point in world.points()] == [
        ("iot/oven-1/temperature", 20.5, 1_699_999_990),
        ("iot/oven-1/temperature", 2, 1_700_000_000.6),
    ]


@pytest.mark.parametrize(("client_id", "kept"), [("oven-1", "oven-1"), ("N/A", "")])
def test_a_message_whose_rule_failed_is_quarantined_with_its_topic_and_device(
    world: World, client_id: str, kept: str
) -> None:
    assert world.returned(undelivered("1", "high", client_id=client_id)) == []

    assert world.quarantine.records["1"].origin == {"topic": "iot/oven-1/temperature", "client_id": kept}
    assert world.quarantine.records["1"].payload == b64encode(b'"high"').decode()


def test_while_the_queue_is_unavailable_messages_with_points_are_retried(world: World) -> None:
    world.queue_is_away = True
    batch = [record("1", a_point()), record("2", b""), record("3", a_point(2))]

    assert world.returned(*batch) == ["1", "3"]

    world.queue_is_away = False
    assert world.returned(batch[0], batch[2]) == []
    assert [point.value for point in world.points()] == [20.5, 2]


def test_while_quarantine_is_unavailable_its_messages_are_retried(world: World) -> None:
    world.quarantine_is_away = True

    assert world.returned(record("1", b""), record("2", [a_point(1), {}]), record("3", a_point(2))) == ["1", "2"]


def test_a_repeated_batch_changes_nothing(world: World) -> None:
    batch = [record("1", a_point(1)), record("2", a_point(2))]

    assert world.returned(*batch) == world.returned(*batch) == []

    assert [point.value for point in world.points()] == [1, 2]


def test_a_message_with_an_unexpected_error_is_retried_alone_and_named_in_the_log(world: World, log: LogLines) -> None:
    world.poison = 666
    # No queue of ours delivers a message without its attributes.
    odd = {**record("odd", a_point(1)), "attributes": {}}
    batch = [record(str(number), a_point(number)) for number in range(9)]

    assert world.returned(odd, *batch, record("poison", a_point(666)), record("bad", b"666")) == [
        "bad",
        "odd",
        "poison",
    ]

    assert {point.value for point in world.points()} == set(range(9))
    failed = {line["message_id"]: line["cause"] for line in log.lines if line["code"] == "RECORD_FAILED"}
    assert failed == {
        "odd": "KeyError: 'SentTimestamp'",
        "poison": "ZeroDivisionError: poison",
        "bad": "ZeroDivisionError: poison",
    }


# --- bounds of a message ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "topic"),
    [
        ([{}] * 1_001, "iot/loud/t"),
        ({"datapoints": [a_point()] * 1_001}, "iot/loud/t"),
        ([{"v": 1}] * 1_001, "iot/loud/t"),
        ([{"value": 1}] * 1_001, "iot/sensors/42/readings"),
    ],
)
def test_a_message_with_more_points_than_allowed_is_quarantined_as_it_came(
    world: World, payload: object, topic: str
) -> None:
    assert world.returned(record("loud", payload, topic), record("quiet", a_point())) == []

    assert len(world.points()) == 1
    kept = world.quarantine.records["loud"]
    assert (kept.reason, kept.faults, json.loads(b64decode(kept.payload))) == ("unusable_message", {}, payload)
    assert "1001 points, and 1000 are allowed; send them in several messages" in kept.message


def test_a_message_may_have_as_many_points_as_allowed(world: World) -> None:
    assert world.returned(record("1", [a_point(number, 1_699_999_000 + number) for number in range(1_000)])) == []

    assert (len(world.points()), world.quarantine.records) == (1_000, {})


@pytest.mark.parametrize("payload", [b"no JSON", b"[NaN", json.dumps([{}] * 40_000).encode()])
def test_points_are_charged_to_the_source_before_they_are_decoded(world: World, payload: bytes) -> None:
    world.limits = some_rate_limits(StageLimits(source=Limits(requests_per_second=0.001, requests_burst=2)))

    assert world.returned(*(record(str(number), payload) for number in range(5))) == []

    reasons = [world.quarantine.records[str(number)].reason for number in range(5)]
    assert reasons == ["unusable_message"] * 2 + ["rate_limited"] * 3


@pytest.mark.parametrize(
    "base", [{"bn": "x" * 4_097}, {"bu": "x" * 4_097}, {"bt": "x" * 4_097}, {"bv": ["x" * 4_097]}, {"bs": {"a": 1}}]
)
def test_a_message_does_not_grow_by_what_its_records_take_over(world: World, base: dict[str, object]) -> None:
    assert world.returned(record("1", [{**base, "v": 1}, *[{"n": "fan", "v": 1}] * 999])) == []

    kept = world.quarantine.records["1"]
    assert (kept.reason, kept.faults) == ("unusable_message", {})
    assert f"SenML whose {next(iter(base))} is no number, and no text of up to 4096 characters" in kept.message


def test_what_goes_to_quarantine_of_one_message_is_bounded(world: World) -> None:
    payload = [{"value": "x" * 40, "timestamp": "y", "sequence": -1, "stream_type": "/", "metadata": 1}] * 1_000
    assert len(json.dumps(payload)) < 128 * 1_024

    world.returned(record("1", payload))

    kept = world.quarantine.records["1"]
    assert len(kept.payload) <= 2 * 128 * 1_024
    assert len(msgspec.json.encode(kept.faults)) <= MAX_LISTED_BYTES
    assert (kept.omitted or 0) == 0 or len(kept.faults) < 1_000


# --- limits ----------------------------------------------------------------------------------------------------------


def test_throttled_messages_are_quarantined_as_they_came_and_the_others_are_queued(
    world: World, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world.limits = some_rate_limits(StageLimits(source=Limits(requests_per_second=0.001, requests_burst=2)))
    loud = [record(str(n), a_point(n)) for n in range(5)]

    assert world.returned(*loud, record("quiet", a_point(9.5), "iot/oven-2/temperature")) == []

    assert [point.value for point in world.points()] == [0, 1, 9.5]
    # They are kept side by side, in any order.
    kept = [world.quarantine.records[name] for name in sorted(world.quarantine.records)]
    assert [(one.record_id, one.reason) for one in kept] == [(str(n), "rate_limited") for n in (2, 3, 4)]
    assert json.loads(b64decode(kept[0].payload)) == a_point(2)
    assert kept[0].origin == {"topic": "iot/oven-1/temperature", "client_id": "oven-1"}
    assert "may send 0.001 requests a second and 2 at once" in kept[0].message
    assert log.codes.count("RATE_LIMITED") == 1
    reported = counted()
    assert (reported["RequestsLimitedBySource"], reported["PointsLimited"], reported["MessagesQuarantined"]) == (
        3,
        3,
        3,
    )


def test_messages_that_cannot_be_counted_are_retried_where_the_limits_fail_shut(world: World) -> None:
    limits = StageLimits(source=Limits(requests_per_second=1))
    world.limits = some_rate_limits(limits, LimitsAway())
    assert world.returned(record("1", a_point()), record("2", a_point())) == ["1", "2"]

    world.limits = some_rate_limits(limits, LimitsAway(), fails_open=True)
    assert world.returned(record("1", a_point())) == []
    assert len(world.points()) == 1


def test_messages_that_a_busy_table_cannot_count_are_retried(world: World) -> None:
    limits = StageLimits(source=Limits(requests_per_second=1))
    world.limits = some_rate_limits(limits, LimitsBusy(), fails_open=True)

    assert world.returned(record("1", a_point()), record("2", a_point())) == ["1", "2"]
    assert (world.points(), world.quarantine.records) == ([], {})


class LimitsBusy(MemoryLimits):
    """A table of limits that gets too many calls."""

    def load(self, subject: str) -> SharedBucket:
        raise BusyError("DynamoDB: ThrottlingException")


class LimitsAway(MemoryLimits):
    """A table of limits that does not answer."""

    def load(self, subject: str) -> SharedBucket:
        raise UnavailableError("DynamoDB: InternalServerError")
