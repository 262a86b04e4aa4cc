"""Dual write: a change by either side reaches the other, once; what cannot be both is settled and kept."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.domain.constraints import Baseline, StreamConfig
from afluente.migration.adapters.memory import MemoryLegacyTables
from afluente.migration.application import dual_write, pages
from afluente.migration.application.dual_write import TooManyDeletedError
from afluente.migration.application.ports import RowRejectedError
from afluente.migration.application.records import NOTHING_THERE, Origin, Prospect, SyncPass
from afluente.migration.domain.mapping import classify_alike
from afluente.migration.domain.thresholds import SensorThresholds
from tests.factories import NOW, a_config
from tests.migration.moving import LATEST, Moving
from tests.migration.thresholds import DEVICE, thresholds

OTHER_DEVICE = "1" + DEVICE[1:]


def moved(*sensor_ids: int, **columns: Any) -> Moving:
    columns = columns or {"physical_max": 9.0, "abs_delta": 1.0}
    moving = Moving(*(thresholds(number, latest=LATEST, **columns) for number in sensor_ids or (42,)))
    moving.run()
    return moving


def agree(moving: Moving, sensor_id: int = 42) -> bool:
    return classify_alike(moving.of_sensor(sensor_id), moving.config(sensor_id))


def counts_of(done: SyncPass) -> dict[str, int]:
    """The counts that are not 0, but for how many sensors there were."""
    names = (
        "to_constraints",
        "to_tables",
        "settled",
        "conflicts",
        "impossible",
        "rejected",
        "postponed",
        "without_record",
    )
    return {name: getattr(done, name) for name in names if getattr(done, name)}


def is_quiet(moving: Moving) -> bool:
    """True if another pass finds nothing to do: no change is carried back."""
    before = moving.everything(), moving.of_sensor()
    return counts_of(moving.sync()) == {} and (moving.everything(), moving.of_sensor()) == before


# --- one side --------------------------------------------------------------------------------------------------------


def test_where_nothing_changed_nothing_is_written() -> None:
    moving = moved(1, 2)

    done = moving.sync()

    assert (done.sensors, done.changes, done.finished_at) == (2, 0, NOW + 1)
    assert moving.constraints.fetch([moving.scope(1)])[moving.scope(1)].version == 1


def test_a_change_of_the_thresholds_reaches_the_constraints() -> None:
    moving = moved()
    moving.change_thresholds(physical_max=8)

    assert counts_of(moving.sync()) == {"to_constraints": 1}
    assert moving.config() == msgspec.structs.replace(
        a_config(max_value=8, stream_id="42", source_id=DEVICE, stream_type="temperature"),
        metadata={"legacy": {"sensor_uuid": moving.of_sensor().sensor.uuid, "alert_threshold_id": 84}},
    )
    assert moving.record().origin is Origin.LEGACY_TABLES
    assert is_quiet(moving)


def test_a_change_of_the_constraints_reaches_the_thresholds() -> None:
    moving = moved()
    moving.change_constraints(max_value=8.5, warning_max=7)

    assert counts_of(moving.sync()) == {"to_tables": 1}
    alert = moving.of_sensor().alert
    assert alert is not None
    assert (alert.physical_max, alert.warning_max, alert.row_id) == (8.5, 7, 84)
    assert alert.updated_at == moving.clock.now
    assert moving.record().origin is Origin.CONSTRAINTS
    assert agree(moving)
    assert is_quiet(moving)


def test_what_was_carried_over_is_equal_for_a_verification_and_a_run() -> None:
    moving = moved()
    moving.change_constraints(max_value=8.5)
    moving.sync()

    assert [found.differences for found in moving.verify()] == [()]
    assert moving.run().counts == {Prospect.UNCHANGED: 1}


def test_the_baseline_stays() -> None:
    moving = moved()
    moving.change_thresholds(physical_max=8)
    moving.sync()

    found = moving.constraints.fetch([moving.scope()])[moving.scope()]
    assert found.baseline == moving.record().baseline == Baseline(LATEST.timestamp, LATEST.value)


def test_what_people_keep_beside_their_constraints_stays() -> None:
    moving = moved()
    config = moving.config() or StreamConfig()
    moving.constraints.put(moving.scope(), msgspec.structs.replace(config, metadata={"owner": "plant 7"}))
    moving.sync()
    moving.change_thresholds(physical_max=8)

    moving.sync()

    assert (moving.config() or StreamConfig()).metadata["owner"] == "plant 7"


def test_thresholds_that_are_no_longer_in_force_take_the_constraints_away() -> None:
    moving = moved()
    moving.change_thresholds()

    assert counts_of(moving.sync()) == {"to_constraints": 1}
    assert moving.config() is None
    assert is_quiet(moving)


def test_thresholds_that_come_back_bring_the_constraints_back() -> None:
    moving = moved()
    moving.change_thresholds()
    moving.sync()
    moving.change_thresholds(physical_max=7)

    assert counts_of(moving.sync()) == {"to_constraints": 1}
    assert agree(moving)


def test_deleted_constraints_put_the_thresholds_out_of_force() -> None:
    moving = moved()
    moving.constraints.delete(moving.scope())

    assert counts_of(moving.sync()) == {"to_tables": 1}
    assert (moving.of_sensor().alert, moving.of_sensor().delta) == (None, None)
    assert len(moving.of_sensor().alerts) == 1
    assert is_quiet(moving)


def test_constraints_of_a_sensor_without_thresholds_reach_the_tables() -> None:
    moving = Moving(thresholds())
    moving.run()
    moving.change_constraints(max_value=5)

    assert counts_of(moving.sync()) == {"to_tables": 1}
    assert agree(moving)
    assert is_quiet(moving)


def test_thresholds_of_a_sensor_that_had_none_reach_the_constraints_with_a_baseline() -> None:
    moving = Moving(thresholds())
    moving.run()
    moving.tables.put(thresholds(physical_max=5, latest=LATEST))

    assert counts_of(moving.sync()) == {"to_constraints": 1}
    assert moving.record().baseline == Baseline(LATEST.timestamp, LATEST.value)


def test_a_write_of_the_same_values_is_no_change() -> None:
    moving = moved()
    moving.change_thresholds(physical_max=9.0, abs_delta=1.0, at=NOW + 50)
    config = moving.config()
    assert config is not None
    moving.constraints.put(moving.scope(), config)

    assert is_quiet(moving)


def test_changed_thresholds_that_contradict_each_other_stay_and_are_noted() -> None:
    moving = moved()
    before = moving.config()
    moving.change_thresholds(physical_min=2, physical_max=1)

    done = moving.sync()

    assert (counts_of(done), moving.config()) == ({"impossible": 1}, before)
    assert "alert_thresholds.physical_min" in done.notes[0]
    moving.change_thresholds(physical_max=1)
    assert counts_of(moving.sync()) == {"to_constraints": 1}


def test_fields_without_a_column_are_noted_and_make_no_loop() -> None:
    moving = moved()
    config = a_config(max_value=8, abs_delta=1, metadata={"owner": "plant 7"})
    moving.constraints.put(moving.scope(), config)

    done = moving.sync()

    assert done.notes == ("sensor 42: the legacy tables have no room for metadata.owner",)
    assert is_quiet(moving)


# --- both at once ----------------------------------------------------------------------------------------------------


def test_constraints_that_change_while_they_are_written_wait_for_the_next_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    moving = moved()
    moving.change_thresholds(physical_max=8, at=NOW)
    put, calls = moving.constraints.put, iter(range(9))

    def overtaken(scope: str, config: StreamConfig, **options: Any) -> int:
        if next(calls) == 0:
            put(scope, a_config(max_value=7, abs_delta=1))
        return put(scope, config, **options)

    monkeypatch.setattr(moving.constraints, "put", overtaken)

    assert counts_of(moving.sync()) == {"postponed": 1}
    # No work is lost: it is a conflict now, which is kept.
    assert counts_of(moving.sync()) == {"conflicts": 1, "to_tables": 1}
    assert [conflict.winner for conflict in moving.records.conflicts()] == [Origin.CONSTRAINTS]
    assert agree(moving)
    assert is_quiet(moving)


def test_thresholds_that_change_while_they_are_written_wait_for_the_next_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    moving = moved()
    moving.change_constraints(max_value=8)
    write, calls = moving.tables.write, iter(range(9))

    def overtaken(rows: SensorThresholds, **options: Any) -> bool:
        if next(calls) == 0:
            moving.change_thresholds(physical_max=7, at=NOW + 99)
        return write(rows, **options)

    monkeypatch.setattr(moving.tables, "write", overtaken)

    assert counts_of(moving.sync()) == {"postponed": 1}
    assert counts_of(moving.sync()) == {"conflicts": 1, "to_constraints": 1}
    assert [conflict.winner for conflict in moving.records.conflicts()] == [Origin.LEGACY_TABLES]
    assert agree(moving)
    assert is_quiet(moving)


# --- what the tables cannot hold -------------------------------------------------------------------------------------


class RoundingTables(MemoryLegacyTables):
    """Tables whose columns hold whole numbers."""

    def write(self, thresholds: SensorThresholds, *, expected: SensorThresholds | None = None) -> bool:
        rounded = [
            msgspec.structs.replace(row, physical_max=row.physical_max and float(round(row.physical_max)))
            for row in thresholds.alerts
        ]
        return super().write(msgspec.structs.replace(thresholds, alerts=tuple(rounded)), expected=expected)


class LosingTables(MemoryLegacyTables):
    """Tables that make of any row one that contradicts itself."""

    def write(self, thresholds: SensorThresholds, *, expected: SensorThresholds | None = None) -> bool:
        wrong = [msgspec.structs.replace(row, physical_min=9, physical_max=1) for row in thresholds.alerts]
        return super().write(msgspec.structs.replace(thresholds, alerts=tuple(wrong)), expected=expected)


class ForgettingTables(MemoryLegacyTables):
    """Tables that keep no row."""

    def write(self, thresholds: SensorThresholds, *, expected: SensorThresholds | None = None) -> bool:
        return super().write(msgspec.structs.replace(thresholds, alerts=(), deltas=()), expected=expected)


@pytest.mark.parametrize(
    ("tables", "lost"),
    [
        (RoundingTables, "value_constraints.max_value 8.4: it is 8.0 there"),
        (LosingTables, "alert_thresholds.physical_min"),
        (ForgettingTables, "constraints some: it is None there"),
    ],
)
def test_columns_that_are_narrower_than_a_number_are_noted_and_make_no_loop(
    tables: type[MemoryLegacyTables], lost: str
) -> None:
    moving = moved(physical_max=9.0)
    moving.tables = tables([moving.of_sensor()])
    moving.change_constraints(max_value=8.4)

    done = moving.sync()

    assert done.to_tables == 1
    assert lost in done.notes[0]
    assert is_quiet(moving)


def test_a_run_keeps_a_value_that_a_column_has_rounded_unless_conflicts_are_overwritten() -> None:
    moving = moved(physical_max=9.0)
    moving.tables = RoundingTables([moving.of_sensor()])
    moving.change_constraints(max_value=8.4)
    moving.sync()

    assert [line.prospect for line in moving.plan()] == [Prospect.UNCHANGED]
    assert [line.prospect for line in moving.plan(overwrite_conflicts=True)] == [Prospect.UPDATE]
    moving.change_thresholds(physical_max=7)
    assert [line.prospect for line in moving.plan()] == [Prospect.UPDATE]


class NarrowTables(MemoryLegacyTables):
    """Tables whose columns hold two digits."""

    def write(self, thresholds: SensorThresholds, *, expected: SensorThresholds | None = None) -> bool:
        if any(row.physical_max and row.physical_max >= 100 for row in thresholds.alerts):
            raise RowRejectedError("numeric field overflow (22003)")
        return super().write(thresholds, expected=expected)


def test_constraints_that_the_tables_reject_hold_up_no_other_sensor_and_are_retried() -> None:
    moving = moved(1, 2)
    moving.tables = NarrowTables(moving.tables.sensors())
    moving.change_constraints(1, max_value=1000)
    moving.change_constraints(2, max_value=8)

    done = moving.sync()

    assert counts_of(done) == {"rejected": 1, "to_tables": 1}
    assert done.notes == (
        "sensor 1: the legacy tables reject the values of its constraints: numeric field overflow (22003)",
    )
    assert counts_of(moving.sync()) == {"rejected": 1}
    moving.change_constraints(1, max_value=99)
    assert counts_of(moving.sync()) == {"to_tables": 1}
    assert agree(moving, 1)
    assert agree(moving, 2)


def test_constraints_that_win_but_are_rejected_are_one_conflict_not_one_each_pass() -> None:
    moving = moved()
    moving.tables = NarrowTables(moving.tables.sensors())
    moving.change_thresholds(physical_max=8, at=NOW - 100)
    moving.change_constraints(max_value=1000)

    assert counts_of(moving.sync()) == {"conflicts": 1, "rejected": 1}
    assert counts_of(moving.sync()) == {"rejected": 1}
    assert len(list(moving.records.conflicts())) == 1


def test_a_written_row_is_never_older_than_the_one_it_replaces() -> None:
    moving = moved()
    moving.change_thresholds(physical_max=9.0, abs_delta=1.0, at=NOW + 9999)
    moving.change_constraints(max_value=8)

    moving.sync()

    assert [row.updated_at for row in moving.of_sensor().alerts] == [NOW + 9999]


# --- both sides ------------------------------------------------------------------------------------------------------


def test_of_two_changes_that_differ_the_later_wins_and_the_other_is_kept() -> None:
    moving = moved()
    moving.change_thresholds(physical_max=8, at=NOW + 100)
    moving.change_constraints(max_value=7)

    done = moving.sync()

    assert counts_of(done) == {"conflicts": 1, "to_constraints": 1}
    assert (moving.config() or StreamConfig()).value_constraints.max_value == 8
    (kept,) = moving.records.conflicts()
    assert (kept.sensor_id, kept.scope, kept.winner) == (42, moving.scope(), Origin.LEGACY_TABLES)
    assert kept.reason == "it was changed later"
    assert kept.lost["value_constraints"] == {"max_value": 7}
    assert done.notes == (
        "sensor 42: changed on both sides, and differently; the legacy tables won: it was changed later",
    )
    assert is_quiet(moving)


def test_constraints_that_were_changed_later_win() -> None:
    moving = moved()
    moving.change_thresholds(physical_max=8, at=NOW - 100)
    moving.change_constraints(max_value=7)

    assert counts_of(moving.sync()) == {"conflicts": 1, "to_tables": 1}
    (kept,) = moving.records.conflicts()
    assert (kept.winner, kept.lost["alert_thresholds"]["physical_max"]) == (Origin.CONSTRAINTS, 8)
    assert "delta_thresholds" not in kept.lost
    assert agree(moving)
    assert is_quiet(moving)


@pytest.mark.parametrize("at", [0.0, NOW], ids=["unknown", "equal"])
def test_where_it_is_not_known_which_was_later_the_legacy_tables_win(at: float) -> None:
    moving = moved()
    moving.change_thresholds(physical_max=8, at=at)
    moving.change_constraints(max_value=7)

    moving.sync()

    (kept,) = moving.records.conflicts()
    assert (kept.winner, kept.reason) == (Origin.LEGACY_TABLES, "which was changed later is not known")


def test_a_deletion_against_a_change_of_the_thresholds_loses() -> None:
    moving = moved()
    moving.change_thresholds(physical_max=8, at=NOW - 100)
    moving.constraints.delete(moving.scope())

    assert counts_of(moving.sync()) == {"conflicts": 1, "to_constraints": 1}
    assert [kept.lost for kept in moving.records.conflicts()] == [None]
    assert agree(moving)


def test_thresholds_that_win_but_contradict_each_other_change_nothing() -> None:
    moving = moved()
    moving.change_thresholds(physical_min=2, physical_max=1, at=NOW + 100)
    moving.change_constraints(max_value=7)

    assert [counts_of(moving.sync()) for _ in range(2)] == [{"impossible": 1}] * 2
    assert (moving.config() or StreamConfig()).value_constraints.max_value == 7
    assert list(moving.records.conflicts()) == []  # nothing was lost


def test_two_changes_to_the_same_are_settled() -> None:
    moving = moved(physical_max=9.0)
    moving.change_thresholds(physical_max=8)
    moving.change_constraints(max_value=8)

    assert counts_of(moving.sync()) == {"settled": 1}
    assert is_quiet(moving)


# --- sensors that come, go and move ----------------------------------------------------------------------------------


def test_sensors_that_no_run_has_moved_are_left_alone() -> None:
    moving = Moving(thresholds(1, physical_max=9), thresholds(2, physical_max=9))
    moving.run()
    moving.roll_back()
    moving.tables.put(thresholds(3, physical_max=9))

    assert counts_of(moving.sync()) == {"without_record": 3}
    assert dict(moving.constraints.list()) == {}


def test_a_deleted_sensor_loses_its_constraints() -> None:
    moving = moved(1, 2)
    moving.tables.remove(1)

    assert counts_of(moving.sync()) == {"to_constraints": 1}
    assert (moving.config(1), moving.record(1).rows_hash) == (None, NOTHING_THERE)
    assert counts_of(moving.sync()) == {}


def test_a_deleted_sensor_wins_against_a_change_which_is_kept() -> None:
    moving = moved()
    moving.tables.remove(42)
    moving.change_constraints(max_value=7)

    assert counts_of(moving.sync()) == {"conflicts": 1, "to_constraints": 1}
    assert moving.config() is None
    assert [kept.lost["value_constraints"]["max_value"] for kept in moving.records.conflicts()] == [7]


def test_a_sensor_that_is_deleted_on_both_sides_is_settled() -> None:
    moving = moved()
    moving.tables.remove(42)
    moving.constraints.delete(moving.scope())

    assert counts_of(moving.sync()) == {"settled": 1}
    assert counts_of(moving.sync()) == {}


def test_a_sensor_that_comes_back_has_its_constraints_again() -> None:
    moving = moved()
    its = moving.of_sensor()
    moving.tables.remove(42)
    moving.sync()
    moving.tables.put(its)

    assert counts_of(moving.sync()) == {"to_constraints": 1}
    assert agree(moving)


def test_many_deleted_sensors_are_refused_as_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dual_write, "SUSPICIOUS", 2)
    monkeypatch.setattr(dual_write, "PAGE", 2)
    moving = moved(*range(1, 11))
    for number in (1, 2, 3):
        moving.tables.remove(number)
    moving.change_thresholds(4, physical_max=8)

    with pytest.raises(TooManyDeletedError) as refused:
        moving.sync()

    assert (refused.value.deleted, refused.value.known) == (3, 10)
    assert len(dict(moving.constraints.list())) == 10
    assert agree(moving, 4)
    assert counts_of(moving.sync(allow_removals=True)) == {"to_constraints": 3}


def test_a_sensor_that_is_part_of_another_device_now_moves_its_constraints() -> None:
    moving = moved()
    moving.tables.put(thresholds(physical_max=9, device_uuid=OTHER_DEVICE))

    assert counts_of(moving.sync()) == {"to_constraints": 1}
    assert [scope for scope, _ in moving.constraints.list()] == [f"iot/{OTHER_DEVICE}/42"]
    assert (moving.record().scope, moving.record().device_uuid) == (f"iot/{OTHER_DEVICE}/42", OTHER_DEVICE)
    assert counts_of(moving.sync()) == {}


def test_constraints_that_are_there_already_for_the_new_stream_stay() -> None:
    moving = moved()
    moving.constraints.put(f"iot/{OTHER_DEVICE}/42", a_config(max_value=1))
    moving.tables.put(thresholds(physical_max=9, device_uuid=OTHER_DEVICE))

    done = moving.sync()

    assert counts_of(done) == {"conflicts": 1}
    assert "there are constraints already" in done.notes[0]
    assert len(dict(moving.constraints.list())) == 2


def test_a_pass_yields_its_counts_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    moving = moved(1, 2, 3)
    passing = dual_write.DualWriting(
        tables=moving.tables, constraints=moving.constraints, records=moving.records, clock=moving.clock
    )

    assert [its.sensors for its in passing.sync()] == [2, 3, 3]


# --- any changes -----------------------------------------------------------------------------------------------------


_bounds = st.fixed_dictionaries({}, optional={"physical_max": st.floats(5, 9), "threshold_max": st.floats(1, 9)})
_changes = st.lists(
    st.tuples(
        st.sampled_from(["tables", "constraints", "delete", "pass"]),
        _bounds,
        st.sampled_from([0.0, NOW - 1, NOW, NOW + 5]),
    ),
    max_size=6,
)


@given(_changes)
def test_whatever_changes_both_sides_are_equivalent_after_a_pass_and_stay_so(changes: list[Any]) -> None:
    moving = moved()
    for side, columns, at in changes:
        if side == "tables":
            moving.change_thresholds(at=at, **columns)
        elif side == "constraints":
            moving.constraints.put(moving.scope(), a_config(max_value=columns.get("physical_max"), abs_delta=2))
        elif side == "delete":
            moving.constraints.delete(moving.scope())
        else:
            moving.sync()

    moving.sync()

    assert agree(moving)
    assert is_quiet(moving)
