"""Points of every invalid kind, each with the faults that are reported of it."""

import json
import time
from typing import Any

Faults = set[tuple[str, str]]
"""Each with its field and code."""

GOOD: dict[str, Any] = {"stream_id": "s", "value": 1, "timestamp": 1_700_000_000}

_NOT_A_NUMBER: dict[str, list[Any]] = {
    "wrong_type": [None, True, "1", "", "NaN", [], [1], {}],
    "not_finite": [float("nan"), float("inf"), -float("inf"), 10**400],
}
_NOT_A_NAME: dict[str, list[Any]] = {
    "wrong_type": [5, False, [], {}],
    "empty": [""],
    "too_long": ["x" * 129],
    "forbidden_character": ["a/b", "a+b", "#", "$SYS", "a\nb", "\x00", "\x7f", "\x85", "\ud800", "a\udfff"],
}


def bad_points() -> list[tuple[Any, Faults]]:
    """The points; some are no objects at all."""
    return [
        *((value, {("datapoint", "wrong_type")}) for value in (None, True, 5, 1.5, "point", [], [GOOD])),
        ({}, {("stream_id", "missing"), ("value", "missing"), ("timestamp", "missing")}),
        *(
            ({name: value for name, value in GOOD.items() if name != missing}, {(missing, "missing")})
            for missing in GOOD
        ),
        *_with("stream_id", _NOT_A_NAME | {"wrong_type": [None, *_NOT_A_NAME["wrong_type"]]}),
        *_with("value", _NOT_A_NUMBER),
        *_with("timestamp", _not_a_time(time.time())),
        *_with("stream_type", _NOT_A_NAME),
        *_with("sequence", _NOT_A_SEQUENCE),
        *_with("metadata", _NOT_METADATA),
        *_SEVERAL_FAULTS,
    ]


def _not_a_time(now: float) -> dict[str, list[Any]]:
    return {
        "wrong_type": [None, True, "2024-01-01T00:00:00Z", [], {}],
        "not_finite": [float("nan"), float("inf")],
        "in_future": [now + 330, now + 86_400, 1e30],
        "not_seconds": [now * 1e3, now * 1e6, now * 1e9],
        "out_of_range": [-1e12, -1e300],
    }


_NOT_A_SEQUENCE: dict[str, list[Any]] = {
    "wrong_type": [1.5, 1.0, "1", True, [], {}],
    "negative": [-1],
    "out_of_range": [2**63],
}
_NOT_METADATA: dict[str, list[Any]] = {
    "wrong_type": [[], "{}", 5, True],
    "too_long": [{"a": "x" * 4_096}],
    "too_deep": [json.loads('{"a":' * 40 + "1" + "}" * 40)],
    "not_finite": [{"a": float("nan")}, {"a": [{"b": -float("inf")}]}],
    "forbidden_character": [{"a": "\ud800"}, {"\udfff": 1}],
}
_SEVERAL_FAULTS: list[tuple[Any, Faults]] = [
    (GOOD | {"stream_id": "$a/b" + "x" * 129}, {("stream_id", "forbidden_character"), ("stream_id", "too_long")}),
    (
        {"stream_id": "", "value": "hot", "timestamp": "now", "stream_type": 5, "sequence": -1, "metadata": []},
        {
            ("stream_id", "empty"),
            ("value", "wrong_type"),
            ("timestamp", "wrong_type"),
            ("stream_type", "wrong_type"),
            ("sequence", "negative"),
            ("metadata", "wrong_type"),
        },
    ),
]


def _with(field: str, values: dict[str, list[Any]]) -> list[tuple[Any, Faults]]:
    return [(GOOD | {field: value}, {(field, code)}) for code, its_values in values.items() for value in its_values]
