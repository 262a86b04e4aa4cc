"""Recorded requests and messages of legacy clients, and the answers to them; with memory in place of AWS."""

import json
import uuid
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import http_ingest.handler
import iot_rule_handler.handler
from afluente.adapters.http.points import MAX_POINTS
from afluente.adapters.memory.csv import MemoryCsvJobs, MemoryCsvUploads
from afluente.adapters.memory.ingest import MemoryPackQueue, MemoryQuarantine
from afluente.application.csv.registry import JobRegistry
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.ingest.packs import Pack
from afluente.domain.classification import classify
from afluente.domain.datapoints import MAX_SEQUENCE, DataPoint
from afluente.domain.stream_state import StreamState
from afluente.migration.adapters.memory import MemorySensors
from afluente.migration.application.sensors import SensorLookup
from afluente.migration.domain.thresholds import Sensor, SensorName
from afluente.runtime.http_ingest import CsvIngest, HttpIngest, HttpIngestSettings
from afluente.runtime.iot_rule_handler import IotRuleHandler, IotRuleHandlerSettings
from http_ingest.legacy_route import MAX_DEVICES
from tests.conformity import assert_documented
from tests.factories import DOMAINS, NOW, Clock, some_rate_limits
from tests.migration.legacy_clients import (
    Body,
    RecordedMessage,
    RecordedRequest,
    as_points,
    directory,
    has_a_time_of_its_own,
    measured,
    recorded_messages,
    recorded_requests,
)
from tests.migration.thresholds import DEVICE, UUID, a_sensor
from tests.unit.functions.conftest import CONTEXT, LogLines

Event = dict[str, Any]
Events = Callable[[str], Event]

REQUESTS, MESSAGES = recorded_requests(), recorded_messages()
RECORDINGS: dict[str, RecordedRequest | RecordedMessage] = {**REQUESTS, **MESSAGES}

a_recorded_request = pytest.mark.parametrize("recording", REQUESTS.values(), ids=REQUESTS)
a_recorded_message = pytest.mark.parametrize("recording", MESSAGES.values(), ids=MESSAGES)

GOOD = {"sensor_id": 42, "value": 20.5, "ts": NOW}
PATH = "/ingest/packets"


class World:
    """The dependencies of both functions in memory; the queue and the directory can be unavailable."""

    def __init__(self) -> None:
        self.queue = MemoryPackQueue()
        self.quarantine = MemoryQuarantine()
        self.directory = MemorySensors([*directory(), a_sensor()])
        self.asked: list[SensorName] = []
        self.queue_is_away = False
        self.directory_is_away = False
        self.settings = HttpIngestSettings.read(
            {
                "AFLUENTE_DOMAINS": ",".join(DOMAINS),
                "AFLUENTE_SHARDS": "64",
                "AFLUENTE_DATAPOINTS_QUEUE_URL": "memory",
                "AFLUENTE_QUARANTINE_BUCKET": "memory",
                "AFLUENTE_OLD_CLIENTS_DEPRECATED_ON": "2026-12-01",
            }
        )
        self.accept = AcceptPoints(queue=self, quarantine=self.quarantine, shards=64)
        self.lookup = SensorLookup(self, ttl_seconds=60, clock=Clock())

    def set(self, **values: object) -> None:
        self.settings = HttpIngestSettings.model_validate(self.settings.model_dump() | values)

    def send(self, packs: Sequence[Pack]) -> None:
        if self.queue_is_away:
            raise UnavailableError("SQS: ServiceUnavailable")
        self.queue.send(packs)

    def resolve(self, names: Collection[SensorName]) -> Mapping[SensorName, Sensor]:
        if self.directory_is_away:
            raise UnavailableError("DynamoDB: InternalServerError")
        self.asked += names
        return self.directory.resolve(names)

    def points(self) -> list[DataPoint]:
        return [point for pack in self.queue.packs for point in pack.points]

    def keys(self) -> list[str]:
        return [str(point.key) for point in self.points()]

    def http_ingest(self) -> HttpIngest:
        store = MemoryCsvJobs()
        csv = CsvIngest(JobRegistry(store=store, domains=DOMAINS), store, MemoryCsvUploads())
        return HttpIngest(self.settings, self.accept, csv, lambda: self.lookup, some_rate_limits(), front=None)

    def iot_rule_handler(self) -> IotRuleHandler:
        settings = IotRuleHandlerSettings(
            domains=DOMAINS, shards=64, datapoints_queue_url="memory", quarantine_bucket="memory"
        )
        return IotRuleHandler(
            settings, self.accept, self.quarantine, ThreadPoolExecutor(1), self.lookup, some_rate_limits()
        )

    def answer_to(self, event: Event) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers of an answer, once Lambda could hand it on."""
        answer = json.loads(json.dumps(http_ingest.handler.handle(event, CONTEXT, self.http_ingest())))
        body = json.loads(answer["body"])
        assert_documented(event["routeKey"], answer["statusCode"], answer["headers"], body)
        assert body.pop("request_id") == answer["headers"].pop("x-request-id") == "JKJaXmPLvHcESHA="
        return answer["statusCode"], body, answer["headers"]

    def published(self, topic: str, payload: bytes, *, arrived_at: float = NOW) -> list[str]:
        """Publish a message; returns the ids of the messages that are retried."""
        body = {
            "payload": b64encode(payload).decode(),
            "topic": topic,
            "client_id": "legacy-1",
            "arrived_at": arrived_at * 1e3,
        }
        record = {"messageId": "1", "body": json.dumps(body), "attributes": {"SentTimestamp": "1700000000600"}}
        answer = iot_rule_handler.handler.handle({"Records": [record]}, CONTEXT, self.iot_rule_handler())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def packet_event(event: Events) -> Event:
    """A packet with a good reading, from a caller whose key may do everything."""
    return request_to(event("http_api_ingest"), "POST", PATH) | {"body": json.dumps(a_packet(GOOD))}


def request_to(event: Event, method: str, path: str) -> Event:
    event["requestContext"]["http"] |= {"method": method, "path": path}
    return event | {"routeKey": f"{method} {path}", "rawPath": path}


def a_packet(*readings: object, **fields: object) -> dict[str, object]:
    return {"device_uuid": DEVICE, "readings": readings} | fields


def with_body(event: Event, body: Body | None) -> Event:
    """A request as API Gateway hands it on: what is no text, in base64."""
    if body is None or not body.base64:
        return event | {"body": None if body is None else body.text, "isBase64Encoded": False}
    return event | {"body": body.base64, "isBase64Encoded": True}


# --- as recorded -----------------------------------------------------------------------------------------------------


@a_recorded_request
def test_a_recorded_request_is_answered_as_it_was(
    world: World, packet_event: Event, recording: RecordedRequest
) -> None:
    asked = request_to(packet_event, recording.request.method, recording.request.path)
    asked = with_body(asked | {"headers": recording.request.headers}, recording.request.body)

    status, body, headers = world.answer_to(asked)

    assert (status, body) == (recording.answer.status, recording.answer.body)
    assert headers == recording.answer.headers
    assert measured(world.points()) == recording.streams


@a_recorded_message
def test_a_recorded_message_leads_to_its_streams_or_is_kept(world: World, recording: RecordedMessage) -> None:
    assert world.published(recording.message.topic, recording.message.payload.content) == []

    assert measured(world.points()) == recording.streams
    if recording.quarantined is None:
        assert world.quarantine.records == {}
        return
    (kept,) = world.quarantine.records.values()
    assert kept.reason == recording.quarantined.reason
    assert recording.quarantined.message in kept.message
    faults = {str(index): [[fault.field, fault.code] for fault in its] for index, its in kept.faults.items()}
    assert faults == recording.quarantined.faults


@pytest.mark.parametrize(
    "recording",
    [its for name, its in RECORDINGS.items() if has_a_time_of_its_own(its)],
    ids=[name for name, its in RECORDINGS.items() if has_a_time_of_its_own(its)],
)
def test_recorded_readings_sent_as_points_lead_to_the_same_points(
    world: World, event: Events, recording: RecordedRequest | RecordedMessage
) -> None:
    for body in as_points(recording).values():
        status, _, _ = world.answer_to(event("http_api_ingest") | {"body": json.dumps(body)})
        assert status == 202

    assert measured(world.points()) == recording.streams


# --- readings and points ---------------------------------------------------------------------------------------------

uuids = st.uuids().map(str)
# Whole milliseconds, which both forms of a time hold exactly.
moments = st.integers(min_value=0, max_value=1000 * int(NOW)).map(lambda milliseconds: milliseconds / 1000)


def spellings(uuid: str) -> st.SearchStrategy[str]:
    return st.sampled_from([uuid, uuid.upper(), f"{{{uuid}}}", uuid.replace("-", ""), f"urn:uuid:{uuid}"])


def ids_of_points(points: Sequence[DataPoint]) -> list[str]:
    """The ids that points of one stream come out with."""
    return [point.point_id for point in classify(points, None, StreamState(), NOW).points]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_reading_and_the_point_of_a_new_client_are_the_same_point(
    world: World, packet_event: Event, data: st.DataObject
) -> None:
    sensor_id = data.draw(st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1))
    uuid, device, at = data.draw(uuids), data.draw(uuids), data.draw(moments)
    world.queue, world.lookup = MemoryPackQueue(), SensorLookup(world, ttl_seconds=60, clock=Clock())
    world.directory = MemorySensors([Sensor(sensor_id=sensor_id, uuid=uuid, device_uuid=device)])
    sequence = data.draw(st.none() | st.integers(min_value=0, max_value=MAX_SEQUENCE))
    measurement = {
        "value": data.draw(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)),
        **({} if sequence is None else {"sequence": sequence}),
    }
    when = data.draw(st.sampled_from([at, datetime.fromtimestamp(at, UTC).isoformat()]))
    its_names: list[dict[str, Any]] = [
        {"sensor_id": sensor_id},
        {"sensor_id": str(sensor_id)},
        {"sensor_uuid": data.draw(spellings(uuid))},
    ]
    named = {**data.draw(st.sampled_from(its_names)), **measurement}
    its_device = data.draw(st.sampled_from([{}, {"device_uuid": data.draw(spellings(device))}]))
    topic = f"iot/sensors/{data.draw(st.sampled_from([str(sensor_id), uuid, uuid.upper()]))}/readings"

    point = {"stream_id": str(sensor_id), "timestamp": at, **measurement}
    new = {"domain": "iot", "source_id": device, "datapoints": [point]}
    new_event = request_to(packet_event, "POST", "/ingest/datapoints") | {"body": json.dumps(new)}
    packet = {**its_device, "readings": [{**named, "ts": when}]}
    assert world.answer_to(new_event)[0] == 202
    (expected,) = world.points()
    message = {**measurement, **its_device, "timestamp": when}

    def in_a_packet() -> bool:
        return world.answer_to(packet_event | {"body": json.dumps(packet)})[0] == 200

    def in_a_message() -> bool:
        return world.published(topic, json.dumps(message).encode()) == []

    for sent in (in_a_packet, in_a_message):
        world.queue = MemoryPackQueue()
        assert sent()
        (came,) = world.points()
        assert came.key == expected.key
        assert ids_of_points([came]) == ids_of_points([expected])


# --- access, and the end of the call ---------------------------------------------------------------------------------


def test_an_unknown_caller_is_refused_with_the_headers_of_the_end(world: World, packet_event: Event) -> None:
    packet_event["requestContext"].pop("authorizer")

    status, body, headers = world.answer_to(packet_event)

    assert (status, body["code"], headers["deprecation"]) == (401, "unauthorized", "@1796083200")
    assert (world.asked, world.points()) == ([], [])


@pytest.mark.parametrize(
    ("grant", "readings", "missing"),
    [
        ({"domains": ["health"], "sources": ["*"]}, [GOOD], "domain:iot"),
        ({"domains": ["iot"], "sources": ["oven-*"]}, [GOOD], f"source:{DEVICE}"),
        ({"domains": ["iot"], "sources": ["oven-*"]}, [], f"source:{DEVICE}"),
    ],
)
def test_a_caller_whose_key_does_not_reach_the_device_is_refused_with_the_missing_scope(
    world: World, packet_event: Event, grant: dict[str, Any], readings: list[object], missing: str
) -> None:
    packet_event["requestContext"]["authorizer"] = {"lambda": {"grant": json.dumps({"key_id": "aaaqeaye"} | grant)}}

    status, body, _ = world.answer_to(packet_event | {"body": json.dumps(a_packet(*readings))})

    assert (status, body["code"], body["missing_scope"]) == (403, "forbidden", missing)
    assert world.points() == []


@pytest.mark.parametrize(
    ("readings", "expected"), [([], 200), ([{"sensor_id": 7, "value": "warm", "device_uuid": DEVICE}], 422)]
)
def test_without_an_accepted_reading_and_a_device_no_source_has_to_be_reached(
    world: World, packet_event: Event, readings: list[object], expected: int
) -> None:
    def answered(**grant: list[str]) -> tuple[int, Any]:
        packet_event["requestContext"]["authorizer"] = {"lambda": {"grant": json.dumps({"key_id": "aaaqeaye"} | grant)}}
        status, body, _ = world.answer_to(packet_event | {"body": json.dumps({"readings": readings})})
        return status, body.get("missing_scope")

    assert answered(domains=["iot"], sources=[DEVICE]) == (expected, None)
    assert answered(domains=["health"], sources=["*"]) == (403, "domain:iot")


@pytest.mark.parametrize("named", [None, "oven-1"])
def test_a_key_has_to_reach_the_devices_of_the_directory_and_learns_of_none(
    world: World, packet_event: Event, named: str | None
) -> None:
    grant = {"key_id": "aaaqeaye", "domains": ["iot"], "sources": ["_", "oven-1"]}
    packet_event["requestContext"]["authorizer"] = {"lambda": {"grant": json.dumps(grant)}}
    packet = {"readings": [{"sensor_id": 7, "value": 1, "device_uuid": named}, {"sensor_uuid": UUID, "value": 2}]}

    status, body, _ = world.answer_to(packet_event | {"body": json.dumps(packet)})

    assert (status, body["missing_scope"]) == (403, "source:*")
    assert DEVICE not in json.dumps(body)
    assert world.points() == []


def test_the_answer_has_the_end_of_the_call_and_its_successor(world: World, packet_event: Event) -> None:
    world.set(old_clients_sunset_on="2027-06-30", old_clients_guide_url="https://docs.example.com/move-a-client")

    _, _, headers = world.answer_to(packet_event)

    assert headers["deprecation"] == "@1796083200"
    assert headers["sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    assert headers["link"] == (
        '<datapoints>; rel="successor-version", <https://docs.example.com/move-a-client>; rel="deprecation"'
    )


def test_without_dates_and_an_open_successor_the_answer_names_none(world: World, packet_event: Event) -> None:
    world.set(old_clients_deprecated_on=None, enable_agnostic_api=False)

    assert world.answer_to(packet_event)[2] == {"content-type": "application/json"}


@pytest.mark.parametrize(("method", "route"), [("POST", "$default"), ("GET", "$default"), ("POST", f"POST {PATH}")])
def test_a_stage_without_the_call_answers_410_and_reads_nothing(
    world: World, packet_event: Event, method: str, route: str
) -> None:
    world.set(enable_legacy_api=False)
    asked = request_to(packet_event, method, PATH) | {"routeKey": route, "body": "{"}
    asked["requestContext"].pop("authorizer")

    status, body, headers = world.answer_to(asked)

    assert (status, body["code"]) == (410, "gone")
    assert body["detail"] == (
        "packets are taken no longer; send their readings as points to POST /ingest/datapoints: "
        "docs/how-to/move-a-client.md of afluente has the old call beside the new one"
    )
    assert headers["deprecation"] == "@1796083200"
    assert 'rel="successor-version"' in headers["link"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"old_clients_guide_url": "https://docs.example.com/move"}, "https://docs.example.com/move"),
        ({"enable_agnostic_api": False}, "ask the operators"),
    ],
)
def test_an_answer_of_410_leads_to_what_the_stage_has(
    world: World, packet_event: Event, values: dict[str, object], message: str
) -> None:
    world.set(enable_legacy_api=False, **values)

    _, body, _ = world.answer_to(packet_event | {"routeKey": "$default"})

    assert message in body["detail"]


def test_another_method_than_post_is_refused_with_the_allowed_one(world: World, packet_event: Event) -> None:
    asked = request_to(packet_event, "GET", PATH) | {"routeKey": "$default"}

    status, body, headers = world.answer_to(asked)

    assert (status, body["code"], headers["allow"]) == (405, "method_not_allowed", "POST")


# --- limits, and what is away ----------------------------------------------------------------------------------------


def test_too_many_readings_are_refused(world: World, packet_event: Event) -> None:
    status, body, _ = world.answer_to(packet_event | {"body": json.dumps(a_packet(*[1] * (MAX_POINTS + 1)))})

    assert (status, body["code"]) == (413, "too_many_points")
    assert "readings" in body["detail"]


@pytest.mark.parametrize(("devices", "expected"), [(MAX_DEVICES, 200), (MAX_DEVICES + 1, 413)])
def test_a_packet_has_readings_of_so_many_devices_at_the_most(
    world: World, packet_event: Event, devices: int, expected: int
) -> None:
    readings = [GOOD | {"device_uuid": str(uuid.UUID(int=number))} for number in range(devices)]

    status, body, _ = world.answer_to(packet_event | {"body": json.dumps({"readings": readings})})

    assert status == expected
    assert len(world.keys()) == (devices if expected == 200 else 0)
    assert expected == 200 or f"{devices} devices" in body["detail"]


def test_a_packet_that_names_device_and_numbers_looks_nothing_up(world: World, packet_event: Event) -> None:
    world.directory_is_away = True

    assert world.answer_to(packet_event)[0] == 200
    assert world.keys() == [f"iot/{DEVICE}/42"]


def test_while_the_directory_is_away_a_packet_that_needs_it_is_to_come_again(
    world: World, packet_event: Event, log: LogLines
) -> None:
    world.directory_is_away = True
    packet = a_packet(GOOD, {"sensor_uuid": UUID, "value": 1, "ts": NOW})

    status, body, headers = world.answer_to(packet_event | {"body": json.dumps(packet)})

    assert (status, body["code"], headers["retry-after"]) == (503, "unavailable", "2")
    assert "no reading is taken for certain" in body["detail"]
    assert headers["deprecation"] == "@1796083200"
    assert world.points() == []
    assert log.codes == ["LEGACY_UNAVAILABLE"]


def test_while_the_queue_is_away_a_packet_is_to_come_again(world: World, packet_event: Event) -> None:
    world.queue_is_away = True

    status, body, headers = world.answer_to(packet_event)

    assert (status, body["code"], headers["retry-after"]) == (503, "unavailable", "2")


def test_bad_readings_are_kept_with_where_they_are_from(world: World, packet_event: Event) -> None:
    packet = a_packet(GOOD, {"sensor_id": 42, "value": "hot"}, ts=NOW)

    world.answer_to(packet_event | {"body": json.dumps(packet)})

    (kept,) = world.quarantine.records.values()
    assert (kept.transport, kept.reason) == ("http", "rejected_points")
    assert kept.origin == {"domain": "iot", "source_id": DEVICE, "form": "legacy", "ts": str(NOW)}
    assert json.loads(kept.payload) == [{"sensor_id": 42, "value": "hot"}]


def test_who_sends_packets_is_counted_by_key(
    world: World, packet_event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    world.answer_to(packet_event)

    written = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"LegacyRequests"' in line]
    (metric,) = written
    assert (metric["client"], metric["LegacyRequests"]) == ("aaaqeaye", 1)
