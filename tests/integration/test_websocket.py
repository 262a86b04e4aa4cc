"""The WebSocket API as deployed: through API Gateway and the function to the queue, and the answers back."""

import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from afluente.adapters.websocket.messages import MAX_POINTS
from afluente.application.access.api_keys import id_in
from cli.access.stores import keys_of
from tests.integration.bad_points import GOOD, bad_points
from tests.outbox import Outbox
from tests.senders import WebSocketSender, authenticate, is_closed, open_websocket
from tests.stack import PATIENCE_SECONDS, LocalStack

pytestmark = pytest.mark.integration

NOBODYS_KEY = "afl_nobody_knows-it"

Document = dict[str, Any]


# Each with the answer to it.
FORMS: dict[str, tuple[Any, Any]] = {
    "a point": (GOOD | {"sequence": 5}, {"sequence": 5, "status": "ok"}),
    "a point without sequence": (GOOD, {"sequence": None, "status": "ok"}),
    "an array": ([GOOD | {"sequence": 5}], [{"sequence": 5, "status": "ok"}]),
    "an object of an array": ({"datapoints": [GOOD | {"sequence": 5}]}, [{"sequence": 5, "status": "ok"}]),
}

# Messages that are refused as a whole, each with the code and the reason of the answer.
BAD_MESSAGES: dict[str, tuple[str, int, str]] = {
    "nothing": ("", 1007, "malformed_json"),
    "no JSON": ("hello", 1007, "malformed_json"),
    "a trailing comma": ('[{"stream_id": "s", "value": 1,}]', 1007, "malformed_json"),
    "deep arrays": ("[" * 2_000, 1007, "malformed_json"),
    "null": ("null", 1007, "invalid_message"),
    "a number": ("5", 1007, "invalid_message"),
    "no points": ("[]", 1007, "invalid_message"),
    "no datapoints": ('{"datapoints": []}', 1007, "invalid_message"),
    "datapoints that are no array": ('{"datapoints": {}}', 1007, "invalid_message"),
    "an unknown action": ('{"action": "subscribe"}', 1007, "invalid_message"),
    "an action that is null": ('{"action": null}', 1007, "invalid_message"),
    "another source": (json.dumps(GOOD | {"source_id": "another"}), 1007, "invalid_message"),
    "another domain": (json.dumps({"domain": "finance", "datapoints": [GOOD]}), 1007, "invalid_message"),
    "too many points": (json.dumps([GOOD] * (MAX_POINTS + 1)), 1009, "too_many_points"),
}


@pytest.fixture
def sender(local_stack: LocalStack, source_id: str) -> Iterator[WebSocketSender]:
    """A connection that has authenticated for the source."""
    with WebSocketSender(local_stack, "iot", source_id) as opened:
        yield opened


# --- who sends -------------------------------------------------------------------------------------------------------


def test_a_connection_authenticates_by_its_first_message(local_stack: LocalStack, source_id: str) -> None:
    with open_websocket(local_stack) as socket:
        answer = authenticate(socket, local_stack.api_key, "health", source_id)

    assert answer == {"type": "authenticated", "domain": "health", "source_id": source_id, "last_sequence": None}


def test_a_connection_authenticates_by_headers(local_stack: LocalStack, outbox: Outbox, source_id: str) -> None:
    headers = {"X-API-Key": local_stack.api_key, "X-Domain": "iot", "X-Source-ID": source_id}
    with open_websocket(local_stack, headers=headers) as socket:
        assert ask(socket, GOOD | {"sequence": 1}) == ok(1)
        assert ask(socket, {"action": "auth"})["source_id"] == source_id

    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == 1


def test_a_connection_authenticates_by_its_query(local_stack: LocalStack, outbox: Outbox, source_id: str) -> None:
    query = f"?api_key={local_stack.api_key}&domain=iot&source_id={source_id}"
    with open_websocket(local_stack, query=query) as socket:
        assert ask(socket, {"action": "auth"})["source_id"] == source_id
        assert ask(socket, GOOD) == ok(None)

    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == 1


def test_a_source_may_be_left_out(local_stack: LocalStack) -> None:
    with open_websocket(local_stack) as socket:
        answer = ask(socket, {"action": "auth", "domain": "iot", "api_key": local_stack.api_key})

    assert (answer["type"], answer["source_id"]) == ("authenticated", "_")


def test_a_connection_stays_with_its_source(local_stack: LocalStack, source_id: str) -> None:
    sender = WebSocketSender(local_stack, "iot", source_id)

    other = {"action": "auth", "domain": "iot", "source_id": f"{source_id}-b", "api_key": local_stack.api_key}
    answer = sender.ask(other)

    assert (answer["code"], answer["reason"]) == (1008, "forbidden")
    with pytest.raises(ConnectionClosed):
        sender.socket.recv(timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("credentials", "reason", "explanation"),
    [
        ({"api_key": NOBODYS_KEY}, "unauthorized", "the key is unknown, expired or revoked"),
        ({"api_key": 5}, "unauthorized", "api_key is required"),
        ({"api_key": ""}, "unauthorized", "api_key is required"),
        ({"api_key": None}, "unauthorized", "not authenticated"),
        ({"domain": "kitchen"}, "forbidden", "the domain 'kitchen' is not open"),
        ({"domain": None}, "forbidden", "domain"),
        ({"source_id": "a/b"}, "forbidden", "source_id holds '/'"),
    ],
)
def test_bad_credentials_are_answered_and_end_the_connection(
    local_stack: LocalStack, credentials: Document, reason: str, explanation: str
) -> None:
    message = {"action": "auth", "domain": "iot", "source_id": "s", "api_key": local_stack.api_key} | credentials
    with open_websocket(local_stack) as socket:
        error = ask(socket, message)

        assert (error["type"], error["code"], error["reason"]) == ("error", 1008, reason)
        assert explanation in error["message"]
        assert is_closed(socket)


def test_a_key_reaches_the_sources_of_its_scope_alone(local_stack: LocalStack, source_id: str) -> None:
    key = local_stack.create_key(domains=("iot",), sources=("test-*",))
    with open_websocket(local_stack) as socket:
        authenticate(socket, key, "iot", source_id)
        assert ask(socket, GOOD) == ok(None)

    for domain, name, missing in (("health", source_id, "domain:health"), ("iot", "oven-1", "source:oven-1")):
        with open_websocket(local_stack) as socket:
            error = ask(socket, {"action": "auth", "domain": domain, "source_id": name, "api_key": key})

            assert (error["code"], error["reason"]) == (1008, "forbidden")
            assert f"lacks the scope {missing}" in error["message"]
            assert is_closed(socket)


@pytest.mark.parametrize("changed", [{"api_key": NOBODYS_KEY}, {"domain": "kitchen"}, {"domain": "finance"}])
@pytest.mark.parametrize("place", ["headers", "query"])
def test_bad_credentials_at_connect_refuse_the_handshake(
    local_stack: LocalStack, place: str, changed: Document
) -> None:
    credentials = {"api_key": local_stack.create_key(domains=("iot",)), "domain": "iot", "source_id": "s"} | changed
    headers = {
        "X-API-Key": credentials["api_key"],
        "X-Domain": credentials["domain"],
        "X-Source-ID": credentials["source_id"],
    }
    query = "?" + "&".join(f"{name}={value}" for name, value in credentials.items())

    with pytest.raises(InvalidStatus) as refused:
        open_websocket(local_stack, **({"headers": headers} if place == "headers" else {"query": query}))

    # The emulator makes it of 401, too.
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("message", [GOOD, [GOOD], {"datapoints": [GOOD]}, {"action": "ping"}, {"action": "auth"}])
def test_a_connection_that_has_not_authenticated_is_dropped(local_stack: LocalStack, message: object) -> None:
    with open_websocket(local_stack) as socket:
        error = ask(socket, message)

        assert (error["code"], error["reason"]) == (1008, "unauthorized")
        assert is_closed(socket)


def test_a_connection_that_says_nothing_is_dropped_and_one_that_has_authenticated_is_not(
    local_stack: LocalStack, sender: WebSocketSender
) -> None:
    # Opened later than the sender's, its time is over later.
    with open_websocket(local_stack) as silent:
        error = json.loads(silent.recv(timeout=PATIENCE_SECONDS))

        assert (error["code"], error["reason"]) == (1008, "unauthorized")
        assert "no message came in time" in error["message"]
        assert is_closed(silent)

    assert sender.ask({"action": "ping"}) == {"type": "pong"}


def test_a_key_that_is_revoked_ends_an_open_connection(local_stack: LocalStack, source_id: str) -> None:
    key = local_stack.create_key()
    with local_stack.configured("ws_ingest", AFLUENTE_KEY_TTL_SECONDS="0.2"), open_websocket(local_stack) as socket:
        authenticate(socket, key, "iot", source_id)
        assert ask(socket, GOOD | {"sequence": 1}) == ok(1)
        revoke(local_stack, key)

        error = local_stack.eventually(lambda: refusal_of_a_ping(socket), "the connection is refused")

        assert error
        assert (error["code"], error["reason"]) == (1008, "unauthorized")
        assert is_closed(socket)


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_points_are_acknowledged_in_their_order_with_their_faults(
    local_stack: LocalStack, outbox: Outbox, source_id: str, sender: WebSocketSender
) -> None:
    bad = bad_points()
    sent = [*(point for point, _ in bad), *(GOOD | {"sequence": place} for place in range(9))]

    acknowledged = sender.ask(sent)

    assert acknowledged[len(bad) :] == [ok(place) for place in range(9)]
    for answer, (point, faults) in zip(acknowledged, bad, strict=False):
        assert answer["status"] == "error", point
        assert answer["code"] in {code for _, code in faults}
        assert all(f"{field}: " in answer["message"] for field, _ in faults)
    local_stack.drained()
    assert [point["sequence"] for point in outbox.points(f"iot/{source_id}")] == list(range(9))
    (kept,) = quarantined(local_stack, source_id)
    assert kept["payload"] == json.dumps([point for point, _ in bad])
    assert {int(place) for place in kept["faults"]} == set(range(len(bad)))


@pytest.mark.parametrize("form", FORMS)
def test_a_message_of_each_form_is_accepted(
    local_stack: LocalStack, outbox: Outbox, source_id: str, sender: WebSocketSender, form: str
) -> None:
    message, answer = FORMS[form]

    assert sender.ask(message) == answer

    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == 1


def test_a_bad_point_alone_is_answered_as_one(local_stack: LocalStack, source_id: str, sender: WebSocketSender) -> None:
    answer = sender.ask(GOOD | {"value": "hot", "sequence": 3})

    assert answer == {
        "sequence": 3,
        "status": "error",
        "code": "wrong_type",
        "message": "value: must be a number, not a string",
    }
    assert len(quarantined(local_stack, source_id)) == 1


def test_a_thousand_points_are_accepted_in_one_message_of_several_frames(
    local_stack: LocalStack, outbox: Outbox, source_id: str, sender: WebSocketSender
) -> None:
    points = numbered(MAX_POINTS)
    assert len(json.dumps(points)) > 2 * 32_000

    assert sender.ask(points) == [ok(place) for place in range(MAX_POINTS)]

    local_stack.drained()
    assert [point["sequence"] for point in outbox.points(f"iot/{source_id}")] == list(range(MAX_POINTS))


def test_a_message_of_128_kb_is_accepted(
    local_stack: LocalStack, outbox: Outbox, source_id: str, sender: WebSocketSender
) -> None:
    points = [point | {"metadata": {"note": "x" * 1_000}} for point in numbered(100)]
    # An unknown field is passed over.
    points[0]["padding"] = ""
    points[0]["padding"] = "x" * (128 * 1024 - len(json.dumps(points)))
    assert len(json.dumps(points)) == 128 * 1024

    assert sender.ask(points) == [ok(place) for place in range(100)]

    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == 100


def test_points_with_fields_of_other_scripts_come_out_as_they_were_sent(
    local_stack: LocalStack, outbox: Outbox, source_id: str, sender: WebSocketSender
) -> None:
    sent = GOOD | {"stream_id": "Öfen:温度", "metadata": {"por": "Íñigo 🜂"}}

    sender.socket.send(json.dumps(sent, ensure_ascii=False))

    assert json.loads(sender.socket.recv(timeout=PATIENCE_SECONDS)) == ok(None)
    local_stack.drained()
    (came,) = outbox.points(f"iot/{source_id}")
    assert (came["stream_id"], came["metadata"]) == (sent["stream_id"], sent["metadata"])


@pytest.mark.parametrize("what", BAD_MESSAGES)
def test_a_message_that_is_refused_is_answered_and_the_connection_goes_on(
    local_stack: LocalStack, outbox: Outbox, source_id: str, sender: WebSocketSender, what: str
) -> None:
    message, code, reason = BAD_MESSAGES[what]

    error = ask(sender.socket, message)

    assert (error["type"], error["code"], error["reason"]) == ("error", code, reason)
    assert error["message"]
    assert sender.ask(GOOD | {"sequence": 1}) == ok(1)
    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == 1


def test_a_message_may_repeat_the_source_of_its_points(sender: WebSocketSender, source_id: str) -> None:
    assert sender.ask(GOOD | {"domain": "iot", "source_id": source_id}) == ok(None)
    assert sender.ask({"source_id": source_id, "datapoints": [GOOD]}) == [ok(None)]


def test_a_repeated_message_changes_nothing(
    local_stack: LocalStack, outbox: Outbox, source_id: str, sender: WebSocketSender
) -> None:
    points = numbered(100)
    for _ in range(3):
        assert sender.ask(points) == [ok(place) for place in range(100)]

    local_stack.drained()
    came = outbox.lines(f"iot/{source_id}")
    assert len(came) == len({point["point_id"] for point in came}) == 100
    assert local_stack.bucket_versions(f"iot/{source_id}") == [1]


def test_two_sources_send_side_by_side_with_one_key(local_stack: LocalStack, outbox: Outbox, source_id: str) -> None:
    names = (source_id, f"{source_id}-2")
    points = numbered(20)
    with (
        WebSocketSender(local_stack, "iot", names[0]) as first,
        WebSocketSender(local_stack, "iot", names[1]) as second,
    ):
        for point in points:
            assert first.ask(point) == ok(point["sequence"])
            assert second.ask([point]) == [ok(point["sequence"])]

    local_stack.drained()
    for name in names:
        assert [point["sequence"] for point in outbox.points(f"iot/{name}")] == list(range(20))


# --- how far a source is ---------------------------------------------------------------------------------------------


def test_the_last_sequence_is_that_of_the_last_point_acknowledged(local_stack: LocalStack, source_id: str) -> None:
    def last_after(*messages: object) -> int | None:
        with open_websocket(local_stack) as socket:
            authenticate(socket, local_stack.api_key, "iot", source_id)
            for message in messages:
                ask(socket, message)
        with open_websocket(local_stack) as socket:
            last: int | None = authenticate(socket, local_stack.api_key, "iot", source_id)["last_sequence"]
            return last

    assert last_after(GOOD, [GOOD, GOOD]) is None
    assert last_after(numbered(10)) == 9
    assert last_after(GOOD) == 9
    assert last_after(GOOD | {"sequence": 10, "value": "hot"}) == 9
    assert last_after([GOOD | {"sequence": 11}, GOOD | {"sequence": 12, "value": "hot"}]) == 11
    # A device that counts anew is believed: the last, not the largest.
    assert last_after(GOOD | {"sequence": 0, "value": 2}) == 0
    assert last_after(GOOD | {"sequence": 2**63 - 1}) == 2**63 - 1


def ask(socket: ClientConnection, message: object) -> Any:
    """Send a message, as it is if it is a text, and return the answer to it."""
    text = message if isinstance(message, str) else json.dumps(message)
    socket.send(text[start : start + 32_000] for start in range(0, max(1, len(text)), 32_000))
    return json.loads(socket.recv(timeout=PATIENCE_SECONDS))


def refusal_of_a_ping(socket: ClientConnection) -> Document | None:
    answer: Document = ask(socket, {"action": "ping"})
    return None if answer == {"type": "pong"} else answer


def revoke(stack: LocalStack, key: str) -> None:
    keys = keys_of(stack.target)
    record = keys.find(id_in(key) or "")
    assert record is not None
    keys.put(msgspec.structs.replace(record, revoked_at=time.time()), replacing=record)


def ok(sequence: int | None) -> Document:
    return {"sequence": sequence, "status": "ok"}


def numbered(how_many: int) -> list[Document]:
    """Points of one stream, a second apart, with sequences from 0."""
    now = time.time()
    return [GOOD | {"timestamp": now - how_many + place, "sequence": place} for place in range(how_many)]


def quarantined(stack: LocalStack, source_id: str) -> list[Document]:
    """The stored sequences of a source."""
    s3, bucket = stack.client("s3"), stack.target["QuarantineBucket"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="quarantine/ws/")
    keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
    records = [json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]
    return [record for record in records if record["origin"]["source_id"] == source_id]
