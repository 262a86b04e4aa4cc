"""Decoding of the values that drivers return."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from afluente.migration.adapters.sql.errors import WrongTablesError
from afluente.migration.adapters.sql.rows import (
    alert_of,
    delta_of,
    is_active,
    latest_of,
    orphan_of,
    sensor_of,
    unix_seconds,
)
from afluente.migration.domain.thresholds import AlertThresholds, LatestReading
from tests.factories import NOW

BOUNDS = ("threshold_min", "threshold_max", "warning_min", "warning_max", "physical_min", "physical_max")
DELTAS = ("abs_delta", "rel_delta", "abs_slope", "rel_slope")


def an_alert_row(**values: Any) -> dict[str, Any]:
    nothing = dict.fromkeys((*BOUNDS, "severity", "consecutive_violations", "cooldown_seconds", "active", "updated_at"))
    return {"id": 1, **nothing, **values}


@pytest.mark.parametrize(
    "value",
    [
        datetime(2023, 11, 14, 22, 13, 20),  # noqa: DTZ001 - what a column without a zone gives
        datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        datetime(2023, 11, 14, 23, 13, 20, tzinfo=timezone(timedelta(hours=1))),
        "2023-11-14 22:13:20.000000",
        "2023-11-14T22:13:20Z",
        NOW,
        int(NOW),
        Decimal(1700000000),
        "1700000000.0",
    ],
)
def test_a_time_is_read_as_whatever_it_is_kept(value: object) -> None:
    assert unix_seconds(value) == NOW


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (1, True),
        (b"\x01", True),
        ("Y", True),
        (" true ", True),
        (False, False),
        (0, False),
        (b"\x00", False),
        (b"", False),
        ("0", False),
        ("no", False),
        (None, False),
    ],
)
def test_a_row_is_active_by_any_value_that_means_yes(value: object, expected: bool) -> None:
    assert is_active(value) is expected


def test_numbers_may_be_decimals_and_texts() -> None:
    row = an_alert_row(
        id=Decimal(7), threshold_max=Decimal("8.25"), physical_min="-5", consecutive_violations=Decimal(2), active=1
    )

    assert alert_of(row, "alert_thresholds") == AlertThresholds(
        row_id=7, threshold_max=8.25, physical_min=-5.0, consecutive_violations=2
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("infinity", 253_402_300_799.0),  # as pg8000 gives the time that PostgreSQL calls so
        (1e300, 253_402_300_799.0),
        ("-infinity", 0.0),
        (Decimal("NaN"), 0.0),
        (None, 0.0),
    ],
)
def test_a_row_was_changed_at_a_moment_that_can_be_written_or_does_not_say(value: object, expected: float) -> None:
    assert alert_of(an_alert_row(updated_at=value), "alert_thresholds").updated_at == expected


@pytest.mark.parametrize("id_", [None, "a", uuid.UUID("5a7d4c3e-1111-4222-8333-944455556666"), 2**63])
def test_an_id_that_is_no_integer_is_named(id_: object) -> None:
    with pytest.raises(WrongTablesError, match=r"table alert_thresholds has .* as id in row"):
        alert_of(an_alert_row(id=id_), "alert_thresholds")
    with pytest.raises(WrongTablesError, match=r"table alert_thresholds has .* as id in row"):
        orphan_of({"id": id_, "sensor_id": None}, "alert_thresholds")


def test_severities_are_kept_as_they_are_written() -> None:
    row = {"id": 1, **dict.fromkeys((*DELTAS, "active", "updated_at")), "severity": " Major "}

    assert delta_of(row, "delta_thresholds").severity == " Major "


@pytest.mark.parametrize(
    "written",
    [
        uuid.UUID("5a7d4c3e-1111-4222-8333-944455556666"),
        "5A7D4C3E-1111-4222-8333-944455556666",
        " 5a7d4c3e-1111-4222-8333-944455556666  ",
        "5a7d4c3e111142228333944455556666",
        "{5A7D4C3E-1111-4222-8333-944455556666}",
    ],
)
def test_a_uuid_is_lower_case_text(written: object) -> None:
    row = {"id": 42, "uuid": written, "device_uuid": written, "sensor_type": "temperature   "}

    sensor = sensor_of(row, "sensors")

    assert sensor.uuid == sensor.device_uuid == "5a7d4c3e-1111-4222-8333-944455556666"
    assert sensor.sensor_type == "temperature"


def test_what_is_null_or_blank_is_not_there() -> None:
    sensor = sensor_of({"id": 42, "uuid": " ", "device_uuid": None, "sensor_type": None}, "sensors")

    assert (sensor.uuid, sensor.device_uuid, sensor.sensor_type) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "timestamp", "expected"),
    [
        (Decimal("1.5"), NOW, LatestReading(1.5, NOW)),
        (None, NOW, None),
        (1.5, None, None),
        (Decimal("NaN"), NOW, None),
        (1.5, float("inf"), None),
    ],
)
def test_a_last_reading_has_a_value_and_a_time_or_is_none(
    value: object, timestamp: object, expected: LatestReading | None
) -> None:
    row = {"sensor_id": 42, "latest_value": value, "latest_timestamp": timestamp}

    assert latest_of(row, "sensor_readings_latest") == expected
