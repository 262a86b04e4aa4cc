"""MQTT as devices speak it, through the broker, the topic rules and the inbox: accepted and refused messages."""

import json
import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from awscrt import mqtt5
from awscrt.exceptions import AwsCrtError

from cli.devices import devices
from cli.devices.devices import device_for
from tests.outbox import Outbox
from tests.senders import ACCEPTED, REFUSED, MqttSender, device_client
from tests.stack import PATIENCE_SECONDS, LocalStack

pytestmark = pytest.mark.integration

NOW = time.time()


@pytest.fixture
def source_id() -> str:
    """A source that no other test has, short enough for a topic of 100 levels in its 256 bytes."""
    return f"device-{secrets.token_hex(3)}"


@pytest.fixture
def device(local_stack: LocalStack, source_id: str) -> Iterator[MqttSender]:
    sender = MqttSender(local_stack, "iot", source_id)
    yield sender
    sender.close()


def acknowledged(published: "Future[mqtt5.PublishCompletionData]") -> Any:
    return published.result(PATIENCE_SECONDS).puback.reason_code


def a_point(value: float = 20.5, **fields: object) -> dict[str, object]:
    return {"value": value, "timestamp": NOW, **fields}


@pytest.mark.parametrize(
    "payload",
    [a_point(sequence=3), [a_point(sequence=3)], {"datapoints": [a_point(sequence=3)]}],
    ids=["point", "array", "datapoints"],
)
def test_each_shape_of_a_payload_comes_out(
    local_stack: LocalStack, outbox: Outbox, device: MqttSender, source_id: str, payload: object
) -> None:
    assert acknowledged(device.publish(f"iot/{source_id}/temperature", payload)) == ACCEPTED

    local_stack.drained()
    (point,) = outbox.points(f"iot/{source_id}")
    assert (point["stream_id"], point["value"], point["timestamp"], point["sequence"]) == ("temperature", 20.5, NOW, 3)


def test_senml_comes_out_under_its_own_names(
    local_stack: LocalStack, outbox: Outbox, device: MqttSender, source_id: str
) -> None:
    pack = [{"bn": "oven:", "bt": NOW, "bu": "Cel", "n": "top", "v": 180.5}, {"n": "bottom", "t": -5, "v": 176.2}]

    device.publish(f"iot/{source_id}/anything", pack).result(PATIENCE_SECONDS)

    local_stack.drained()
    came = {point["stream_id"]: (point["value"], point["timestamp"]) for point in outbox.points(f"iot/{source_id}")}
    assert came == {"oven:top": (180.5, NOW), "oven:bottom": (176.2, NOW - 5)}


def test_a_point_without_a_time_has_that_at_which_the_broker_had_it(
    local_stack: LocalStack, outbox: Outbox, device: MqttSender, source_id: str
) -> None:
    before = time.time()
    device.publish(f"iot/{source_id}/door", {"value": 1}).result(PATIENCE_SECONDS)
    after = time.time()

    local_stack.drained()
    (point,) = outbox.points(f"iot/{source_id}")
    # The rule has milliseconds.
    assert before - 0.001 <= point["timestamp"] <= after
    assert point["metadata"] == {"timestamp_source": "arrival"}


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param("iot/another-device/temperature", id="another source"),
        pytest.param("health/{source}/temperature", id="another domain"),
        pytest.param("iot/{source}", id="2 levels"),
        pytest.param("iot/{source}/oven/temperature", id="4 levels"),
        pytest.param("iot/{source}/" + "/".join(["a"] * 98), id="100 levels"),
        pytest.param("{source}/temperature/iot", id="another order"),
    ],
)
def test_a_device_may_publish_under_its_own_source_alone(
    local_stack: LocalStack, outbox: Outbox, device: MqttSender, source_id: str, topic: str
) -> None:
    refused = device.publish(topic.format(source=source_id), a_point())
    good = device.publish(f"iot/{source_id}/temperature", a_point())

    assert (acknowledged(refused), acknowledged(good)) == (REFUSED, ACCEPTED)
    local_stack.drained()
    assert [point["stream_id"] for point in outbox.points(f"iot/{source_id}")] == ["temperature"]


def test_a_device_connects_by_its_own_name_alone(local_stack: LocalStack, source_id: str) -> None:
    folder = device_for(local_stack.target, "iot", source_id)

    with pytest.raises(AwsCrtError, match="CONNACK"):
        device_client(folder, client_id="another-device")


def test_a_connection_without_a_certificate_is_ended(local_stack: LocalStack, source_id: str) -> None:
    folder = device_for(local_stack.target, "iot", source_id)
    context = ssl.create_default_context(cafile=folder / "ca.pem")

    with (
        socket.create_connection(("127.0.0.1", local_stack.mqtt_port), PATIENCE_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        # In TLS 1.3 a client learns of it only after its own part of the handshake: by an alert, or by the end.
        try:
            answer = connection.recv(1)
        except (ssl.SSLError, ConnectionError):
            answer = b""

    assert answer == b""


def test_a_revoked_certificate_opens_nothing_any_more(local_stack: LocalStack, source_id: str) -> None:
    folder = device_for(local_stack.target, "iot", source_id)
    device_client(folder).stop()

    assert devices.revoke(local_stack.target, source_id) == 1

    with pytest.raises(AwsCrtError):
        device_client(folder)
    (known,) = [one for one in devices.devices(local_stack.target) if one.name == source_id]
    assert set(known.certificates.values()) == {"REVOKED"}


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param((b"", "the payload is empty"), id="0 bytes"),
        pytest.param((b"\xff\xfe\x00", "the payload is not UTF-8 (at byte 0)"), id="no UTF-8"),
        pytest.param((b'{"value": 1', "the payload is no JSON"), id="no JSON"),
        pytest.param((b"[" * 500 + b"]" * 500, "nests deeper than 64 levels"), id="nested"),
        pytest.param((b"7", "must be a point, an array of points or SenML"), id="a number"),
        pytest.param((b"x" * 130_000, "the payload is no JSON"), id="almost 128 KiB"),
    ],
)
def test_a_poisoned_message_ends_in_quarantine_and_holds_up_none(
    local_stack: LocalStack, outbox: Outbox, device: MqttSender, source_id: str, poison: tuple[bytes, str]
) -> None:
    payload, reason = poison
    topic = f"iot/{source_id}/temperature"
    sent = [device.publish(topic, one) for one in (a_point(1), payload, a_point(2, sequence=1))]

    assert [acknowledged(one) for one in sent] == [ACCEPTED] * 3
    local_stack.drained()
    assert [point["value"] for point in outbox.points(f"iot/{source_id}")] == [1, 2]
    (kept,) = local_stack.quarantined_from("mqtt", topic)
    assert reason in kept["message"]
    assert kept["reason"] == "unusable_message"
    assert kept["origin"] == {"topic": topic, "client_id": source_id}
    assert kept["failed_at"] == pytest.approx(time.time(), abs=PATIENCE_SECONDS)


def test_128_kib_of_points_are_accepted(
    local_stack: LocalStack, outbox: Outbox, device: MqttSender, source_id: str
) -> None:
    """IoT Core, "Message size": 128 KiB; the SDK refuses more before it is sent, as the broker would."""
    wide = [a_point(float(number), sequence=number, metadata={"text": "x" * 3_900}) for number in range(32)]
    assert 126_000 < len(json.dumps(wide)) < 131_072

    assert acknowledged(device.publish(f"iot/{source_id}/temperature", wide)) == ACCEPTED

    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == 32


def test_a_bad_point_is_quarantined_with_its_faults_and_its_neighbours_go_through(
    local_stack: LocalStack, outbox: Outbox, device: MqttSender, source_id: str
) -> None:
    topic = f"iot/{source_id}/temperature"
    device.publish(topic, [a_point(1), a_point("hot"), a_point(2, sequence=1)]).result(PATIENCE_SECONDS)  # type: ignore[arg-type] # on purpose

    local_stack.drained()
    assert [point["value"] for point in outbox.points(f"iot/{source_id}")] == [1, 2]
    (kept,) = local_stack.quarantined_from("mqtt", topic)
    assert [(fault["field"], fault["code"]) for fault in kept["faults"]["1"]] == [("value", "wrong_type")]
