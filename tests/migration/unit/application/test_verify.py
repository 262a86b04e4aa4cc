"""Verification: every sensor, field by field, as it should be and as it is."""

from typing import Any

import msgspec
import pytest

from afluente.domain.constraints import Baseline, StreamConfig
from afluente.migration.application.records import SensorRecord, Status
from afluente.migration.application.selection import Selection
from afluente.migration.application.verify import Finding
from afluente.migration.domain.thresholds import LatestReading
from tests.factories import NOW, a_config
from tests.migration.legacy_service import IMPOSSIBLE, a_legacy_service
from tests.migration.moving import LATEST, Moving
from tests.migration.thresholds import DEVICE, a_sensor, thresholds


def moved(**fields: Any) -> Moving:
    usual: dict[str, Any] = {"physical_max": 9, "latest": LATEST}
    moving = Moving(thresholds(**(usual | fields)))
    moving.run()
    return moving


def wrong_in(moving: Moving) -> list[str]:
    (found,) = moving.verify()
    return [difference.field for difference in found.differences]


def rewrite(moving: Moving, baseline: Baseline | None = None, **fields: Any) -> None:
    config = moving.config() or StreamConfig()
    moving.constraints.put(moving.scope(), msgspec.structs.replace(config, **fields), baseline=baseline)


def rerecord(moving: Moving, **fields: Any) -> None:
    moving.records.put_many([msgspec.structs.replace(moving.record(), **fields)])


def test_after_a_run_every_sensor_that_can_be_moved_is_equal() -> None:
    service = a_legacy_service(36, seed=7)
    moving = Moving(*service.sensors)
    moving.run()

    found = {its.sensor_id: its.finding for its in moving.verify()}

    impossible = {its.sensor.sensor_id for its in service.of(*IMPOSSIBLE)}
    assert found == {number: Finding.IMPOSSIBLE if number in impossible else Finding.EQUAL for number in service.shapes}


def test_before_a_run_all_is_missing() -> None:
    assert wrong_in(Moving(thresholds(physical_max=9))) == ["directory", "constraints", "record"]


def test_what_cannot_be_moved_is_named_by_its_columns() -> None:
    (found,) = moved(physical_min=10).verify()

    assert (found.finding, found.differences) == (Finding.IMPOSSIBLE, ())
    assert found.faults[0].startswith("alert_thresholds.physical_min: ")


def test_a_sensor_that_can_have_no_stream_needs_no_entry_in_the_directory() -> None:
    (found,) = moved(device_uuid="plant/7").verify()

    assert (found.finding, found.key, found.differences) == (Finding.IMPOSSIBLE, "", ())


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"value_constraints": a_config(max_value=8, alert_min=1).value_constraints}, ["max_value", "alert_min"]),
        ({"rate_constraints": a_config(abs_delta=1).rate_constraints}, ["abs_delta"]),
        ({"consecutive_violations_required": 9}, ["consecutive_violations_required"]),
        ({"cooldown_seconds": 9}, ["cooldown_seconds"]),
        ({"stream_type": None}, ["stream_type"]),
        ({"metadata": {}}, ["legacy"]),
    ],
    ids=str,
)
def test_each_field_that_is_otherwise_is_named(fields: dict[str, Any], wrong: list[str]) -> None:
    moving = moved()
    rewrite(moving, **fields)

    assert [field.rpartition(".")[2] for field in wrong_in(moving)] == wrong


def test_a_difference_has_the_expected_and_the_found_value() -> None:
    moving = moved()
    moving.change_constraints(max_value=8.25)

    (found,) = moving.verify()

    assert found.finding is Finding.DIFFERENT
    assert [str(difference) for difference in found.differences] == [
        "value_constraints.max_value: 9 expected, 8.25 found"
    ]


def test_constraints_where_none_should_be_are_a_difference() -> None:
    moving = Moving(thresholds())
    moving.run()
    moving.change_constraints(max_value=1)

    (found,) = moving.verify()

    assert str(found.differences[0]) == "constraints: nothing expected, some found"


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        (a_sensor(uuid="other", sensor_type=None), ["directory.uuid"]),
        (a_sensor(device_uuid=None, sensor_type=None), ["directory.device_uuid"]),
    ],
)
def test_an_entry_of_the_directory_that_is_otherwise_is_named(entry: Any, wrong: list[str]) -> None:
    moving = moved()
    moving.directory.put_many([entry])

    assert wrong_in(moving) == wrong


def test_a_sensor_that_was_rolled_back_is_not_moved() -> None:
    moving = moved()
    moving.roll_back()

    assert wrong_in(moving) == ["constraints", "record"]


def test_a_record_of_another_stream_is_named() -> None:
    moving = moved()
    rerecord(moving, scope="iot/_/42")

    assert wrong_in(moving) == ["record.scope"]


def test_the_baseline_is_the_one_of_the_time_of_the_run() -> None:
    moving = moved()
    later = LatestReading(3, NOW + 60)
    moving.tables.put(thresholds(physical_max=9, latest=later))
    assert wrong_in(moving) == []

    rewrite(moving, Baseline(LATEST.timestamp, LATEST.value + 1))
    assert wrong_in(moving) == ["baseline"]


def test_a_baseline_whose_value_is_not_that_of_the_reading_is_named() -> None:
    moving = moved()
    moving.tables.put(thresholds(physical_max=9, latest=LatestReading(LATEST.value + 1, LATEST.timestamp)))

    assert wrong_in(moving) == ["baseline.value"]


def test_a_reading_from_before_the_run_has_to_be_the_baseline() -> None:
    moving = moved(latest=None)
    assert wrong_in(moving) == []

    moving.tables.put(thresholds(physical_max=9, latest=LatestReading(1, NOW)))
    assert wrong_in(moving) == ["baseline"]

    moving.tables.put(thresholds(physical_max=9, latest=LatestReading(1, NOW + 1)))
    assert wrong_in(moving) == []


def test_of_constraints_from_before_the_migration_only_the_effect_is_compared() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.constraints.put(moving.scope(), a_config(max_value=9, stream_type="x"))
    moving.run()

    assert wrong_in(moving) == []


def test_only_the_selected_sensors_are_looked_at() -> None:
    moving = Moving(thresholds(1), thresholds(2))

    assert [found.sensor_id for found in moving.verify(Selection.of(["2"]))] == [2]


def test_the_record_has_the_status_of_a_sensor() -> None:
    record: SensorRecord = moved().record()

    assert (record.status, record.scope) == (Status.MIGRATED, f"iot/{DEVICE}/42")
