"""The HTTP API as deployed: through API Gateway, the authorizer and the function to the queue."""

import gzip
import json
import time
from collections import defaultdict
from collections.abc import Mapping

import pytest

from afluente.adapters.http.points import MAX_POINTS
from afluente.adapters.http.requests import MAX_BODY_BYTES
from afluente.domain.datapoints import DataPoint
from tests.integration.bad_points import GOOD, Faults, bad_points
from tests.outbox import Outbox
from tests.stack import LocalStack, request_body
from tests.unit.adapters.codecs.test_json_points import (
    LOSE_THEIR_POINT,
    REFUSED,
    TAKEN,
    WHOLE_BODIES,
    nested,
    with_metadata,
)

pytestmark = pytest.mark.integration

IOT = {"X-Domain": "iot"}

# Bodies that a client may send by mistake or on purpose; each is refused as a whole, or accepted.
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


def test_one_request_may_hold_ten_thousand_points(
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


def test_of_nine_good_and_91_bad_points_the_nine_come_out_and_the_91_are_answered_and_quarantined(
    local_stack: LocalStack, outbox: Outbox, source_id: str
) -> None:
    bad = bad_points()
    assert len(bad) == 91
    good_places = [0, 11, 22, 33, 44, 55, 66, 77, 99]
    waiting = iter(bad)
    sent = [(GOOD | {"sequence": place}, set()) if place in good_places else next(waiting) for place in range(100)]
    body = json.dumps({"domain": "iot", "source_id": source_id, "datapoints": [point for point, _ in sent]}).encode()

    answer = local_stack.post(body)

    document = answer.json()
    assert (answer.status_code, document["inserted"]) == (202, 9)
    assert all(fault["message"] for fault in document["rejected"])
    faults: dict[int, Faults] = defaultdict(set)
    for fault in document["rejected"]:
        faults[fault["index"]].add((fault["field"], fault["code"]))
    assert faults == {place: its_faults for place, (_, its_faults) in enumerate(sent) if its_faults}
    local_stack.drained()
    assert [point["sequence"] for point in outbox.points(f"iot/{source_id}")] == good_places
    (kept,) = local_stack.quarantined("http", document["request_id"])
    assert kept["payload"] == json.dumps([point for point, _ in bad])
    assert {int(place) for place in kept["faults"]} == set(faults)


def test_bad_points_alone_are_unprocessable(local_stack: LocalStack) -> None:
    bad = [point for point, _ in bad_points()]

    answer = local_stack.post(json.dumps({"domain": "iot", "datapoints": bad}).encode())

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["inserted"]) == (422, "all_points_rejected", 0)
    assert {fault["index"] for fault in problem["rejected"]} == set(range(91))


@pytest.mark.parametrize("what", STRANGE_BODIES)
def test_a_strange_body_is_the_clients_fault_and_breaks_nothing(local_stack: LocalStack, what: str) -> None:
    before = local_stack.workers("http_ingest")

    answer = local_stack.post(STRANGE_BODIES[what])

    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert local_stack.workers("http_ingest") >= before


def test_what_json_lacks_is_refused_and_breaks_nothing(local_stack: LocalStack) -> None:
    bodies = [*map(with_metadata, REFUSED), *WHOLE_BODIES]
    before = local_stack.workers("http_ingest")

    # Packed, a body reaches the function byte for byte; as text, the emulator replaces what is no UTF-8.
    packed = [local_stack.post(gzip.compress(body), {**IOT, "Content-Encoding": "gzip"}) for body in bodies]
    plain = [local_stack.post(body, IOT) for body in bodies]

    assert {(answer.status_code, answer.json()["code"]) for answer in packed} == {(400, "malformed_json")}
    assert {answer.status_code for answer in plain} <= {202, 400}
    assert local_stack.workers("http_ingest") >= before


def test_what_json_has_comes_out_as_it_was_meant(local_stack: LocalStack, outbox: Outbox, source_id: str) -> None:
    for place, (value, _) in enumerate(TAKEN):
        answer = local_stack.post(with_metadata(value), {**IOT, "X-Source-ID": f"{source_id}-{place}"})
        assert (answer.status_code, answer.json()["inserted"]) == (202, 2)

    local_stack.drained()
    for place, (_, meant) in enumerate(TAKEN):
        good, odd = outbox.points(f"iot/{source_id}-{place}")
        assert "metadata" not in good
        assert repr(odd["metadata"]["x"]) == repr(meant)


def test_what_nobody_could_pass_on_loses_its_point_alone(
    local_stack: LocalStack, outbox: Outbox, source_id: str
) -> None:
    before = local_stack.workers("http_ingest")
    for place, (value, code) in enumerate(LOSE_THEIR_POINT):
        answer = local_stack.post(with_metadata(value), {**IOT, "X-Source-ID": f"{source_id}-{place}"})
        (fault,) = answer.json()["rejected"]
        assert (answer.status_code, fault["index"], fault["field"], fault["code"]) == (202, 1, "metadata", code)

    assert local_stack.workers("http_ingest") >= before
    local_stack.drained()
    for place in range(len(LOSE_THEIR_POINT)):
        (good,) = outbox.points(f"iot/{source_id}-{place}")
        assert good["stream_id"] == "good"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["arrays", "objects"])
def test_nesting_to_any_depth_is_accepted_or_refused(local_stack: LocalStack, opening: bytes, closing: bytes) -> None:
    before = local_stack.workers("http_ingest")

    statuses = [
        local_stack.post(with_metadata(nested(opening, closing, levels)), IOT).status_code
        # Around 1,000 levels the parsers give up one after the other.
        for levels in (1, 31, 32, 60, 61, 500, *range(950, 1_050, 5), 20_000, 300_000)
    ]

    assert statuses == [202] * 4 + [400] * (len(statuses) - 4)
    assert local_stack.workers("http_ingest") >= before


def test_malformed_json_is_answered_with_its_place(local_stack: LocalStack) -> None:
    answer = local_stack.post('{"domain": "ió", "datapoints": [}'.encode())

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["offset"]) == (400, "malformed_json", 33)


def test_a_gzipped_body_is_accepted(
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


def test_a_key_that_does_not_reach_a_source_is_answered_with_the_missing_scope(
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
