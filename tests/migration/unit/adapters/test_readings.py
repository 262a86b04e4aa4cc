"""Readings of sensors as legacy clients send them, and the points or the faults that they become."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.domain.faults import Fault
from afluente.migration.adapters.readings import LegacyReading, ReadingContext, read
from tests import strategies
from tests.factories import NOW
from tests.migration.thresholds import DEVICE, UUID, a_sensor


def faults_of(result: LegacyReading | tuple[Fault, ...]) -> list[tuple[str, str]]:
    assert isinstance(result, tuple), result
    assert all(fault.message for fault in result)
    return [(fault.field, fault.code.value) for fault in result]


@pytest.mark.parametrize(
    ("sensor", "beside", "key"),
    [
        ({"sensor_id": 42}, ReadingContext(DEVICE), f"iot/{DEVICE}/42"),
        ({"sensor_id": -7}, ReadingContext(), "iot/_/-7"),
        ({"sensor_uuid": UUID.upper()}, ReadingContext(DEVICE), f"iot/{DEVICE}/{UUID}"),
        ({}, ReadingContext(DEVICE, sensor=42), f"iot/{DEVICE}/42"),
        ({"sensor_id": 42}, ReadingContext(DEVICE, sensor=UUID), f"iot/{DEVICE}/42"),
        ({"sensor_uuid": UUID}, ReadingContext(DEVICE, sensor=42), f"iot/{DEVICE}/42"),
        ({"sensor_id": 42, "device_uuid": DEVICE}, ReadingContext("another"), f"iot/{DEVICE}/42"),
    ],
)
def test_a_reading_of_a_sensor_that_is_in_no_directory(
    sensor: dict[str, Any], beside: ReadingContext, key: str
) -> None:
    reading = read({"value": 1, "ts": NOW, **sensor}, beside, now=NOW)

    assert isinstance(reading, LegacyReading)
    assert str(reading.point(None).key) == key


def test_a_reading_is_completed_by_the_directory_and_its_own_device_counts_more() -> None:
    other = "7" * 8 + DEVICE[8:]
    by_uuid = read({"value": 1, "sensor_uuid": UUID}, ReadingContext(), now=NOW)
    with_device = read({"value": 1, "sensor_uuid": UUID, "device_uuid": other}, ReadingContext(), now=NOW)
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
    found = read({"value": 1, "ts": NOW, "sensor_id": sensor_id}, ReadingContext(DEVICE), now=NOW)

    assert faults_of(found) == [("sensor_id", fault)]


@pytest.mark.parametrize(
    ("raw", "faults"),
    [
        ({}, [("value", "missing")]),
        ({"value": math.nan, "timestamp": True}, [("timestamp", "wrong_type"), ("value", "not_finite")]),
        (
            {"value": "41", "ts": "soon", "sensorType": "a/b", "sequence": -1},
            [
                ("ts", "out_of_range"),
                ("value", "wrong_type"),
                ("sensorType", "forbidden_character"),
                ("sequence", "negative"),
            ],
        ),
        ({"value": 1, "ts": "2026-13-45T00:00:00Z"}, [("ts", "out_of_range")]),
        ({"value": 1, "ts": NOW * 1000}, [("ts", "not_seconds")]),
        ({"value": 1, "timestamp": NOW + 301}, [("timestamp", "in_future")]),
    ],
)
def test_every_fault_is_named_by_the_senders_own_field(raw: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert faults_of(read({"sensor_id": 42, **raw}, ReadingContext(DEVICE), now=NOW)) == faults


@given(
    raw=st.dictionaries(
        st.sampled_from(["sensor_id", "sensorUuid", "value", "ts", "sensor_type"]), strategies.json_values
    )
)
def test_whatever_a_legacy_client_sends_is_a_reading_or_faults(raw: dict[str, Any]) -> None:
    found = read(raw, ReadingContext(), now=NOW)

    assert isinstance(found, LegacyReading) or found
