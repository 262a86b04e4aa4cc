"""Records of the Kinesis streams: lines of JSON, as any reader finds them again."""

import gzip
import json
import zlib
from itertools import chain

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.codecs.kinesis_records import (
    MAX_RECORD_BYTES,
    MAX_UNPACKED_BYTES,
    RecordFormat,
    UnreadableRecordError,
    encode_records,
    lines_of,
)
from afluente.domain.classification import ClassifiedDataPoint
from tests.factories import a_classified_point

_points = st.lists(
    st.builds(a_classified_point, st.floats(allow_nan=False, allow_infinity=False), sequence=st.integers(0, 9)),
    min_size=1,
    max_size=20,
)


@pytest.mark.parametrize("record_format", RecordFormat)
@given(_points)
def test_points_come_out_of_records_of_any_format_as_they_went_in(
    record_format: RecordFormat, points: list[ClassifiedDataPoint]
) -> None:
    lines = chain.from_iterable(map(lines_of, encode_records(points, record_format)))

    assert [msgspec.json.decode(line, type=ClassifiedDataPoint) for line in lines] == points


def test_a_gzipped_record_is_what_gzip_writes_and_the_same_for_the_same_points() -> None:
    points = [a_classified_point(number) for number in range(3)]

    (record,) = encode_records(points, RecordFormat.GZIP)

    assert record[:2] == b"\x1f\x8b"
    assert [json.loads(line)["value"] for line in gzip.decompress(record).splitlines()] == [0, 1, 2]
    assert list(encode_records(points, RecordFormat.GZIP)) == [record]


def test_a_point_larger_than_a_record_has_one_of_its_own() -> None:
    large = a_classified_point(1, metadata={"text": "x" * MAX_RECORD_BYTES})

    records = list(encode_records([a_classified_point(0), large, a_classified_point(2)], RecordFormat.PLAIN))

    assert [len(lines_of(record)) for record in records] == [1, 1, 1]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(gzip.compress(b"{}\n")[:-3], id="cut off"),
        pytest.param(b"\x1f\x8bno gzip", id="no gzip"),
        pytest.param(gzip.compress(b"x" * (2 * MAX_UNPACKED_BYTES + 1)), id="a bomb"),
        pytest.param(b"\x1f\x8b" + zlib.compress(b"{}")[2:], id="damaged"),
    ],
)
def test_a_record_that_cannot_be_unpacked_is_told_apart(record: bytes) -> None:
    with pytest.raises(UnreadableRecordError):
        lines_of(record)
