"""JSONTestSuite at every place where JSON comes in: valid JSON is accepted, the rest is rejected.

By design three documents outside the grammar are read, NaN and the infinities, so that of many points only the one with
such a value is lost. Their values are rejected later.
"""

from base64 import b64encode
from collections.abc import Callable

import pytest

from afluente.adapters.codecs.json_documents import MalformedJsonError, parse_json
from afluente.adapters.http.csv_uploads import Creator, decode_announcement
from afluente.adapters.http.errors import RequestError
from afluente.adapters.http.points import decode_points
from afluente.adapters.mqtt.messages import MqttMessage, UnusableMessageError, decode_message
from afluente.adapters.websocket.messages import ErrorMessage, Points, points_request, read_message
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.websocket.connections import Connection
from afluente.migration.adapters.packets import decode_packet
from tests.factories import DOMAINS, NOW, a_grant
from tests.suites.cases import json_cases

READ_ALL_THE_SAME = {"n_number_NaN", "n_number_infinity", "n_number_minus_infinity"}
VALID = [name for name in json_cases() if name.startswith("y_")]
INVALID = [name for name in json_cases() if name.startswith("n_")]
EITHER = [name for name in json_cases() if name.startswith("i_")]


def in_metadata(document: bytes) -> bytes:
    """A point, with the document where any value may be."""
    return b'{"stream_id": "s", "value": 1, "timestamp": 1, "metadata": {"x": ' + document + b"}}"


def over_http(point: bytes) -> PointsRequest | str:
    body = b'{"domain": "iot", "datapoints": [' + point + b"]}"
    try:
        return decode_points(body, headers={}, domains=DOMAINS, grant=a_grant(), request_id="r", now=NOW)
    except RequestError as error:
        return error.code if error.status == 400 else f"{error.status}"


def over_websocket(point: bytes) -> PointsRequest | str:
    try:
        text = (b"[" + point + b"]").decode()
    except UnicodeDecodeError:
        return "malformed_json"  # API Gateway closes the connection: RFC 6455, section 8.1.
    message = read_message(text)
    if not isinstance(message, Points):
        assert isinstance(message, ErrorMessage)
        return message.reason
    connection = Connection("c", "iot", "furnace-1", "aaaqeaye", NOW)
    try:
        return points_request(message, connection, request_id="r", now=NOW)
    except MalformedJsonError:
        return "malformed_json"


def over_mqtt(point: bytes) -> PointsRequest | str:
    message = MqttMessage(b64encode(point).decode(), "iot/furnace-1/s", NOW * 1000)
    try:
        return decode_message(message, domains=DOMAINS, request_id="r", max_points=1_000)
    except UnusableMessageError:
        return "malformed_json"


Entry = Callable[[bytes], PointsRequest | str]

ENTRIES = pytest.mark.parametrize("entry", [over_http, over_websocket, over_mqtt])


def test_the_suite_is_whole() -> None:
    assert (len(VALID), len(INVALID), len(EITHER)) == (95, 188, 35)


@ENTRIES
@pytest.mark.parametrize("name", VALID)
def test_valid_json_is_accepted(entry: Entry, name: str) -> None:
    read = entry(in_metadata(json_cases()[name]))

    assert isinstance(read, PointsRequest)
    assert len(read.points) == 1


@ENTRIES
@pytest.mark.parametrize("name", INVALID)
def test_what_json_lacks_is_refused(entry: Entry, name: str) -> None:
    read = entry(in_metadata(json_cases()[name]))

    if name in READ_ALL_THE_SAME:
        assert isinstance(read, PointsRequest)
        assert (len(read.points), len(read.rejected)) == (0, 1)
    else:
        assert read == "malformed_json"


@ENTRIES
@pytest.mark.parametrize("name", EITHER)
def test_what_a_parser_may_decide_is_decided_without_breaking(entry: Entry, name: str) -> None:
    read = entry(in_metadata(json_cases()[name]))

    assert read == "malformed_json" or isinstance(read, PointsRequest)


@pytest.mark.parametrize("name", [*VALID, *INVALID, *EITHER])
def test_as_a_whole_body_none_is_accepted_and_valid_json_gets_its_faults(name: str) -> None:
    body = json_cases()[name]
    creator = Creator("0123456789abcdef01234567", a_grant(), NOW)
    for read in (
        lambda: decode_points(body, headers={}, domains=DOMAINS, grant=a_grant(), request_id="r", now=NOW),
        lambda: decode_packet(body, domains=DOMAINS, now=NOW),
        lambda: decode_announcement(body, headers={}, domains=DOMAINS, creator=creator),
    ):
        with pytest.raises(RequestError) as refused:
            read()
        assert refused.value.status == 400
        if name in VALID:
            assert refused.value.code == "invalid_request"


@pytest.mark.parametrize("name", VALID)
def test_any_json_is_parsed(name: str) -> None:
    parse_json(json_cases()[name])
