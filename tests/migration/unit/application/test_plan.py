"""The plan: what would become of each sensor, and why it is no other."""

import pytest

from afluente.migration.application.plan import COLUMNS, PlannedSensor, Totals
from afluente.migration.application.ports import Orphan
from afluente.migration.application.records import Prospect
from afluente.migration.application.selection import Selection
from afluente.migration.domain.thresholds import SensorThresholds
from tests.factories import a_config
from tests.migration.moving import LATEST, Moving, prospects
from tests.migration.thresholds import DEVICE, UUID, a_sensor, an_alert, thresholds

OTHER_DEVICE = "1" + DEVICE[1:]


def line_of(moving: Moving) -> PlannedSensor:
    (line,) = moving.plan()
    return line


def test_thresholds_that_are_not_there_yet_are_to_migrate() -> None:
    moving = Moving(thresholds(physical_max=9, threshold_max=10))

    assert line_of(moving) == PlannedSensor(
        sensor_id=42,
        sensor_uuid=UUID,
        device_uuid=DEVICE,
        key=moving.scope(),
        prospect=Prospect.MIGRATE,
        faults=(),
        adjusted=("threshold_max 10 is lowered to physical_max 9",),
        duplicates=(),
        notes=(),
    )


def test_a_plan_writes_nothing() -> None:
    moving = Moving(thresholds(physical_max=9))

    moving.plan()

    assert moving.everything() == Moving().everything()
    assert moving.records.find_run() is None


def test_the_report_has_a_column_for_each_field() -> None:
    assert PlannedSensor.__struct_fields__ == COLUMNS


def test_what_was_migrated_is_unchanged_until_the_thresholds_change() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.run()
    assert prospects(moving.plan()) == [Prospect.UNCHANGED]

    moving.change_thresholds(physical_max=8)
    assert prospects(moving.plan()) == [Prospect.UPDATE]

    moving.change_thresholds()
    assert prospects(moving.plan()) == [Prospect.REMOVE]


def test_contradictions_are_impossible_and_named_by_column() -> None:
    line = line_of(Moving(thresholds(physical_min=2, physical_max=1, abs_delta=-1)))

    assert (line.prospect, line.key) == (Prospect.IMPOSSIBLE, f"iot/{DEVICE}/42")
    assert [fault.split(":")[0] for fault in line.faults] == [
        "alert_thresholds.physical_min",
        "delta_thresholds.abs_delta",
    ]


def test_a_device_that_cannot_be_part_of_a_key_is_impossible() -> None:
    line = line_of(Moving(thresholds(physical_max=1, device_uuid="plant/7")))

    assert (line.prospect, line.key, line.faults[0].split(":")[0]) == (Prospect.IMPOSSIBLE, "", "devices.uuid")


def test_a_sensor_without_thresholds_in_force_has_nothing_to_migrate() -> None:
    assert line_of(Moving(thresholds())).prospect is Prospect.NOTHING


@pytest.mark.parametrize("template", ["iot#temperature", "iot"])
def test_a_template_that_would_apply_to_a_sensor_without_thresholds_is_noted(template: str) -> None:
    moving = Moving(thresholds())
    moving.constraints.put(template, a_config(max_value=1))

    line = line_of(moving)

    assert line.prospect is Prospect.NOTHING
    assert line.notes == (f"no thresholds are in force, so the template {template} will apply to it",)


def test_constraints_that_did_not_come_from_the_tables_and_differ_are_a_conflict() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.constraints.put(moving.scope(), a_config(max_value=8.5, cooldown_seconds=60))

    line = line_of(moving)

    assert line.prospect is Prospect.CONFLICT
    assert line.notes == (
        "value_constraints.max_value: 9 expected, 8.5 found",
        "cooldown_seconds: 300 expected, 60 found",
    )


def test_equivalent_constraints_that_did_not_come_from_the_tables_are_unchanged() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.constraints.put(moving.scope(), a_config(max_value=9))

    assert line_of(moving).prospect is Prospect.UNCHANGED


def test_constraints_where_no_thresholds_are_in_force_are_a_conflict() -> None:
    moving = Moving(thresholds())
    moving.constraints.put(moving.scope(), a_config(max_value=9))

    assert line_of(moving).prospect is Prospect.CONFLICT


def test_open_constraints_where_no_thresholds_are_in_force_are_none() -> None:
    moving = Moving(thresholds())
    moving.constraints.put(moving.scope(), a_config())

    assert line_of(moving).prospect is Prospect.NOTHING


def test_constraints_that_were_changed_by_hand_since_are_a_conflict_once_the_thresholds_change_too() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.run()
    moving.change_constraints(max_value=7)

    line = line_of(moving)

    assert (line.prospect, line.notes) == (
        Prospect.CONFLICT,
        ("value_constraints.max_value: 9 expected, 7 found",),
    )


def test_a_difference_beside_the_bounds_is_noted_if_it_is_the_only_one() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.constraints.put(moving.scope(), a_config(max_value=9, metadata={"legacy": {"alert_threshold_id": 1}}))

    line = line_of(moving)

    assert line.prospect is Prospect.CONFLICT
    assert [note.split(":")[0] for note in line.notes] == ["stream_type", "metadata.legacy"]


def test_constraints_that_were_deleted_by_hand_are_a_conflict() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.run()
    moving.constraints.delete(moving.scope())

    line = line_of(moving)

    assert (line.prospect, line.notes) == (
        Prospect.CONFLICT,
        ("its constraints were taken away by hand since they were migrated",),
    )


def test_conflicts_that_are_to_be_overwritten_are_updates_or_removals() -> None:
    moving = Moving(thresholds(1, physical_max=9), thresholds(2))
    for sensor_id in (1, 2):
        moving.constraints.put(moving.scope(sensor_id), a_config(max_value=8))

    assert prospects(moving.plan(overwrite_conflicts=True)) == [Prospect.UPDATE, Prospect.REMOVE]


def test_a_sensor_that_is_part_of_another_device_now_leaves_its_former_stream() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.run()
    moving.tables.put(thresholds(physical_max=9, device_uuid=OTHER_DEVICE))

    line = line_of(moving)

    assert (line.prospect, line.key) == (Prospect.MIGRATE, f"iot/{OTHER_DEVICE}/42")
    assert line.notes == (f"it was {moving.scope()} before; the constraints there are taken away",)


def test_a_sensor_without_thresholds_leaves_its_former_stream_too() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.run()
    moving.tables.put(thresholds(device_uuid=OTHER_DEVICE))

    assert line_of(moving).prospect is Prospect.REMOVE


def test_constraints_of_the_former_stream_that_were_changed_since_stay() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.run()
    moving.change_constraints(max_value=7)
    moving.tables.put(thresholds(physical_max=9, device_uuid=OTHER_DEVICE))

    line = line_of(moving)

    assert line.prospect is Prospect.MIGRATE
    assert line.notes == (f"it was {moving.scope()} before; the constraints there were changed since and stay",)


def test_the_former_stream_may_have_no_constraints_any_more() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.run()
    moving.constraints.delete(moving.scope())
    moving.tables.put(thresholds(physical_max=9, device_uuid=OTHER_DEVICE))

    assert (line_of(moving).prospect, line_of(moving).notes) == (Prospect.MIGRATE, ())


def test_baselines_that_are_newer_are_an_update_where_that_is_asked_for() -> None:
    moving = Moving(thresholds(physical_max=9, latest=LATEST))
    moving.run()
    moving.tables.put(thresholds(physical_max=9, latest=LATEST.__class__(3, LATEST.timestamp + 1)))

    assert prospects(moving.plan()) == [Prospect.UNCHANGED]
    assert prospects(moving.plan(refresh_baselines=True)) == [Prospect.UPDATE]


def test_sensors_with_the_uuid_of_another_are_noted_and_counted() -> None:
    other = UUID.replace("5", "6")
    uuids = {1: UUID, 2: other, 3: UUID, 4: None, 5: None}
    moving = Moving(*(thresholds(number, physical_max=9, uuid=name) for number, name in uuids.items()))
    totals = Totals()

    lines = moving.plan()
    for line in lines:
        totals.add(line)

    note = "sensor 1 has the same UUID: a reading that names its sensor by it goes to one of them; give each its own"
    assert {line.sensor_id: line.notes for line in lines if line.notes} == {3: (note,)}
    assert totals.same_uuid == 1


def test_only_the_selected_sensors_are_looked_at() -> None:
    moving = Moving(*(thresholds(number, physical_max=9) for number in (1, 2, 3)))

    assert [line.sensor_id for line in moving.plan(Selection.of(["1", "3"], ["3"]))] == [1]


def test_totals_count_what_the_lines_say() -> None:
    alerts = (an_alert(1, physical_max=9), an_alert(2, physical_max=8, threshold_max=9), an_alert(3, physical_max=7))
    moving = Moving(SensorThresholds(sensor=a_sensor(1), alerts=alerts), thresholds(2, physical_max=9), thresholds(3))
    totals = Totals((Orphan("alert_thresholds", 1, 99),))

    for line in moving.plan():
        totals.add(line)

    assert totals.sensors == 3
    assert totals.prospects == {Prospect.MIGRATE: 2, Prospect.NOTHING: 1}
    assert (totals.adjusted, totals.with_duplicates, totals.duplicate_rows, len(totals.orphans)) == (0, 1, 2, 1)
