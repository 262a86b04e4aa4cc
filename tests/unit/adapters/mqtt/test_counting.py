"""The number of points in a payload, before any is decoded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.mqtt.counting import count_points

POINT = {"value": 1, "metadata": {"a": [1, 2, 3], "b": "],["}}


@pytest.mark.parametrize(
    ("document", "points"),
    [
        (POINT, 1),
        ([POINT] * 7, 7),
        ({"datapoints": [POINT] * 7}, 7),
        ({"datapoints": []}, 1),
        ({"datapoints": 7}, 1),
        ([{"bn": "a", "v": 1}, {"v": 2}], 2),
        ([], 1),
        (7, 1),
        ([[]] * 5, 5),
    ],
)
def test_points_are_counted_by_splitting_the_payload(document: object, points: int) -> None:
    assert count_points(b" \n" + json.dumps(document).encode()) == points


@pytest.mark.parametrize("payload", [b"[NaN,{},{}]", b'{"datapoints":[{},NaN,{}]}', b"[{},{},", b"[1,2,3", b"\xff,,"])
def test_what_is_no_strict_json_has_at_most_as_many_points_as_commas_and_one(payload: bytes) -> None:
    assert count_points(payload) == payload.count(b",") + 1


@given(st.lists(st.dictionaries(st.text(), st.none() | st.floats() | st.text() | st.lists(st.integers()))))
def test_no_payload_has_more_points_than_are_counted(points: list[object]) -> None:
    assert count_points(json.dumps(points).encode()) >= len(points)


@given(st.binary())
def test_whatever_a_payload_is_it_has_a_point_or_more(payload: bytes) -> None:
    assert count_points(payload) >= 1
