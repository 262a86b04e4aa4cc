"""Batches of points over MQTT: messages of one stream each, small enough, in the order of the points."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.sending.mqtt import _MAX_MESSAGE_BYTES, _by_stream, _messages
from cli.sending.points import Readable, SentPoint

PREFIX = "iot/oven-1/"


def raw(line: int, **fields: object) -> Readable:
    return Readable(line, msgspec.Raw(json.dumps(fields).encode()))


def test_points_go_by_their_stream_whether_they_come_from_a_table_or_as_json() -> None:
    table, line = Readable(1, SentPoint("a", 1.0, 2.0)), raw(2, stream_id="b", value=1)
    more = raw(3, stream_id="a", value="hot")

    assert _by_stream([table, line, more], PREFIX) == ({"a": [table, more], "b": [line]}, [])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "missing"),
        ({"stream_id": None}, "wrong_type"),
        ({"stream_id": 7}, "wrong_type"),
        ({"stream_id": ""}, "empty"),
        ({"stream_id": "a/b"}, "forbidden_character"),
        ({"stream_id": "a+"}, "forbidden_character"),
        ({"stream_id": "$a"}, "forbidden_character"),
        ({"stream_id": "x" * 129}, "too_long"),
        ({"stream_id": "ü" * 128}, "too_long"),
    ],
)
def test_a_point_whose_stream_makes_no_topic_is_rejected_alone(fields: dict[str, object], code: str) -> None:
    good = raw(1, stream_id="a", value=1)

    streams, rejected = _by_stream([good, raw(2, value=1, **fields)], PREFIX)

    assert streams == {"a": [good]}
    ((line, (fault, *_)),) = [(one.line, one.faults) for one in rejected]
    assert (line, fault.field, fault.code) == (2, "stream_id", code)


def test_one_point_is_a_message_of_its_own_and_more_are_an_array() -> None:
    points = [raw(line, stream_id="a", value=line) for line in (1, 2)]

    assert [json.loads(text) for text, _ in _messages(points[:1])[0]] == [{"stream_id": "a", "value": 1}]
    assert [json.loads(text) for text, _ in _messages(points)[0]] == [
        [{"stream_id": "a", "value": 1}, {"stream_id": "a", "value": 2}]
    ]


def test_points_that_name_no_type_get_that_of_the_device() -> None:
    points = [
        Readable(1, SentPoint("a", 1.0, 2.0)),
        Readable(2, SentPoint("a", 1.0, 2.0, "state")),
        raw(3, stream_id="a", value=10**30),
        raw(4, stream_id="a", stream_type="state"),
        Readable(5, msgspec.Raw(b' { "stream_id": "a" }')),
    ]

    ((text, count),) = _messages(points, "temperature")[0]

    sent = json.loads(text)
    assert [point["stream_type"] for point in sent] == ["temperature", "state", "temperature", "state", "temperature"]
    assert (count, sent[2]["value"]) == (5, 10**30)
    assert all("stream_type" not in point for point in json.loads(_messages(points[2:3] * 2)[0][0][0]))


@given(st.lists(st.integers(0, _MAX_MESSAGE_BYTES + 100), max_size=8))
def test_messages_are_small_enough_and_hold_every_point_once_in_order(sizes: list[int]) -> None:
    points = [raw(line, stream_id="a", value=line, text="x" * size) for line, size in enumerate(sizes)]

    messages, rejected = _messages(points)

    assert all(len(text) <= _MAX_MESSAGE_BYTES + 1 for text, _ in messages)
    held = [json.loads(text) for text, _ in messages]
    values = [[one["value"] for one in (its if isinstance(its, list) else [its])] for its in held]
    assert [len(its) for its in values] == [count for _, count in messages]
    too_large = [one.line for one in rejected]
    assert [value for its in values for value in its] == [line for line in range(len(sizes)) if line not in too_large]
    assert all(sizes[line] > _MAX_MESSAGE_BYTES - 100 for line in too_large)
