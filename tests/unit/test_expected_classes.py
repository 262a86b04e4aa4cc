"""The classes, violations and alarms of nine real streams, against figures of a separate implementation."""

import csv
import json
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from afluente.domain.classification import classify, in_stream_order
from afluente.domain.constraints import StreamConfig, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState

DATA = Path(__file__).parents[2] / "data"
STREAMS = {stream["key"]: stream for stream in json.loads((DATA / "constraints.json").read_text())["streams"]}
EXPECTED = {stream["key"]: stream for stream in json.loads((DATA / "expected.json").read_text())["streams"]}


@pytest.mark.parametrize("cut", [1, 7, 100, 1_000, 100_000])
@pytest.mark.parametrize("key", STREAMS)
def test_nine_real_streams_come_out_as_expected_however_they_are_cut_into_packs(key: str, cut: int) -> None:
    points = points_of(key)
    constraints = VersionedConfig(config_of(key), 1)
    state = StreamState()
    classified, alarms, duplicates = [], [], 0
    for start in range(0, len(points), cut):
        outcome = classify(in_stream_order(points[start : start + cut]), constraints, state, processed_at=0.0)
        state = outcome.state
        classified += outcome.points
        alarms += outcome.alarms
        duplicates += outcome.duplicates

    assert {
        "key": key,
        "points": len(points),
        "duplicates": duplicates,
        "late": sum(point.late for point in classified),
        "classes": dict.fromkeys(("alert", "warning", "anomaly", "normal"), 0)
        | Counter(point.classification.value for point in classified),
        "violations": Counter(
            name for point in classified for name in (*point.violated_constraints, *point.violated_rate)
        ),
        "alarms": {"raised": 0, "cleared": 0} | Counter(alarm.state.value for alarm in alarms),
    } == EXPECTED[key]


def config_of(key: str) -> StreamConfig:
    fields = {name: value for name, value in STREAMS[key].items() if name in StreamConfig.__struct_fields__}
    return msgspec.convert(fields, StreamConfig)


@cache
def points_of(key: str) -> list[DataPoint]:
    stream: dict[str, Any] = STREAMS[key]
    parsed = StreamKey.parse(key)
    with (DATA / stream["file"]).open(newline="") as file:
        rows = list(csv.reader(file))
    column = rows[0].index(stream["column"])
    return [
        DataPoint(
            domain=parsed.domain,
            source_id=parsed.source_id,
            stream_id=parsed.stream_id,
            value=float(row[column]),
            timestamp=datetime.fromisoformat(row[0]).replace(tzinfo=UTC).timestamp(),
        )
        for row in rows[1:]
    ]
