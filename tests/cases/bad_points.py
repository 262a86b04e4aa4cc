"""Bad points, each by what is wrong with it, as JSON text: the same for every transport."""

import json
from collections.abc import Iterator, Mapping

_SOUND: Mapping[str, object] = {"stream_id": "t", "value": 1.5, "timestamp": 1_699_996_400}


def _with(**fields: object) -> str:
    return json.dumps({**_SOUND, **fields})


def _without(*names: str) -> str:
    return json.dumps({name: value for name, value in _SOUND.items() if name not in names})


def _raw(field: str, text: str) -> str:
    """A sound point with one field as text that `json.dumps` would not write."""
    return json.dumps({**_SOUND, field: "@"}).replace('"@"', text)


def _nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


_NO_POINTS = {
    "null": "null",
    "true": "true",
    "number": "7",
    "text": '"t"',
    "empty text": '""',
    "array": "[]",
    "array of a point": f"[{json.dumps(_SOUND)}]",
    "array of fields": '["t", 1.5, 1699996400]',
}
_NO_NUMBERS = {
    "text": '"1.5"',
    "empty text": '""',
    "true": "true",
    "null": "null",
    "array": "[1.5]",
    "object": '{"v": 1.5}',
    "NaN": "NaN",
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "beyond a double": "1e999",
    "integer of 400 digits": "9" * 400,
    "integer of 5,000 digits": "9" * 5_000,
    "text of a megabyte": '"' + "9" * 100_000 + '"',
}
_NO_TIMES = {
    "ISO 8601": '"2026-01-01T00:00:00Z"',
    "milliseconds": "1699996400000",
    "microseconds": "1699996400000000",
    "nanoseconds": "1699996400000000000",
    "in a century": "4855000000",
    "before all": "-1e300",
    "minus one": "-99999999999",
}
_NO_NAMES = {
    "empty": '""',
    "number": "7",
    "true": "true",
    "array": '["t"]',
    "object": "{}",
    "slash": '"a/b"',
    "plus": '"+"',
    "hash": '"a#"',
    "dollar": '"$t"',
    "NUL": r'"a\u0000b"',
    "escape": r'"\u001b[2J"',
    "delete": r'"\u007f"',
    "end of line": r'"a\nb"',
    "lone surrogate": r'"\ud800"',
    "two lone surrogates": r'"\udc00\ud800"',
    "129 characters": json.dumps("x" * 129),
    "129 emoji": json.dumps("😀" * 129),
    "100,000 characters": json.dumps("x" * 100_000),
}
_NO_SEQUENCES = {
    "negative": "-1",
    "fraction": "1.5",
    "text": '"7"',
    "true": "true",
    "beyond 64 bits": str(2**64),
    "integer of 5,000 digits": "9" * 5_000,
    "NaN": "NaN",
    "array": "[]",
}
_NO_METADATA = {
    "text": '"m"',
    "number": "7",
    "array": "[]",
    "true": "true",
    "too large": json.dumps({"a": "x" * 5_000}),
    "many fields": json.dumps({f"field {number}": number for number in range(1_000)}),
    "33 levels": _nested(33),
    "NaN": '{"a": NaN}',
    "lone surrogate": r'{"a": "\ud800"}',
    "integer of 5,000 digits": f'{{"a": {"9" * 5_000}}}',
}
_TOGETHER = {
    "empty object": "{}",
    "nothing that is known": '{"Stream": "t", "Value": 1, "Time": 2}',
    "without stream": _without("stream_id"),
    "without value": _without("value"),
    "without time": _without("timestamp"),
    "time alone": _without("stream_id", "value"),
    "nulls": json.dumps(dict.fromkeys(_SOUND)),
    "everything wrong": _with(stream_id=7, value="x", timestamp="y", sequence=-1, stream_type="/", metadata=[]),
    "every text long": _with(stream_id="x" * 9_000, stream_type="y" * 9_000, value="z" * 9_000),
}


def bad_points() -> Iterator[tuple[str, str]]:
    """Names and JSON texts of bad points."""
    yield from ((f"point is {name}", text) for name, text in _NO_POINTS.items())
    yield from ((f"value is {name}", _raw("value", text)) for name, text in _NO_NUMBERS.items())
    no_times = {**_NO_NUMBERS, **_NO_TIMES}
    yield from ((f"timestamp is {name}", _raw("timestamp", text)) for name, text in no_times.items())
    yield from ((f"stream_id is {name}", _raw("stream_id", text)) for name, text in _NO_NAMES.items())
    yield from ((f"stream_type is {name}", _raw("stream_type", text)) for name, text in _NO_NAMES.items())
    yield from ((f"sequence is {name}", _raw("sequence", text)) for name, text in _NO_SEQUENCES.items())
    yield from ((f"metadata is {name}", _raw("metadata", text)) for name, text in _NO_METADATA.items())
    yield from ((f"point is {name}", text) for name, text in _TOGETHER.items())
