"""MQTT messages as topic rules put them into the inbox, with memory in place of AWS."""

import json
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import iot_rule_handler.handler
from afluente.adapters.memory import MemoryPackQueue, MemoryQuarantine
from afluente.application.accept_points import AcceptPoints
from afluente.application.packs import Pack
from afluente.application.ports import UnavailableError
from afluente.application.quarantine import QuarantinedRecord
from afluente.domain.datapoints import DataPoint
from afluente.runtime.composition import IotRuleHandler
from afluente.runtime.settings import IotRuleHandlerSettings
from iot_rule_handler.handler import lambda_handler
from tests.unit.functions.conftest import CONTEXT

ARRIVED_AT = 1_700_000_000.5


class World:
    def __init__(self) -> None:
        self.queue = MemoryPackQueue()
        self.quarantine = MemoryQuarantine()
        self.queue_is_away = False
        self.quarantine_is_away = False

    def send(self, packs: Sequence[Pack]) -> None:
        if self.queue_is_away:
            raise UnavailableError("SQS: ServiceUnavailable")
        self.queue.send(packs)

    def put(self, record: QuarantinedRecord) -> None:
        if self.quarantine_is_away:
            raise UnavailableError("S3: SlowDown")
        self.quarantine.put(record)

    def points(self) -> list[DataPoint]:
        return [point for pack in self.queue.packs for point in pack.points]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    settings = IotRuleHandlerSettings(
        domains=("iot", "health"), shards=64, datapoints_queue_url="memory", quarantine_bucket="memory"
    )
    function = IotRuleHandler(
        settings, AcceptPoints(queue=world, quarantine=world, shards=64), world, ThreadPoolExecutor(4)
    )
    monkeypatch.setattr(iot_rule_handler.handler, "iot_rule_handler", lambda: function)
    return world


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


def returned(*records: dict[str, Any]) -> list[str]:
    answer = lambda_handler({"Records": list(records)}, CONTEXT)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def a_point(value: float = 20.5, timestamp: float = 1_699_999_990, **others: object) -> dict[str, object]:
    return {"value": value, "timestamp": timestamp, **others}


@pytest.mark.parametrize(
    "payload", [a_point(), [a_point()], {"datapoints": [a_point()]}, a_point(stream_id="temperature")]
)
def test_each_shape_of_a_payload_gives_the_point_of_its_topic(world: World, payload: object) -> None:
    assert returned(record("1", payload)) == []

    (point,) = world.points()
    assert (str(point.key), point.value, point.timestamp) == ("iot/oven-1/temperature", 20.5, 1_699_999_990)
    assert point.ingested_at == ARRIVED_AT
    assert point.metadata == {}


def test_a_point_without_a_time_has_that_of_its_arrival_and_says_so(world: World) -> None:
    returned(record("1", {"value": 1, "metadata": {"line": 3}}), record("2", {"value": 2, "timestamp": None}))

    assert [(point.timestamp, point.metadata) for point in world.points()] == [
        (ARRIVED_AT, {"line": 3, "timestamp_source": "arrival"}),
        (ARRIVED_AT, {"timestamp_source": "arrival"}),
    ]


def test_senml_names_its_streams_itself(world: World) -> None:
    returned(record("1", [{"bn": "oven-1:", "n": "door", "v": 1, "bt": 1_699_999_990}, {"n": "fan", "v": 2}]))

    assert [point.stream_id for point in world.points()] == ["oven-1:door", "oven-1:fan"]


def test_the_messages_of_a_source_arrive_together(world: World) -> None:
    returned(*(record(str(number), a_point(number, 1_699_999_000 + number)) for number in range(500)))

    (pack,) = world.queue.packs
    assert [point.value for point in pack.points] == list(range(500))


def test_a_bad_point_is_kept_with_its_faults_and_its_neighbours_go_through(world: World) -> None:
    assert returned(record("1", [a_point(1), a_point("high"), a_point(stream_id="other"), 5, a_point(2)])) == []  # type: ignore[arg-type] # on purpose

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
def test_a_message_that_cannot_be_used_is_kept_as_it_came_and_holds_up_none(
    world: World, payload: bytes, topic: str, reason: str
) -> None:
    assert returned(record("bad", payload, topic), record("good", a_point())) == []

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
def test_what_no_rule_wrote_is_kept_too(world: World, body: str) -> None:
    assert returned(stray("1", body)) == []

    assert world.quarantine.records["1"].reason == "unusable_message"


def test_a_message_whose_rule_failed_is_taken_like_any_other_once_it_is_redriven(world: World) -> None:
    assert returned(undelivered("1", a_point()), undelivered("2", {"value": 2})) == []

    # When the broker had it is not known: the inbox's time is the arrival.
    assert [(str(point.key), point.value, point.timestamp) for point in world.points()] == [
        ("iot/oven-1/temperature", 20.5, 1_699_999_990),
        ("iot/oven-1/temperature", 2, 1_700_000_000.6),
    ]


@pytest.mark.parametrize(("client_id", "kept"), [("oven-1", "oven-1"), ("N/A", "")])
def test_a_message_whose_rule_failed_is_kept_with_its_topic_and_device(world: World, client_id: str, kept: str) -> None:
    assert returned(undelivered("1", "high", client_id=client_id)) == []

    assert world.quarantine.records["1"].origin == {"topic": "iot/oven-1/temperature", "client_id": kept}
    assert world.quarantine.records["1"].payload == b64encode(b'"high"').decode()


def test_while_the_queue_is_away_what_has_points_comes_again(world: World) -> None:
    world.queue_is_away = True
    batch = [record("1", a_point()), record("2", b""), record("3", a_point(2))]

    assert returned(*batch) == ["1", "3"]

    world.queue_is_away = False
    assert returned(batch[0], batch[2]) == []
    assert [point.value for point in world.points()] == [20.5, 2]


def test_while_quarantine_is_away_what_belongs_there_comes_again(world: World) -> None:
    world.quarantine_is_away = True

    assert returned(record("1", b""), record("2", [a_point(1), {}]), record("3", a_point(2))) == ["1", "2"]


def test_a_batch_that_comes_again_changes_nothing(world: World) -> None:
    batch = [record("1", a_point(1)), record("2", a_point(2))]

    assert returned(*batch) == returned(*batch) == []

    assert [point.value for point in world.points()] == [1, 2]
