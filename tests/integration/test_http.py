"""The HTTP API as deployed: through API Gateway, the authorizer and the function to the queue."""

import gzip
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from afluente.adapters.http_requests import MAX_BODY_BYTES, MAX_POINTS
from afluente.domain.datapoints import DataPoint
from tests.outbox import Outbox
from tests.stack import LocalStack, request_body

pytestmark = pytest.mark.integration

# What a client may send by mistake or on purpose; each is refused as a whole, or taken.
STRANGE_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "white space": b" \n",
    "no JSON": b"hello",
    "null": b"null",
    "an array": b"[]",
    "a number": b"1",
    "cut off": b'{"domain": "iot", "datapoints": [',
    "trailing bytes": b'{"domain": "iot", "datapoints": []} x',
    "a trailing comma": b'{"domain": "iot", "datapoints": [1,]}',
    "single quotes": b"{'domain': 'iot'}",
    "a comment": b'{"domain": "iot" /* here */}',
    "a byte order mark": b'\xef\xbb\xbf{"domain": "iot", "datapoints": []}',
    "no UTF-8": b'{"domain": "iot\xff"}',
    "UTF-16": '{"domain": "iot"}'.encode("utf-16"),
    "a NUL": b'{"domain": "iot\x00"}',
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "deep and closed": b'{"datapoints": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "a huge number": b'{"domain": "iot", "datapoints": [{"stream_id": "s", "value": ' + b"9" * 5_000 + b"}]}",
    "beyond a double": b'{"domain": "iot", "datapoints": [{"stream_id": "s", "value": 1e999, "timestamp": 1}]}',
    "NaN": b'{"domain": "iot", "datapoints": [{"stream_id": "s", "value": NaN, "timestamp": 1}]}',
    "a lone surrogate": b'{"domain": "iot", "datapoints": [{"stream_id": "\\ud800", "value": 1, "timestamp": 1}]}',
    "keys twice": b'{"domain": "iot", "domain": "iot", "datapoints": [{"stream_id": "s", "value": 1, "value": 2}]}',
    "a long key": b'{"domain": "iot", "' + b"k" * 100_000 + b'": 1, "datapoints": []}',
}


@pytest.fixture
def points(source_id: str) -> list[DataPoint]:
    """Points of one stream, a second apart."""
    now = time.time()
    return [
        DataPoint(domain="iot", source_id=source_id, stream_id="s", value=1.0, timestamp=now - 20_000 + second)
        for second in range(10_000)
    ]


def test_one_request_takes_ten_thousand_points(
    local_stack: LocalStack, outbox: Outbox, source_id: str, points: list[DataPoint]
) -> None:
    local_stack.send(points)

    local_stack.drained()
    came = outbox.points(f"iot/{source_id}")
    assert [point["timestamp"] for point in came] == [point.timestamp for point in points]


def test_a_repeated_request_changes_nothing(
    local_stack: LocalStack, outbox: Outbox, source_id: str, points: list[DataPoint]
) -> None:
    for _ in range(3):
        local_stack.send(points[:100])

    local_stack.drained()
    assert len(outbox.lines(f"iot/{source_id}")) == 100
    assert local_stack.bucket_versions(f"iot/{source_id}") == [1]


def test_of_nine_good_and_91_bad_points_the_nine_come_out_and_the_91_are_named_and_kept(
    local_stack: LocalStack, outbox: Outbox, source_id: str
) -> None:
    good = {"stream_id": "s", "value": 1, "timestamp": 1_700_000_000}
    bad = (BAD_POINTS * 91)[:91]
    datapoints: list[Any] = []
    for place in range(9):
        datapoints += [good | {"sequence": place}, *bad[place * 10 : (place + 1) * 10]]
    datapoints += bad[90:]

    answer = local_stack.post(json.dumps({"domain": "iot", "source_id": source_id, "datapoints": datapoints}).encode())

    told = answer.json()
    assert (answer.status_code, told["inserted"]) == (202, 9)
    assert {fault["index"] for fault in told["rejected"]} == set(range(100)) - set(range(0, 99, 11))
    assert all(fault["code"] and fault["field"] and fault["message"] for fault in told["rejected"])
    local_stack.drained()
    assert [point["sequence"] for point in outbox.points(f"iot/{source_id}")] == list(range(9))
    (kept,) = local_stack.quarantined("http", told["request_id"])
    assert len(json.loads(kept["payload"])) == 91


@pytest.mark.parametrize("what", STRANGE_BODIES)
def test_a_strange_body_is_the_clients_fault_and_breaks_nothing(local_stack: LocalStack, what: str) -> None:
    before = local_stack.workers("http_ingest")

    answer = local_stack.post(STRANGE_BODIES[what])

    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert local_stack.workers("http_ingest") >= before


def test_malformed_json_is_told_where(local_stack: LocalStack) -> None:
    answer = local_stack.post('{"domain": "ió", "datapoints": [}'.encode())

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["offset"]) == (400, "malformed_json", 33)


def test_a_gzipped_body_is_taken(
    local_stack: LocalStack, outbox: Outbox, source_id: str, points: list[DataPoint]
) -> None:
    answer = local_stack.post(gzip.compress(request_body(points)), {"Content-Encoding": "gzip"})

    assert answer.status_code == 202, answer.text
    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == len(points)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"no gzip", 400, "malformed_gzip"),
        (gzip.compress(b'{"domain": "iot"}')[:-8], 400, "malformed_gzip"),
        (gzip.compress(b" " * (MAX_BODY_BYTES + 1)), 413, "body_too_large"),
    ],
    ids=["none", "cut off", "a bomb"],
)
def test_a_bad_gzip_is_refused(local_stack: LocalStack, body: bytes, status: int, code: str) -> None:
    answer = local_stack.post(body, {"Content-Encoding": "gzip"})

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"X-API-Key": "afl_nobody_knows-it"}, 401, "unauthorized"),
        ({"Content-Type": "text/csv"}, 415, "unsupported_media_type"),
        ({"Content-Encoding": "br"}, 415, "unsupported_content_encoding"),
        ({"X-Domain": "finance"}, 400, "invalid_request"),
        ({"X-Source-ID": "another"}, 400, "invalid_request"),
    ],
)
def test_headers_are_refused_with_a_problem(
    local_stack: LocalStack, points: list[DataPoint], headers: Mapping[str, str], status: int, code: str
) -> None:
    answer = local_stack.post(request_body(points[:1]), headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_request_without_a_key_is_refused_by_api_gateway_itself(local_stack: LocalStack) -> None:
    answer = local_stack.http.post(f"{local_stack.target.api_url}/ingest/datapoints", json={})

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


def test_a_key_that_does_not_reach_a_source_is_told_what_it_lacks(
    local_stack: LocalStack, points: list[DataPoint]
) -> None:
    key = local_stack.create_key(domains=("iot",), sources=("furnace-*",))

    answer = local_stack.post(request_body(points[:1]), {"X-API-Key": key})

    assert (answer.status_code, answer.json()["missing_scope"]) == (403, f"source:{points[0].source_id}")


def test_headers_fill_what_the_body_lacks(local_stack: LocalStack, outbox: Outbox, source_id: str) -> None:
    body = json.dumps({"datapoints": [{"stream_id": "s", "value": 1, "timestamp": 1_700_000_000}]}).encode()

    answer = local_stack.post(body, {"X-Domain": "health", "X-Source-ID": source_id})

    assert answer.status_code == 202, answer.text
    local_stack.drained()
    assert len(outbox.points(f"health/{source_id}")) == 1


def test_too_many_points_are_refused(local_stack: LocalStack) -> None:
    datapoints = [{"stream_id": "s", "value": 1, "timestamp": 1}] * (MAX_POINTS + 1)

    answer = local_stack.post(json.dumps({"domain": "iot", "datapoints": datapoints}).encode())

    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_points")


def test_bad_points_alone_are_unprocessable(local_stack: LocalStack) -> None:
    answer = local_stack.post(json.dumps({"domain": "iot", "datapoints": BAD_POINTS}).encode())

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["inserted"]) == (422, "all_points_rejected", 0)
    assert {fault["index"] for fault in problem["rejected"]} == set(range(len(BAD_POINTS)))


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/ingest/datapoints", 405, "method_not_allowed"),
        ("DELETE", "/health", 405, "method_not_allowed"),
        ("POST", "/ingest/datapoint", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(
    local_stack: LocalStack, method: str, path: str, status: int, code: str
) -> None:
    answer = local_stack.http.request(method, f"{local_stack.target.api_url}{path}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_health_needs_no_key(local_stack: LocalStack) -> None:
    answer = local_stack.http.get(f"{local_stack.target.api_url}/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


_GOOD: dict[str, Any] = {"stream_id": "s", "value": 1, "timestamp": 1_700_000_000}
_BAD_VALUES: dict[str, list[Any]] = {
    "stream_id": ["", "a/b", "a+b", "a#b", "$a", "a\x00", "a\x7f", "x" * 129, 1, None],
    "value": [None, "1", True, [], {}, 10**400, float("nan"), float("inf")],
    "timestamp": [None, "2024-01-01", True, 1.7e12, 1.7e15, 1.7e18, 4e9, -1e12],
    "sequence": [-1, 1.5, "1", True, 2**63],
    "stream_type": ["", "a/b", 1],
    "metadata": [[], "x", 1, {"x": "y" * 4096}, {"x": "\ud800"}],
}
BAD_POINTS: list[Any] = [
    None,
    1,
    "point",
    [],
    {},
    *({name: value for name, value in _GOOD.items() if name != missing} for missing in _GOOD),
    *(_GOOD | {name: value} for name, values in _BAD_VALUES.items() for value in values),
]
