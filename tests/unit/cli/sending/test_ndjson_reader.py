"""NDJSON: good lines go as they are, bad ones never spoil a request."""

import msgspec

from cli.sending.ndjson_reader import read_ndjson
from cli.sending.points import Read, Readable, Unreadable


def reads(text: str) -> list[Read]:
    return list(read_ndjson(text.splitlines(keepends=True)))


def test_a_line_is_sent_as_it_is() -> None:
    line = '{"stream_id": "a", "value": 1.50, "anything": [1, {"b": null}]}'
    (read,) = reads(f"{line}\n")
    assert isinstance(read, Readable)
    assert msgspec.json.encode(read.point) == line.encode()


def test_empty_lines_are_passed_over_and_counted() -> None:
    assert [read.line for read in reads('\n{"a":1}\r\n   \n{"a":2}')] == [2, 4]


def test_a_line_that_is_no_object_is_unreadable() -> None:
    found = [(read.line, read.faults[0].code) for read in reads('[1]\n3\n"x"\n') if isinstance(read, Unreadable)]
    assert found == [(1, "wrong_type"), (2, "wrong_type"), (3, "wrong_type")]


def test_a_line_that_is_no_json_is_unreadable_and_its_neighbours_are_not() -> None:
    good, bad, after = reads('{"a":1}\n{"a":NaN}\n{"a":2}\n')
    assert isinstance(good, Readable)
    assert isinstance(bad, Unreadable)
    assert (bad.line, bad.text, bad.faults[0].code) == (2, '{"a":NaN}', "malformed")
    assert isinstance(after, Readable)
