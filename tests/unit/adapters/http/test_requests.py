"""Requests of the HTTP API: from a body and its headers to good points and bad ones."""

import gzip
import json
import tracemalloc
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.http.errors import RequestError
from afluente.adapters.http.points import MAX_POINTS, decode_points
from afluente.adapters.http.requests import MAX_BODY_BYTES, read_body
from afluente.application.ingest.accept_points import PointsRequest
from afluente.domain.faults import FaultCode
from tests import strategies
from tests.factories import DOMAINS, NOW, a_grant, a_point, arrived, fields_and_codes

GOOD: dict[str, Any] = {"stream_id": "temperature", "value": 20.5, "timestamp": NOW}


def decoded(document: object, **headers: str) -> PointsRequest:
    return decode_points(
        json.dumps(document).encode(),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        domains=DOMAINS,
        grant=a_grant(),
        request_id="request-1",
        now=NOW,
    )


def request_of(*points: object, **fields: object) -> PointsRequest:
    return decoded({"domain": "iot", "source_id": "furnace-1", "datapoints": points} | fields)


def faults_of_request(document: object, **headers: str) -> list[tuple[str, FaultCode]]:
    with pytest.raises(RequestError) as error:
        decoded(document, **headers)
    assert (error.value.status, error.value.code) == (400, "invalid_request")
    return fields_and_codes(error.value.extra["errors"])  # type: ignore[arg-type] # faults


# --- points ----------------------------------------------------------------------------------------------------------


def test_points_have_all_their_fields_and_the_time_of_their_arrival() -> None:
    full = GOOD | {"stream_type": "thermocouple", "sequence": 7, "metadata": {"batch": "b-1"}}

    request = request_of(GOOD, full)

    assert (request.request_id, request.transport, request.received_at) == ("request-1", "http", NOW)
    assert (request.domain, request.source_id) == ("iot", "furnace-1")
    assert request.rejected == []
    assert tuple(request.points) == arrived(
        a_point(20.5, timestamp=NOW),
        a_point(20.5, timestamp=NOW, stream_type="thermocouple", sequence=7, metadata={"batch": "b-1"}),
    )


def test_a_null_is_a_field_left_out() -> None:
    nulls = {"stream_type": None, "sequence": None, "metadata": None}

    request = request_of(GOOD | nulls, GOOD | nulls | {"value": "hot"})

    assert tuple(request.points) == arrived(a_point(20.5, timestamp=NOW))
    assert fields_and_codes(request.rejected[0].faults) == [("value", FaultCode.WRONG_TYPE)]


def test_fields_that_a_point_does_not_have_are_passed_over() -> None:
    request = request_of(GOOD | {"unit": "celsius", "domain": 5, "source_id": "furnace-2"})

    assert tuple(request.points) == arrived(a_point(20.5, timestamp=NOW))


@pytest.mark.parametrize(
    ("point", "faults"),
    [
        ({}, [("stream_id", "missing"), ("value", "missing"), ("timestamp", "missing")]),
        (None, [("datapoint", "wrong_type")]),
        ("temperature=20.5", [("datapoint", "wrong_type")]),
        ([NOW, 20.5], [("datapoint", "wrong_type")]),
        (GOOD | {"stream_id": ""}, [("stream_id", "empty")]),
        (GOOD | {"stream_id": "x" * 129}, [("stream_id", "too_long")]),
        (GOOD | {"stream_id": 5}, [("stream_id", "wrong_type")]),
        (GOOD | {"value": None}, [("value", "wrong_type")]),
        (GOOD | {"value": True}, [("value", "wrong_type")]),
        (GOOD | {"value": float("nan")}, [("value", "not_finite")]),
        (GOOD | {"timestamp": "now"}, [("timestamp", "wrong_type")]),
        (GOOD | {"timestamp": float("inf")}, [("timestamp", "not_finite")]),
        (GOOD | {"timestamp": NOW + 301}, [("timestamp", "in_future")]),
        (GOOD | {"timestamp": NOW * 1e3}, [("timestamp", "not_seconds")]),
        (GOOD | {"timestamp": NOW * 1e9}, [("timestamp", "not_seconds")]),
        (GOOD | {"timestamp": 1e30}, [("timestamp", "in_future")]),
        (GOOD | {"timestamp": -1e12}, [("timestamp", "out_of_range")]),
        (GOOD | {"stream_type": "a#b"}, [("stream_type", "forbidden_character")]),
        (GOOD | {"sequence": -1}, [("sequence", "negative")]),
        (GOOD | {"sequence": 1.0}, [("sequence", "wrong_type")]),
        (GOOD | {"sequence": 10**30}, [("sequence", "out_of_range")]),
        (GOOD | {"metadata": []}, [("metadata", "wrong_type")]),
        (GOOD | {"metadata": {"a": "x" * 5_000}}, [("metadata", "too_long")]),
        (
            {"stream_id": "", "value": "hot", "timestamp": NOW * 1e6, "sequence": -1, "metadata": 5},
            [
                ("stream_id", "empty"),
                ("value", "wrong_type"),
                ("sequence", "negative"),
                ("metadata", "wrong_type"),
                ("timestamp", "not_seconds"),
            ],
        ),
    ],
)
def test_a_bad_point_is_rejected_with_all_its_faults_and_as_it_came(
    point: object, faults: list[tuple[str, str]]
) -> None:
    request = request_of(GOOD, point, GOOD | {"sequence": 1})

    assert [taken.sequence for taken in request.points] == [None, 1]
    (rejected,) = request.rejected
    assert rejected.index == 1
    assert fields_and_codes(rejected.faults) == faults
    assert json.dumps(rejected.raw) == json.dumps(point)


@pytest.mark.parametrize("timestamp", [NOW + 300, 0, -1, NOW])
def test_a_point_may_come_from_the_past_and_from_300_seconds_ahead(timestamp: float) -> None:
    assert len(request_of(GOOD | {"timestamp": timestamp}).points) == 1


def bad_points() -> list[object]:
    """91 points with as many faults as one can think of."""
    not_a_point: list[object] = [None, True, 5, "point", [], [GOOD], {}]
    texts = ["", "x" * 129, "a/b", "a+b", "a#b", "$SYS", "a\n", "\x00", "\x7f", "\ud800", 5, None, [], {}, True]
    numbers: list[object] = [
        None,
        True,
        "1",
        "NaN",
        [],
        {},
        float("nan"),
        float("inf"),
        -float("inf"),
        10**400,
        "1e3",
        [1],
    ]
    times = [*numbers, "2023-11-14", NOW + 301, NOW * 1e3, NOW * 1e6, NOW * 1e9, 1e300, -1e300, 253_402_300_800]
    sequences = [-1, 1.5, 1.0, "1", True, [], {}, 2**63, 10**30, float("nan")]
    objects = [[], "{}", 5, True, {"a": "x" * 4_096}, {"a": float("nan")}, {"a": "\ud800"}, {"\udfff": 1}]
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"a": deep}
    points: list[object] = [
        *not_a_point,
        *({name: value for name, value in GOOD.items() if name != missing} for missing in GOOD),
        *(GOOD | {"stream_id": text} for text in texts),
        *(GOOD | {"value": number} for number in numbers),
        *(GOOD | {"timestamp": time} for time in times),
        *(GOOD | {"stream_type": text} for text in texts if text is not None),
        *(GOOD | {"sequence": sequence} for sequence in sequences),
        *(GOOD | {"metadata": value} for value in [*objects, deep]),
    ]
    return [*points, GOOD | {"stream_id": "", "value": None, "timestamp": "", "sequence": "", "metadata": ""}]


def test_of_nine_good_and_91_bad_points_the_nine_are_accepted() -> None:
    bad = bad_points()
    assert len(bad) == 91
    good_places = [0, 11, 22, 33, 44, 55, 66, 77, 99]
    waiting = iter(bad)
    points = [GOOD | {"sequence": place} if place in good_places else next(waiting) for place in range(100)]

    request = request_of(*points)

    assert [point.sequence for point in request.points] == good_places
    assert sorted({rejected.index for rejected in request.rejected} | set(good_places)) == list(range(100))
    assert all(rejected.faults for rejected in request.rejected)
    codes = {fault.code for rejected in request.rejected for fault in rejected.faults}
    assert codes == set(FaultCode) - {
        FaultCode.UNKNOWN_DOMAIN,
        FaultCode.UNKNOWN_FIELD,
        FaultCode.CONTRADICTION,
        FaultCode.IMPOSSIBLE,
    }


_fields = st.fixed_dictionaries(
    {},
    optional={
        "stream_id": st.just("a") | strategies.anything,
        "value": strategies.finite | st.integers() | strategies.anything,
        "timestamp": st.floats(0, NOW + 400) | strategies.anything,
        "sequence": st.integers(0, 10) | strategies.anything,
        "stream_type": strategies.anything,
        "metadata": strategies.metadata | strategies.anything,
    },
)


@given(st.lists(_fields, min_size=1, max_size=4))
def test_a_point_is_decoded_the_same_whatever_stands_beside_it(points: list[dict[str, Any]]) -> None:
    alone = request_of(*points)
    beside = request_of(*points, {"stream_id": float("nan")})

    assert beside.points == alone.points
    assert [(rejected.index, rejected.faults) for rejected in beside.rejected[:-1]] == [
        (rejected.index, rejected.faults) for rejected in alone.rejected
    ]


# --- the request as a whole ------------------------------------------------------------------------------------------


def test_headers_fill_what_the_body_lacks() -> None:
    request = decoded({"datapoints": [GOOD]}, x_domain="health", x_source_id="patient-9")

    assert (request.domain, request.source_id) == ("health", "patient-9")
    assert str(request.points[0].key) == "health/patient-9/temperature"


def test_headers_may_repeat_the_body() -> None:
    request = decoded(
        {"datapoints": [GOOD], "domain": "iot", "source_id": "furnace-1"}, x_domain="iot", x_source_id="furnace-1"
    )

    assert (request.domain, request.source_id) == ("iot", "furnace-1")


def test_a_source_that_nobody_names_is_the_missing_one() -> None:
    assert decoded({"datapoints": [GOOD], "domain": "iot"}).source_id == "_"
    assert decoded({"datapoints": [GOOD], "domain": "iot", "source_id": None}).source_id == "_"


@pytest.mark.parametrize(
    ("fields", "headers", "faults"),
    [
        ({"domain": "iot"}, {"x_domain": "health"}, [("domain", FaultCode.CONTRADICTION)]),
        ({"domain": "iot", "source_id": "a"}, {"x_source_id": "b"}, [("source_id", FaultCode.CONTRADICTION)]),
        ({}, {}, [("domain", FaultCode.MISSING)]),
        ({"domain": None}, {}, [("domain", FaultCode.MISSING)]),
        ({"domain": 5}, {}, [("domain", FaultCode.WRONG_TYPE)]),
        ({"domain": "IoT"}, {}, [("domain", FaultCode.OUT_OF_RANGE)]),
        ({}, {"x_domain": ""}, [("domain", FaultCode.OUT_OF_RANGE)]),
        ({"domain": "space"}, {}, [("domain", FaultCode.UNKNOWN_DOMAIN)]),
        ({"domain": "iot", "source_id": ""}, {}, [("source_id", FaultCode.EMPTY)]),
        ({"domain": "iot"}, {"x_source_id": "a/b"}, [("source_id", FaultCode.FORBIDDEN_CHARACTER)]),
        ({"domain": "iot", "source_id": ["a"]}, {}, [("source_id", FaultCode.WRONG_TYPE)]),
        ({"domain": "iot", "datapoints": []}, {}, [("datapoints", FaultCode.EMPTY)]),
        (
            {"domain": "space", "source_id": "", "datapoints": []},
            {"x_domain": "iot"},
            [
                ("datapoints", FaultCode.EMPTY),
                ("domain", FaultCode.CONTRADICTION),
                ("domain", FaultCode.UNKNOWN_DOMAIN),
                ("source_id", FaultCode.EMPTY),
            ],
        ),
    ],
)
def test_a_request_from_nowhere_or_with_nothing_is_refused_with_all_its_faults(
    fields: dict[str, Any], headers: dict[str, str], faults: list[tuple[str, FaultCode]]
) -> None:
    assert faults_of_request({"datapoints": [GOOD]} | fields, **headers) == faults


@pytest.mark.parametrize(
    ("document", "faults"),
    [
        ([GOOD], [("body", FaultCode.WRONG_TYPE)]),
        ("datapoints", [("body", FaultCode.WRONG_TYPE)]),
        ({"domain": "iot"}, [("datapoints", FaultCode.MISSING)]),
        ({"domain": "iot", "datapoints": None}, [("datapoints", FaultCode.WRONG_TYPE)]),
        ({"domain": "iot", "datapoints": GOOD}, [("datapoints", FaultCode.WRONG_TYPE)]),
    ],
)
def test_a_body_that_is_not_of_the_form_is_refused(document: object, faults: list[tuple[str, FaultCode]]) -> None:
    assert faults_of_request(document) == faults


def test_a_domain_that_is_not_open_is_answered_with_those_that_are() -> None:
    with pytest.raises(RequestError, match="'space' is not open; open are finance, health, infrastructure, iot"):
        decoded({"domain": "space", "datapoints": [GOOD]})


def test_a_request_may_have_20000_points_and_not_one_more() -> None:
    assert len(request_of(*[GOOD] * MAX_POINTS).points) == MAX_POINTS == 20_000

    with pytest.raises(RequestError, match="20001 points are more than 20000; send them in several requests") as error:
        request_of(*[GOOD] * (MAX_POINTS + 1))
    assert (error.value.status, error.value.code) == (413, "too_many_points")


# --- bodies ----------------------------------------------------------------------------------------------------------

BODY = b'{"datapoints": []}'


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_a_body_comes_as_json(content_type: str) -> None:
    assert read_body(BODY.decode(), is_base64=False, headers={"content-type": content_type}) == BODY


def test_a_body_without_a_content_type_is_read_as_json() -> None:
    assert read_body(BODY.decode(), is_base64=False, headers={}) == BODY


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-www-form-urlencoded", "", "application/jsonl"])
def test_a_body_of_another_type_is_refused(content_type: str) -> None:
    with pytest.raises(RequestError, match="send the body as Content-Type: application/json") as error:
        read_body(BODY.decode(), is_base64=False, headers={"content-type": content_type})

    assert (error.value.status, error.value.code) == (415, "unsupported_media_type")


def test_a_body_in_base64_is_unpacked() -> None:
    assert read_body(b64encode(BODY).decode(), is_base64=True, headers={}) == BODY


@pytest.mark.parametrize("is_base64", [True, False])
def test_no_body_is_an_empty_one(*, is_base64: bool) -> None:
    assert read_body(None, is_base64=is_base64, headers={}) == b""


def test_text_that_no_utf8_holds_reaches_the_reader_of_json() -> None:
    assert read_body('"\ud800"', is_base64=False, headers={}) == b'"\xed\xa0\x80"'


@pytest.mark.parametrize("coding", ["gzip", "GZIP", " gzip "])
def test_a_gzipped_body_is_unpacked(coding: str) -> None:
    packed = b64encode(gzip.compress(BODY)).decode()

    assert read_body(packed, is_base64=True, headers={"content-encoding": coding}) == BODY


def test_a_body_gzipped_in_several_members_is_one_body() -> None:
    packed = b64encode(gzip.compress(BODY[:5]) + gzip.compress(BODY[5:])).decode()

    assert read_body(packed, is_base64=True, headers={"content-encoding": "gzip"}) == BODY


def test_a_body_may_say_that_it_is_not_packed() -> None:
    assert read_body(BODY.decode(), is_base64=False, headers={"content-encoding": "identity"}) == BODY


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", ""])
def test_a_body_in_another_coding_is_refused(coding: str) -> None:
    with pytest.raises(RequestError, match="plain or as Content-Encoding: gzip") as error:
        read_body(BODY.decode(), is_base64=False, headers={"content-encoding": coding})

    assert (error.value.status, error.value.code) == (415, "unsupported_content_encoding")


@pytest.mark.parametrize(
    "packed",
    [
        BODY,
        gzip.compress(BODY)[:-1],
        gzip.compress(BODY)[:15],
        gzip.compress(BODY)[:4],
        gzip.compress(BODY)[:-5] + b"\x00" * 5,
        gzip.compress(BODY)[:12] + b"\xff" * 20,
        gzip.compress(BODY) + b"x",
        b"\x1f\x8b\x08\xff" + b"\x00" * 40,
    ],
    ids=["plain", "cut", "cut early", "cut in its head", "checksum", "damaged", "trailing", "head"],
)
def test_a_body_that_is_not_the_gzip_of_its_header_is_refused(packed: bytes) -> None:
    with pytest.raises(RequestError) as error:
        read_body(b64encode(packed).decode(), is_base64=True, headers={"content-encoding": "gzip"})

    assert (error.value.status, error.value.code) == (400, "malformed_gzip")


@given(st.binary(max_size=100))
def test_any_gzip_is_unpacked_or_refused(packed: bytes) -> None:
    for body in (packed, gzip.compress(packed), gzip.compress(b"")[:10] + packed):
        refusals = []
        try:
            read_body(b64encode(body).decode(), is_base64=True, headers={"content-encoding": "gzip"})
        except RequestError as error:
            refusals = [error.code]
        assert refusals in ([], ["malformed_gzip"])


def test_a_body_may_have_10_mib_and_not_a_byte_more() -> None:
    largest = " " * MAX_BODY_BYTES

    assert len(read_body(largest, is_base64=False, headers={})) == MAX_BODY_BYTES == 10 * 1024 * 1024
    with pytest.raises(RequestError) as error:
        read_body(largest + " ", is_base64=False, headers={})
    assert (error.value.status, error.value.code) == (413, "body_too_large")


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused_before_it_is_unpacked() -> None:
    bomb = b64encode(gzip.compress(b" " * (50 * MAX_BODY_BYTES), compresslevel=1)).decode()
    assert len(bomb) < 5_000_000

    tracemalloc.start()
    with pytest.raises(RequestError) as error:
        read_body(bomb, is_base64=True, headers={"content-encoding": "gzip"})
    _, most_memory = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (error.value.status, error.value.code) == (413, "body_too_large")
    assert most_memory < 5 * MAX_BODY_BYTES
