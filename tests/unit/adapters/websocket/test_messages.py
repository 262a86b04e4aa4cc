"""Messages of the WebSocket API: what clients write, and what they are answered."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.codecs.json_points import JsonPoint
from afluente.adapters.websocket.messages import (
    MAX_POINTS,
    Authenticated,
    Authentication,
    ErrorMessage,
    Ping,
    Points,
    Pong,
    Wait,
    acknowledgements,
    contradiction,
    encode,
    points_request,
    read_message,
    refusal,
)
from afluente.domain.datapoints import MAX_SEQUENCE
from tests.factories import NOW, a_connection

GOOD = {"stream_id": "temperature", "value": 20.5, "timestamp": NOW - 10}


def read(document: object) -> Any:
    return read_message(json.dumps(document))


def answers(document: object) -> list[Any]:
    """The acknowledgements of the points of a message."""
    message = read(document)
    request = points_request(message, a_connection(), request_id="request-1", now=NOW)
    return [json.loads(encode(told)) for told in acknowledgements(message, request.rejected)]


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [GOOD, [GOOD], {"datapoints": [GOOD]}])
def test_each_shape_of_a_message_holds_its_point(shape: object) -> None:
    message = read(shape)

    assert isinstance(message, Points)
    request = points_request(message, a_connection(), request_id="request-1", now=NOW)
    (point,) = request.points
    assert (str(point.key), point.value, point.ingested_at) == ("iot/furnace-1/temperature", 20.5, NOW)
    assert (request.transport, request.request_id, request.domain, request.source_id) == (
        "ws",
        "request-1",
        "iot",
        "furnace-1",
    )
    assert request.origin == {"connection_id": "connection-1"}


def test_only_a_point_of_its_own_is_answered_by_one_acknowledgement() -> None:
    assert read(GOOD).is_single is True
    assert read([GOOD]).is_single is False
    assert read({"datapoints": [GOOD]}).is_single is False


def test_sound_points_are_read_the_quick_way() -> None:
    assert all(isinstance(item, JsonPoint) for item in read([GOOD, GOOD]).items)


def test_authentication_has_credentials_of_any_type() -> None:
    full = {"action": "auth", "domain": "iot", "source_id": "oven-1", "api_key": "afl_x"}

    assert read(full) == Authentication("iot", "oven-1", "afl_x")
    assert read({"action": "auth"}) == Authentication(None, None, None)
    assert read({"action": "auth", "domain": 5, "api_key": ""}) == Authentication(5, None, "")


def test_a_ping_is_a_ping() -> None:
    assert read({"action": "ping", "more": 1}) == Ping()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "the message is no JSON"),
        ("hello", "the message is no JSON"),
        ('{"value": 1', "the message is no JSON"),
        ('"\ud800"', "the message is not UTF-8"),
        ("[" * 100_000, "the message "),
        ('{"a":' * 100 + "1" + "}" * 100, "nests deeper than 64 levels"),
    ],
)
def test_what_is_no_json_is_malformed(body: str, told: str) -> None:
    error = read_message(body)

    assert isinstance(error, ErrorMessage)
    assert (error.code, error.reason) == (1007, "malformed_json")
    assert told in error.message


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (7, "must be an object or an array of points, not a number"),
        (None, "not null"),
        ("point", "not a string"),
        ([], "an array must have 1 to 1000 points"),
        ({"datapoints": []}, "an array must have 1 to 1000 points"),
        ({"datapoints": GOOD}, "datapoints must be an array, not an object"),
        ({"datapoints": None}, "datapoints must be an array, not null"),
        ({"action": "subscribe"}, "the action 'subscribe' is unknown; there are auth and ping"),
        ({"action": None}, "the action None is unknown"),
        ({"action": {}, **GOOD}, "the action {} is unknown"),
    ],
)
def test_a_message_of_no_known_shape_is_invalid(document: object, told: str) -> None:
    error = read(document)

    assert isinstance(error, ErrorMessage)
    assert (error.code, error.reason) == (1007, "invalid_message")
    assert told in error.message


def test_a_message_has_a_thousand_points_at_most() -> None:
    assert len(read([GOOD] * MAX_POINTS).items) == 1_000
    for document in ([GOOD] * (MAX_POINTS + 1), {"datapoints": [5] * (MAX_POINTS + 1)}):
        error = read(document)
        assert (error.code, error.reason) == (1009, "too_many_points")
        assert "1001 points are more than 1000" in error.message


@given(st.text())
def test_no_text_is_too_strange_to_be_answered(text: str) -> None:
    assert isinstance(read_message(text), Authentication | Ping | Points | ErrorMessage)


# --- what a message says of its source -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", [{}, {"domain": "iot"}, {"source_id": "furnace-1"}, {"domain": None, "source_id": None}]
)
def test_a_message_may_say_what_its_connection_is_for(said: dict[str, Any]) -> None:
    for document in ({**said, **GOOD}, {**said, "datapoints": [GOOD]}):
        assert contradiction(read(document), a_connection()) is None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"domain": "finance"}, "domain is 'finance', but the connection is for 'iot'"),
        ({"source_id": "furnace-2"}, "source_id is 'furnace-2', but the connection is for 'furnace-1'"),
        ({"domain": "iot", "source_id": 1}, "source_id is 1, but the connection is for 'furnace-1'"),
    ],
)
def test_a_message_for_another_source_is_invalid(said: dict[str, Any], told: str) -> None:
    for document in ({**said, **GOOD}, {**said, "datapoints": [GOOD]}):
        error = contradiction(read(document), a_connection())
        assert error is not None
        assert (error.code, error.reason) == (1007, "invalid_message")
        assert told in error.message


# --- acknowledgements ------------------------------------------------------------------------------------------------


def test_an_answer_too_large_for_a_message_has_the_codes_alone() -> None:
    in_milliseconds = {**GOOD, "timestamp": NOW * 1000}
    message = read([in_milliseconds] * MAX_POINTS)
    request = points_request(message, a_connection(), request_id="request-1", now=NOW)

    told = acknowledgements(message, request.rejected)

    assert len(encode(told)) < 128_000
    assert [json.loads(encode(one)) for one in told] == [
        {"sequence": None, "status": "error", "code": "not_seconds"}
    ] * MAX_POINTS


def test_each_point_is_acknowledged_in_its_place() -> None:
    points = [{**GOOD, "sequence": 1}, {**GOOD, "sequence": 2, "value": "high"}, {**GOOD, "sequence": 3}]

    assert answers(points) == [
        {"sequence": 1, "status": "ok"},
        {
            "sequence": 2,
            "status": "error",
            "code": "wrong_type",
            "message": "value: must be a number, not a string",
        },
        {"sequence": 3, "status": "ok"},
    ]


def test_all_faults_of_a_point_are_named_and_the_first_gives_the_code() -> None:
    (told,) = answers([{"stream_id": "", "value": "high"}])

    assert told["code"] == "empty"
    assert [part.split(":")[0] for part in told["message"].split("; ")] == ["stream_id", "value", "timestamp"]


@pytest.mark.parametrize("sequence", [0, MAX_SEQUENCE])
def test_a_sequence_comes_back(sequence: int) -> None:
    assert answers([{**GOOD, "sequence": sequence}]) == [{"sequence": sequence, "status": "ok"}]


@pytest.mark.parametrize("sequence", [-1, MAX_SEQUENCE + 1, 1.5, True, "7", [], {}])
def test_a_sequence_that_cannot_be_is_none_in_the_answer(sequence: object) -> None:
    (told,) = answers([{**GOOD, "sequence": sequence}])

    assert (told["sequence"], told["status"]) == (None, "error")


@pytest.mark.parametrize("item", [5, None, "point", [], True])
def test_what_is_no_point_is_answered_in_its_place(item: object) -> None:
    good, bad = answers([GOOD, item])

    assert good == {"sequence": None, "status": "ok"}
    assert (bad["sequence"], bad["status"], bad["code"]) == (None, "error", "wrong_type")


@given(st.lists(st.integers(0, MAX_SEQUENCE) | st.none(), min_size=1, max_size=20), st.randoms())
def test_there_are_as_many_answers_as_points_and_in_their_order(sequences: list[int | None], random: Any) -> None:
    points = [
        {**GOOD, "sequence": sequence, **({} if random.random() < 0.5 else {"value": None})} for sequence in sequences
    ]

    told = answers(points)

    assert [answer["sequence"] for answer in told] == sequences
    assert [answer["status"] == "ok" for answer in told] == [point["value"] is not None for point in points]


# --- the other answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        (
            Authenticated("iot", "oven-1", 41),
            {"type": "authenticated", "domain": "iot", "source_id": "oven-1", "last_sequence": 41},
        ),
        (
            Authenticated("iot", "_", None),
            {"type": "authenticated", "domain": "iot", "source_id": "_", "last_sequence": None},
        ),
        (Pong(), {"type": "pong"}),
        (Wait(2, "later"), {"type": "wait", "retry_after": 2, "message": "later"}),
        (
            refusal("forbidden", "not yours"),
            {"type": "error", "code": 1008, "reason": "forbidden", "message": "not yours"},
        ),
    ],
)
def test_an_answer_is_written_as_the_protocol_has_it(answer: object, written: dict[str, Any]) -> None:
    assert json.loads(encode(answer)) == written
