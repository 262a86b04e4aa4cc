"""JSON of every kind in a request: valid JSON is accepted, the rest is rejected, and nothing breaks.

The cases are of the three kinds that JSON parsing suites know: y (must be accepted), n (must be rejected), i (a parser
may do either). Each stands where a client could put it: as a value inside metadata, or as the whole body.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.codecs.json_documents import MAX_DEPTH
from afluente.adapters.http.errors import RequestError
from afluente.adapters.http.points import decode_points
from afluente.adapters.memory.ingest import MemoryPackQueue, MemoryQuarantine
from afluente.application.ingest.accept_points import AcceptPoints, PointsRequest
from afluente.domain.faults import FaultCode
from tests import strategies
from tests.factories import DOMAINS, NOW, a_grant, fields_and_codes

GOOD = b'{"stream_id": "good", "value": 1, "timestamp": 1}'


def decoded(body: bytes) -> PointsRequest:
    """The request of a body, once all of it could be passed on: good points to the queue, bad ones to quarantine."""
    request = decode_points(
        body, headers={"x-domain": "iot"}, domains=DOMAINS, grant=a_grant(), request_id="request-1", now=NOW
    )
    assert AcceptPoints(queue=MemoryPackQueue(), quarantine=MemoryQuarantine(), shards=64)(request)
    return request


def refusal_of(body: bytes) -> tuple[int, str] | None:
    try:
        decoded(body)
    except RequestError as error:
        return error.status, error.code
    return None


def with_metadata(value: bytes, *, beside: bytes = b"") -> bytes:
    """A body of two points, the first good, the second with `value` in its metadata; and of what stands beside them."""
    return (
        b'{"datapoints": ['
        + GOOD
        + b', {"stream_id": "odd", "value": 2, "timestamp": 2, "metadata": {"x": '
        + value
        + b"}}"
        + beside
        + b"]}"
    )


def nested(opening: bytes, closing: bytes, levels: int, inner: bytes = b"1") -> bytes:
    return opening * levels + inner + closing * levels


# --- y: what JSON has ------------------------------------------------------------------------------------------------

TAKEN: list[tuple[bytes, Any]] = [
    (b"null", None),
    (b"true", True),
    (b"[false]", [False]),
    (b"[]", []),
    (b"{}", {}),
    (b'[1, [2, {"a": [3]}]]', [1, [2, {"a": [3]}]]),
    (b" \t\r\n[ \t1\r\n, 2 ] ", [1, 2]),
    (b"0", 0),
    (b"-0", 0),
    (b"-0.0", -0.0),
    (b"123", 123),
    (b"-1", -1),
    (b"1E+2", 100.0),
    (b"1e-2", 0.01),
    (b"0.5e00", 0.5),
    (b"1.7976931348623157e308", 1.7976931348623157e308),
    (b"1e-400", 0.0),
    (b"0." + b"0" * 3_000 + b"1", 0.0),
    (b"9007199254740993", 9007199254740993),
    (b"18446744073709551616", 2**64),
    (b"-" + b"9" * 30, -(10**30 - 1)),
    (b"1" + b"0" * 400, 10**400),
    (b'""', ""),
    (b'"a\\/\\"\\\\\\b\\f\\n\\r\\t"', 'a/"\\\b\f\n\r\t'),
    (b'"\\u0000\\u001F"', "\x00\x1f"),
    (b'"\\uD83D\\ude00"', "😀"),
    (b'"\xf0\x9f\x98\x80\xc3\xa9"', "😀é"),
    (b'"\\uFFFE\\uffff"', "\ufffe\uffff"),
    (b'"\xef\xbf\xbe"', "\ufffe"),
    (b'"\x7f\xe2\x80\xa8"', "\x7f\u2028"),
    (b'{"a": 1, "a": 2}', {"a": 2}),
    (b'{"": 0}', {"": 0}),
    (b'{"\\u0000": 0}', {"\x00": 0}),
    (nested(b"[", b"]", 31), json.loads(nested(b"[", b"]", 31))),
]


@pytest.mark.parametrize("beside", [b"", b", NaN"], ids=["alone", "beside a bad point"])
@pytest.mark.parametrize(("value", "meant"), TAKEN)
def test_valid_json_is_accepted(value: bytes, meant: object, beside: bytes) -> None:
    request = decoded(with_metadata(value, beside=beside))

    assert len(request.rejected) == bool(beside)
    assert [point.stream_id for point in request.points] == ["good", "odd"]
    assert request.points[1].metadata == {"x": meant}
    assert repr(request.points[1].metadata["x"]) == repr(meant)


# --- n: what JSON lacks ----------------------------------------------------------------------------------------------

REFUSED = [
    b"",
    b"tru",
    b"TRUE",
    b"True",
    b"nul",
    b"undefined",
    b"NAN",
    b"nan",
    b"+Infinity",
    b"inf",
    b"01",
    b"-01",
    b"+1",
    b"-",
    b".5",
    b"1.",
    b"1e",
    b"1e+",
    b"1e1.5",
    b"1_000",
    b"0x10",
    b"1 2",
    b"1,",
    b"\xd9\xa1",
    b"'a'",
    b"a",
    b'"a',
    b'"\x00"',
    b'"\x1f"',
    b'"a\nb"',
    b'"\\x41"',
    b'"\\a"',
    b'"\\u12"',
    b'"\\u12G4"',
    b'"\\',
    b"[1",
    b"[1,]",
    b"[,1]",
    b"[1,,2]",
    b"[1 2]",
    b"[1}",
    b"]",
    b'{"a"}',
    b'{"a" 1}',
    b'{"a":}',
    b'{"a":1,}',
    b"{a: 1}",
    b"{'a': 1}",
    b"{1: 1}",
    b'{"a": 1 "b": 2}',
    b'{"a": 1]',
    b"/* a */ 1",
    b"1 // a",
    b"1 # a",
    b"\x0c1",
    b"\xc2\xa01",
    b"\xef\xbb\xbf1",
    b"\x00",
    b"\xff",
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\xc0\xaf"',
    b'"\xe2\x82"',
]


@pytest.mark.parametrize("value", REFUSED)
def test_what_json_lacks_is_refused_as_malformed(value: bytes) -> None:
    with pytest.raises(RequestError) as error:
        decoded(with_metadata(value))

    assert (error.value.status, error.value.code) == (400, "malformed_json")
    assert isinstance(error.value.extra["offset"], int)


WHOLE_BODIES = [
    b"",
    b" \n",
    b"\x00",
    b"{",
    b"[",
    b'{"datapoints": [' + GOOD + b"]",
    b'{"datapoints": [' + GOOD + b"]}}",
    b'{"datapoints": [' + GOOD + b"]}x",
    b'{"datapoints": [' + GOOD + b"]}\x00",
    b'{"datapoints": [' + GOOD + b']}{"datapoints": []}',
    b'{"datapoints": [' + GOOD + b"],}",
    b'\xef\xbb\xbf{"datapoints": [' + GOOD + b"]}",
    ('{"datapoints": [' + GOOD.decode() + "]}").encode("utf-16"),
    ('{"datapoints": [' + GOOD.decode() + "]}").encode("utf-32-le"),
    b"stream_id,value,timestamp\na,1,1\n",
    b"<datapoints/>",
    b"datapoints=1",
    GOOD + b"\n" + GOOD,
]


@pytest.mark.parametrize("body", WHOLE_BODIES)
def test_a_body_that_is_not_one_json_value_is_refused_as_malformed(body: bytes) -> None:
    with pytest.raises(RequestError) as error:
        decoded(body)

    assert (error.value.status, error.value.code) == (400, "malformed_json")
    assert 0 <= error.value.extra["offset"] <= len(body)  # type: ignore[operator] # an integer


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (b"", 0),
        (b"{]", 1),
        (b'{"a": 01}', 7),
        (b'{"a": 1} x', 9),
        ('{"é😀": tru}'.encode(), 11),
        (b'{"a": "\xff"}', 7),
        ("é\x00".encode(), 0),
    ],
)
def test_the_place_of_an_error_is_counted_in_bytes(body: bytes, offset: int) -> None:
    with pytest.raises(RequestError) as error:
        decoded(body)

    assert error.value.extra["offset"] == offset
    assert f"(at byte {offset})" in error.value.detail


# --- i: what some clients write though JSON lacks it, and what no program can read ------------------------------------

LOSE_THEIR_POINT = [
    (b"NaN", FaultCode.NOT_FINITE),
    (b"Infinity", FaultCode.NOT_FINITE),
    (b"-Infinity", FaultCode.NOT_FINITE),
    (b"1e309", FaultCode.NOT_FINITE),
    (b"-1e999999999", FaultCode.NOT_FINITE),
    (b"1" * 5_000, FaultCode.NOT_FINITE),
    (b'"\\ud800"', FaultCode.FORBIDDEN_CHARACTER),
    (b'"\\uDFFF\\uD83D"', FaultCode.FORBIDDEN_CHARACTER),
    (b'"\\uD83Dx"', FaultCode.FORBIDDEN_CHARACTER),
    (b'{"\\udead": 1}', FaultCode.FORBIDDEN_CHARACTER),
    (nested(b"[", b"]", 32), FaultCode.TOO_DEEP),
    (nested(b'{"a":', b"}", 40), FaultCode.TOO_DEEP),
    (b'"' + b"x" * 5_000 + b'"', FaultCode.TOO_LONG),
    (b"1" * 4_200, FaultCode.TOO_LONG),
]


@pytest.mark.parametrize(("value", "code"), LOSE_THEIR_POINT)
def test_a_value_that_nobody_could_pass_on_loses_only_its_point(value: bytes, code: FaultCode) -> None:
    request = decoded(with_metadata(value))

    assert [point.stream_id for point in request.points] == ["good"]
    assert [rejected.index for rejected in request.rejected] == [1]
    assert fields_and_codes(request.rejected[0].faults) == [("metadata", code)]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"NaN", FaultCode.NOT_FINITE),
        (b"-Infinity", FaultCode.NOT_FINITE),
        (b"1e309", FaultCode.NOT_FINITE),
        (b"1" * 400, FaultCode.NOT_FINITE),
        (b"1" * 5_000, FaultCode.NOT_FINITE),
        (b"true", FaultCode.WRONG_TYPE),
        (b"null", FaultCode.WRONG_TYPE),
        (b'"1"', FaultCode.WRONG_TYPE),
    ],
)
def test_a_value_that_is_no_finite_number_loses_only_its_point(value: bytes, code: FaultCode) -> None:
    body = b'{"datapoints": [{"stream_id": "odd", "timestamp": 1, "value": ' + value + b"}, " + GOOD + b"]}"

    request = decoded(body)

    assert [point.stream_id for point in request.points] == ["good"]
    assert fields_and_codes(request.rejected[0].faults) == [("value", code)]


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_loses_its_point_or_its_request_and_never_the_function(opening: bytes, closing: bytes) -> None:
    # Around 1,000 levels the parsers give up one after the other, at depths that differ between Python's releases.
    for levels in (*range(1, 70), *range(80, 1_500, 7), *range(950, 1_050), 20_000, 300_000):
        body = with_metadata(nested(opening, closing, levels))
        levels_of_body = levels + 4  # in an object, its array, a point and its metadata

        if levels_of_body > MAX_DEPTH:
            assert refusal_of(body) == (400, "malformed_json"), levels
        else:
            assert len(decoded(body).points) == (2 if levels < 32 else 1), levels


@pytest.mark.parametrize("levels", [65, 500, 995, 1_000, 20_000, 300_000])
def test_a_body_of_nothing_but_brackets_is_refused(levels: int) -> None:
    for body in (b"[" * levels, b"[" * levels + b"]" * levels, b'{"datapoints":' * levels):
        assert refusal_of(body) == (400, "malformed_json")


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("levels", [10, 500, 20_000])
def test_a_field_that_nobody_reads_may_nest_or_not(opening: bytes, closing: bytes, levels: int) -> None:
    body = b'{"datapoints": [' + GOOD + b'], "x": ' + nested(opening, closing, levels) + b"}"

    assert refusal_of(body) in (None, (400, "malformed_json"))


@pytest.mark.parametrize(
    "body",
    [b"null", b"true", b"5", b"1e999", b"NaN", b'"datapoints"', b"[]", b"[" + GOOD + b"]"],
)
def test_a_body_that_is_no_object_is_of_the_wrong_type(body: bytes) -> None:
    assert refusal_of(body) == (400, "invalid_request")


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_a_body_with_bytes_put_wrong_is_accepted_or_refused(garbage: bytes, start: int, length: int) -> None:
    body = with_metadata(b'"x"')
    status, _ = refusal_of(body[:start] + garbage + body[start + length :]) or (400, "")

    assert status == 400


@given(strategies.anything)
def test_a_document_of_any_shape_is_accepted_or_refused(document: object) -> None:
    points = [{"stream_id": document, "value": 1, "timestamp": 1}, document]
    for body in (document, {"datapoints": document}, {"datapoints": points}, {"datapoints": [], "domain": document}):
        assert refusal_of(json.dumps(body).encode()) in (None, (400, "invalid_request"))
