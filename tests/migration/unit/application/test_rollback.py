"""Rollback: what moving wrote goes, what anybody changed stays."""

from typing import Any

import pytest

from afluente.migration.application import rollback
from afluente.migration.application.records import NOTHING_THERE, Prospect, Status
from afluente.migration.application.rollback import Reverted
from afluente.migration.application.selection import Selection
from tests.factories import a_config
from tests.migration.moving import Moving
from tests.migration.thresholds import DEVICE, UUID, thresholds


def moved(*sensor_ids: int) -> Moving:
    moving = Moving(*(thresholds(number, physical_max=9) for number in sensor_ids or (42,)))
    moving.run()
    return moving


def outcomes(moving: Moving, *, overwrite_conflicts: bool = False) -> list[tuple[int, Reverted]]:
    return [(its.record.sensor_id, its.outcome) for its in moving.roll_back(overwrite_conflicts=overwrite_conflicts)]


def test_what_moving_wrote_goes() -> None:
    moving = moved()

    assert outcomes(moving) == [(42, Reverted.REMOVED)]
    assert dict(moving.constraints.list()) == {}
    assert (moving.record().status, moving.record().constraints_hash) == (Status.ROLLED_BACK, NOTHING_THERE)


def test_a_line_of_the_report_has_the_outcome_for_a_sensor_and_the_reason() -> None:
    moving = moved()
    moving.change_constraints(max_value=7)

    (kept,) = moving.roll_back()

    assert kept.line == rollback.RolledBackLine(42, moving.scope(), Reverted.CONFLICT, kept.reason)
    assert rollback.RolledBackLine.__struct_fields__ == rollback.COLUMNS


def test_the_directory_stays() -> None:
    moving = moved()
    moving.roll_back()

    assert set(moving.directory.entries) == {42}


def test_it_can_be_moved_again_afterwards() -> None:
    moving = moved()
    moving.roll_back()

    assert moving.run().counts == {Prospect.MIGRATE: 1}
    assert moving.config() is not None


def test_a_second_rollback_finds_nothing() -> None:
    moving = moved()
    moving.roll_back()

    assert moving.roll_back() == []


def test_what_was_changed_by_hand_stays_unless_it_is_to_go() -> None:
    moving = moved()
    moving.change_constraints(max_value=7)

    (kept,) = moving.roll_back()
    assert (kept.outcome, kept.reason) == (Reverted.CONFLICT, "they were changed by hand since the migration")
    assert moving.config() is not None
    assert moving.record().status is Status.MIGRATED

    assert outcomes(moving, overwrite_conflicts=True) == [(42, Reverted.REMOVED)]
    assert moving.config() is None


def test_what_is_changed_by_hand_at_the_very_moment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    moving = moved()
    delete = moving.constraints.delete

    def overtaken(scope: str, **options: Any) -> bool:
        moving.change_constraints(max_value=7)
        return delete(scope, **options)

    monkeypatch.setattr(moving.constraints, "delete", overtaken)
    (kept,) = moving.roll_back()

    assert kept.outcome is Reverted.CONFLICT
    assert moving.config() is not None
    assert moving.record().status is Status.MIGRATED


def test_what_was_written_by_hand_where_nothing_was_moved_stays() -> None:
    moving = Moving(thresholds())
    moving.run()
    moving.change_constraints(max_value=7)

    (kept,) = moving.roll_back()

    assert (kept.outcome, kept.reason) == (Reverted.CONFLICT, "they were written by hand since the migration")


def test_what_was_changed_by_hand_stays_though_the_legacy_tables_have_followed() -> None:
    moving = moved()
    moving.change_constraints(max_value=7)
    moving.sync()

    (kept,) = moving.roll_back()

    assert kept.reason == "they were changed by hand, and the legacy tables have followed"


def test_what_was_there_before_stays_in_any_case() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.constraints.put(moving.scope(), a_config(max_value=9))
    moving.run()

    assert outcomes(moving, overwrite_conflicts=True) == [(42, Reverted.KEPT)]
    assert moving.config() is not None


def test_where_nothing_is_nothing_is_deleted() -> None:
    moving = Moving(thresholds())
    moving.run()

    assert outcomes(moving) == [(42, Reverted.NOTHING)]
    assert moving.record().status is Status.ROLLED_BACK


@pytest.mark.parametrize("name", ["2", UUID, DEVICE])
def test_only_the_selected_sensors_are_rolled_back(name: str) -> None:
    moving = Moving(
        thresholds(1, physical_max=9, uuid="u1", device_uuid="d1"), thresholds(2, physical_max=9, uuid=UUID)
    )
    moving.run()

    assert [its.record.sensor_id for its in moving.roll_back(Selection.of([name]))] == [2]
    assert [scope for scope, _ in moving.constraints.list()] == ["iot/d1/1"]


def test_many_sensors_are_rolled_back_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback, "PAGE", 2)
    moving = moved(*range(1, 6))

    assert outcomes(moving) == [(number, Reverted.REMOVED) for number in range(1, 6)]
    assert dict(moving.constraints.list()) == {}
