"""Measurements as each field of use knows them, and the points or the faults that they become."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.codecs.domain_shapes.finance import take_tick
from afluente.adapters.codecs.domain_shapes.health import take_vital_sign
from afluente.adapters.codecs.domain_shapes.infrastructure import take_metric
from afluente.adapters.codecs.domain_shapes.shapes import PointOrFaults
from afluente.domain.datapoints import DataPoint
from afluente.migration.adapters.readings import LegacyReading, Surroundings, read
from tests import strategies
from tests.factories import NOW
from tests.migration.thresholds import DEVICE, UUID, a_sensor

Take = Callable[..., PointOrFaults]

METRIC = {"host": "web-1", "metric": "cpu", "value": 41.5, "timestamp": NOW - 5}
TICK = {"symbol": "ACME", "price": 12.25, "timestamp": NOW - 5, "venue": "XMAD", "field": "bid"}
SIGN = {"patient_id": "p-7", "sign": "heart_rate", "value": 71, "timestamp": NOW - 5}

each_shape = pytest.mark.parametrize(
    ("take", "raw"), [(take_metric, METRIC), (take_tick, TICK), (take_vital_sign, SIGN)], ids=["metric", "tick", "sign"]
)


def point_of(taken: PointOrFaults) -> DataPoint:
    assert isinstance(taken, DataPoint), taken
    return taken


def faults_of(taken: PointOrFaults | LegacyReading) -> list[tuple[str, str]]:
    assert isinstance(taken, tuple), taken
    assert all(fault.message for fault in taken)
    return [(fault.field, fault.code.value) for fault in taken]


# --- infrastructure, finance, health ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("take", "raw", "key", "stream_type", "value"),
    [
        (take_metric, METRIC, "infrastructure/web-1/web-1:cpu", "cpu", 41.5),
        (take_tick, TICK, "finance/XMAD/ACME:bid", "bid", 12.25),
        (take_tick, {"symbol": "ACME", "price": 12, "venue": None}, "finance/_/ACME:price", "price", 12),
        (take_vital_sign, SIGN, "health/p-7/p-7:heart_rate", "heart_rate", 71),
    ],
)
def test_a_measurement_becomes_a_point_of_its_field(
    take: Take, raw: dict[str, Any], key: str, stream_type: str, value: float
) -> None:
    point = point_of(take(raw, now=NOW))

    assert (str(point.key), point.stream_type, point.value) == (key, stream_type, value)
    assert point.ingested_at == NOW


@each_shape
def test_a_measurement_keeps_its_sequence_and_its_metadata(take: Take, raw: dict[str, Any]) -> None:
    point = point_of(take(raw | {"sequence": 7, "metadata": {"unit": "%"}, "what is this": 1}, now=NOW))

    assert (point.timestamp, point.sequence, point.metadata) == (NOW - 5, 7, {"unit": "%"})


@each_shape
@pytest.mark.parametrize("metadata", [{}, {"unit": "%"}])
def test_a_measurement_without_a_time_has_that_of_its_arrival_and_says_so(
    take: Take, raw: dict[str, Any], metadata: dict[str, str]
) -> None:
    point = point_of(take(raw | {"timestamp": None, "metadata": metadata}, now=NOW))

    assert (point.timestamp, point.metadata) == (NOW, metadata | {"timestamp_source": "arrival"})


@each_shape
def test_what_is_no_object_is_no_measurement(take: Take, raw: dict[str, Any]) -> None:
    for nothing in (None, 7, "text", [raw]):
        ((_, code),) = faults_of(take(nothing, now=NOW))
        assert code == "wrong_type"


@pytest.mark.parametrize(
    ("take", "raw", "faults"),
    [
        (take_metric, {}, [("host", "missing"), ("metric", "missing"), ("value", "missing")]),
        (take_tick, {}, [("symbol", "missing"), ("price", "missing")]),
        (take_vital_sign, {}, [("patient_id", "missing"), ("sign", "missing"), ("value", "missing")]),
        (
            take_metric,
            METRIC | {"host": "a/b", "metric": "", "value": "41", "timestamp": "soon", "sequence": -1},
            [
                ("host", "forbidden_character"),
                ("metric", "empty"),
                ("timestamp", "out_of_range"),
                ("value", "wrong_type"),
                ("sequence", "negative"),
            ],
        ),
        (
            take_tick,
            TICK | {"price": math.nan, "venue": 7, "field": "$bid", "timestamp": True, "metadata": []},
            [
                ("venue", "wrong_type"),
                ("field", "forbidden_character"),
                ("timestamp", "wrong_type"),
                ("price", "not_finite"),
                ("metadata", "wrong_type"),
            ],
        ),
        (take_vital_sign, SIGN | {"timestamp": NOW * 1000}, [("timestamp", "not_seconds")]),
        (take_vital_sign, SIGN | {"timestamp": NOW + 301}, [("timestamp", "in_future")]),
        # Both are of the form alone, and too long together.
        (take_metric, METRIC | {"host": "h" * 100, "metric": "m" * 100}, [("metric", "too_long")]),
        (take_tick, TICK | {"symbol": "s" * 128}, [("symbol", "too_long")]),
    ],
)
def test_every_fault_is_named_in_the_senders_words(
    take: Take, raw: dict[str, Any], faults: list[tuple[str, str]]
) -> None:
    assert faults_of(take(raw, now=NOW)) == faults


@each_shape
@given(changes=st.dictionaries(st.sampled_from(sorted({*METRIC, *TICK, *SIGN})), strategies.json_values))
def test_whatever_comes_is_a_point_or_faults(take: Take, raw: dict[str, Any], changes: dict[str, Any]) -> None:
    taken = take(raw | changes, now=NOW)

    assert isinstance(taken, DataPoint) or taken


# --- readings of sensors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sensor", "beside", "key"),
    [
        ({"sensor_id": 42}, Surroundings(DEVICE), f"iot/{DEVICE}/42"),
        ({"sensor_id": -7}, Surroundings(), "iot/_/-7"),
        ({"sensor_uuid": UUID.upper()}, Surroundings(DEVICE), f"iot/{DEVICE}/{UUID}"),
        ({}, Surroundings(DEVICE, sensor=42), f"iot/{DEVICE}/42"),
        ({"sensor_id": 42}, Surroundings(DEVICE, sensor=UUID), f"iot/{DEVICE}/42"),
        ({"sensor_uuid": UUID}, Surroundings(DEVICE, sensor=42), f"iot/{DEVICE}/42"),
        ({"sensor_id": 42, "device_uuid": DEVICE}, Surroundings("another"), f"iot/{DEVICE}/42"),
    ],
)
def test_a_reading_of_a_sensor_that_is_in_no_directory(sensor: dict[str, Any], beside: Surroundings, key: str) -> None:
    reading = read({"value": 1, "ts": NOW, **sensor}, beside, now=NOW)

    assert isinstance(reading, LegacyReading)
    assert str(reading.point(None).key) == key


def test_a_reading_is_completed_by_the_directory_and_its_own_device_counts_more() -> None:
    other = "7" * 8 + DEVICE[8:]
    by_uuid = read({"value": 1, "sensor_uuid": UUID}, Surroundings(), now=NOW)
    with_device = read({"value": 1, "sensor_uuid": UUID, "device_uuid": other}, Surroundings(), now=NOW)
    assert isinstance(by_uuid, LegacyReading)
    assert isinstance(with_device, LegacyReading)

    assert (by_uuid.to_look_up, with_device.to_look_up) == (UUID, UUID)
    assert str(by_uuid.point(a_sensor()).key) == f"iot/{DEVICE}/42"
    assert str(with_device.point(a_sensor()).key) == f"iot/{other}/42"


@pytest.mark.parametrize(
    ("sensor_id", "fault"),
    [
        (2**63, "out_of_range"),
        ("9" * 19, "out_of_range"),
        ("9" * 40, "out_of_range"),
        ("oven", "out_of_range"),
        ("", "out_of_range"),
        ("4 2", "out_of_range"),
        ("٤٢", "out_of_range"),
        (4.5, "wrong_type"),
        (True, "wrong_type"),
        ([42], "wrong_type"),
    ],
)
def test_what_is_no_number_of_a_sensor_is_a_fault(sensor_id: object, fault: str) -> None:
    taken = read({"value": 1, "ts": NOW, "sensor_id": sensor_id}, Surroundings(DEVICE), now=NOW)

    assert faults_of(taken) == [("sensor_id", fault)]


@given(
    raw=st.dictionaries(
        st.sampled_from(["sensor_id", "sensorUuid", "value", "ts", "sensor_type"]), strategies.json_values
    )
)
def test_whatever_an_old_client_sends_is_a_reading_or_faults(raw: dict[str, Any]) -> None:
    taken = read(raw, Surroundings(), now=NOW)

    assert isinstance(taken, LegacyReading) or taken
