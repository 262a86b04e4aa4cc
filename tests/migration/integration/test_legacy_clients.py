"""Legacy clients at the running stack: their requests and messages, and the points that come out."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from awscrt import mqtt5

from afluente.domain.stream_keys import MISSING_SOURCE, StreamKey
from afluente.migration.adapters.dynamodb_sensors import DynamoSensors
from cli.devices import devices
from tests.migration.legacy_clients import (
    Measured,
    RecordedMessage,
    RecordedRequest,
    as_points,
    by_stream,
    directory,
    has_a_time_of_its_own,
    recorded_messages,
    recorded_requests,
)
from tests.outbox import Outbox
from tests.senders import ACCEPTED, REFUSED, device_client
from tests.stack import PATIENCE_SECONDS, LocalStack

pytestmark = pytest.mark.integration

REQUESTS, MESSAGES = recorded_requests(), recorded_messages()
RECORDINGS: dict[str, RecordedRequest | RecordedMessage] = {**REQUESTS, **MESSAGES}

PATH = "/ingest/packets"


class Sent(NamedTuple):
    """The answers to the recordings, and the points that were delivered.

    Attributes:
        answers: to the requests, by name.
        pubacks: of the messages, by name.
        outbox: all points delivered since.
    """

    answers: dict[str, httpx.Response]
    pubacks: dict[str, object]
    outbox: Outbox


@pytest.fixture(scope="module")
def old_device(local_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[mqtt5.Client]:
    folder = tmp_path_factory.mktemp("legacy-device")
    devices.create(local_stack.target, f"legacy-{secrets.token_hex(3)}", "iot", folder, legacy=True)
    client = device_client(folder)
    yield client
    client.stop()


@pytest.fixture(scope="module")
def sent(local_stack: LocalStack, old_device: mqtt5.Client) -> Sent:
    """Every recording, sent once."""
    outbox = Outbox(local_stack)
    DynamoSensors(local_stack.client("dynamodb"), local_stack.target["MigrationTable"]).put_many(directory())
    answers = {name: replayed(local_stack, recording) for name, recording in REQUESTS.items()}
    published = {
        name: publish(old_device, its.message.topic, its.message.payload.content) for name, its in MESSAGES.items()
    }
    pubacks = {name: acknowledged(one) for name, one in published.items()}
    local_stack.drained()
    return Sent(answers, pubacks, outbox)


def replayed(local_stack: LocalStack, recording: RecordedRequest) -> httpx.Response:
    request = recording.request
    return local_stack.http.request(
        request.method,
        f"{local_stack.target.api_url}{request.path}",
        headers={**request.headers, "X-API-Key": local_stack.api_key},
        content=request.body.content if request.body else None,
    )


def publish(client: mqtt5.Client, topic: str, payload: bytes) -> "Future[mqtt5.PublishCompletionData]":
    packet = mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE)
    done: Future[mqtt5.PublishCompletionData] = client.publish(packet)
    return done


def acknowledged(published: "Future[mqtt5.PublishCompletionData]") -> object:
    return published.result(PATIENCE_SECONDS).puback.reason_code


def came(outbox: Outbox, recording: RecordedRequest | RecordedMessage) -> dict[str, list[Measured]]:
    """The points of a recording by stream; of the missing source, which others have too, those of its streams alone."""
    sources = {StreamKey.parse(key).source_id for key in recording.streams}
    found = by_stream(point for source in sources for point in outbox.points(f"iot/{source}"))
    nobodys = f"iot/{MISSING_SOURCE}/"
    return {key: its for key, its in found.items() if not key.startswith(nobodys) or key in recording.streams}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_recorded_request_is_answered_as_it_was_and_comes_out_where_it_did(sent: Sent, name: str) -> None:
    recording, answer = REQUESTS[name], sent.answers[name]

    body = answer.json()
    assert body.pop("request_id") == answer.headers["x-request-id"]
    assert (answer.status_code, body) == (recording.answer.status, recording.answer.body)
    assert {header: answer.headers[header] for header in recording.answer.headers} == recording.answer.headers
    assert came(sent.outbox, recording) == recording.streams


@pytest.mark.parametrize("name", MESSAGES)
def test_a_recorded_message_is_acknowledged_and_comes_out_or_is_kept(
    local_stack: LocalStack, sent: Sent, name: str
) -> None:
    recording = MESSAGES[name]

    assert sent.pubacks[name] == ACCEPTED
    assert came(sent.outbox, recording) == recording.streams
    kept = local_stack.quarantined_from("mqtt", recording.message.topic)
    if recording.quarantined is None:
        assert kept == []
        return
    (record,) = kept
    assert record["reason"] == recording.quarantined.reason
    assert recording.quarantined.message in record["message"]
    faults = {index: [[fault["field"], fault["code"]] for fault in its] for index, its in record["faults"].items()}
    assert faults == recording.quarantined.faults


def test_the_same_readings_sent_as_points_add_nothing(local_stack: LocalStack, sent: Sent) -> None:
    both = [its for its in RECORDINGS.values() if has_a_time_of_its_own(its)]
    bodies = [(source, body) for its in both for source, body in as_points(its).items()]
    before = [len(sent.outbox.lines(f"iot/{source}")) for source, _ in bodies]

    for _, body in bodies:
        answer = local_stack.post(json.dumps(body).encode())
        assert (answer.status_code, answer.json()["inserted"]) == (202, len(body["datapoints"]))

    local_stack.drained()
    assert [len(sent.outbox.lines(f"iot/{source}")) for source, _ in bodies] == before


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        ("iot/sensors/42/states", REFUSED),
        ("iot/sensors/42/1/readings", REFUSED),
        ("health/sensors/42/readings", REFUSED),
        ("iot/another-device/temperature", REFUSED),
        ("iot/{name}/temperature", ACCEPTED),
    ],
)
def test_a_legacy_device_publishes_to_its_own_and_the_legacy_topics_alone(
    local_stack: LocalStack, tmp_path: Path, topic: str, code: object
) -> None:
    name = f"legacy-{secrets.token_hex(3)}"
    devices.create(local_stack.target, name, "iot", tmp_path, legacy=True)
    client = device_client(tmp_path)
    try:
        published = publish(client, topic.format(name=name), json.dumps({"value": 1}).encode())
        assert acknowledged(published) == code
    finally:
        client.stop()


def test_a_key_that_does_not_reach_the_device_is_refused_with_the_missing_scope(local_stack: LocalStack) -> None:
    (device,) = {StreamKey.parse(key).source_id for key in REQUESTS["http_integer_ids"].streams}
    headers = {"X-API-Key": local_stack.create_key(domains=("iot",), sources=("oven-*",))}
    packet = {"device_uuid": device.upper(), "readings": [{"sensor_id": 1, "value": 1}]}

    answer = local_stack.http.post(f"{local_stack.target.api_url}{PATH}", json=packet, headers=headers)

    assert (answer.status_code, answer.json()["missing_scope"]) == (403, f"source:{device}")
    assert answer.headers["deprecation"]


def test_with_the_flag_off_the_call_answers_410_and_names_the_new_one(local_stack: LocalStack) -> None:
    with local_stack.configured("http_ingest", AFLUENTE_ENABLE_LEGACY_API="false"):
        answer = replayed(local_stack, REQUESTS["http_integer_ids"])

    assert (answer.status_code, answer.json()["code"]) == (410, "gone")
    assert "POST /ingest/datapoints" in answer.json()["detail"]
    assert answer.headers["link"] == '<datapoints>; rel="successor-version"'
