"""A run: what it writes, that it goes on where it was, and that it never writes twice."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.errors import UnavailableError
from afluente.domain.constraints import Baseline, StreamConfig, VersionedConfig
from afluente.migration.application import pages
from afluente.migration.application.assess import Choice
from afluente.migration.application.ports import StaleRunError
from afluente.migration.application.records import (
    NOTHING_THERE,
    Origin,
    Prospect,
    RunProgress,
    SensorRecord,
    Status,
    hash_of_constraints,
    hash_of_rows,
)
from afluente.migration.application.selection import Selection
from afluente.migration.domain.thresholds import LatestReading
from tests.factories import NOW, a_config
from tests.migration.legacy_service import IMPOSSIBLE, NOTHING_IN_FORCE, Shape, a_legacy_service
from tests.migration.moving import ALL, LATEST, Moving
from tests.migration.thresholds import DEVICE, UUID, thresholds

OTHER_DEVICE = "1" + DEVICE[1:]


class KilledError(Exception):
    """The process was killed while it wrote."""


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 3)


def counts_of(progress: RunProgress) -> dict[Prospect, int]:
    return {prospect: count for prospect, count in progress.counts.items() if count}


def of_every_shape() -> Moving:
    service = a_legacy_service(36, seed=7)
    return Moving(*service.sensors, orphans=service.orphans)


# --- what it writes --------------------------------------------------------------------------------------------------


def test_thresholds_become_constraints_with_the_last_reading_as_baseline() -> None:
    moving = Moving(thresholds(physical_max=9, latest=LATEST))

    progress = moving.run()

    config = moving.config()
    assert moving.constraints.fetch([moving.scope()]) == {
        moving.scope(): VersionedConfig(
            a_config(
                stream_id="42",
                source_id=DEVICE,
                stream_type="temperature",
                max_value=9,
                metadata={"legacy": {"sensor_uuid": UUID, "alert_threshold_id": 84}},
            ),
            1,
            Baseline(LATEST.timestamp, LATEST.value),
        )
    }
    assert moving.record() == SensorRecord(
        sensor_id=42,
        uuid=UUID,
        device_uuid=DEVICE,
        scope=moving.scope(),
        status=Status.MIGRATED,
        origin=Origin.LEGACY_TABLES,
        constraints_hash=hash_of_constraints(config),
        rows_hash=hash_of_rows(moving.of_sensor()),
        version=1,
        baseline=Baseline(LATEST.timestamp, LATEST.value),
        run_id="run-1",
        prospect=Prospect.MIGRATE,
        written_at=NOW,
    )
    assert counts_of(progress) == {Prospect.MIGRATE: 1}
    assert (progress.sensors, progress.directory_writes, progress.finished_at) == (1, 1, NOW)


def test_sensors_of_every_shape_are_moved_or_passed_over() -> None:
    service = a_legacy_service(36, seed=7)
    moving = Moving(*service.sensors)

    progress = moving.run()

    impossible, nothing = len(service.of(*IMPOSSIBLE)), len(service.of(*NOTHING_IN_FORCE))
    assert counts_of(progress) == {
        Prospect.MIGRATE: 36 - impossible - nothing,
        Prospect.NOTHING: nothing,
        Prospect.IMPOSSIBLE: impossible,
    }
    assert len(dict(moving.constraints.list())) == 36 - impossible - nothing
    assert [its.sensor_id for its in progress.passed_over] == [its.sensor.sensor_id for its in service.of(*IMPOSSIBLE)]


def test_every_sensor_that_has_a_stream_is_in_the_directory() -> None:
    moving = Moving(
        thresholds(1, physical_min=2, physical_max=1),
        thresholds(2),
        thresholds(3, device_uuid=None),
        thresholds(4, device_uuid="plant/7"),
    )

    moving.run()

    assert {number: entry.device_uuid for number, entry in moving.directory.entries.items()} == {
        1: DEVICE,
        2: DEVICE,
        3: None,
    }


def test_a_second_run_writes_nothing() -> None:
    moving = of_every_shape()
    moving.run()
    before = moving.everything()
    moving.clock.now += 60

    progress = moving.run()

    assert moving.everything() == before
    assert progress.directory_writes == 0
    assert set(counts_of(progress)) == {Prospect.UNCHANGED, Prospect.NOTHING, Prospect.IMPOSSIBLE}


def test_constraints_that_are_written_by_hand_at_the_very_moment_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    moving = Moving(thresholds(1, physical_max=9), thresholds(2, physical_max=9))
    put = moving.constraints.put

    def overtaken(scope: str, config: StreamConfig, **options: Any) -> int:
        if scope == moving.scope(2):
            put(scope, a_config(max_value=5))
        return put(scope, config, **options)

    monkeypatch.setattr(moving.constraints, "put", overtaken)
    progress = moving.run()

    assert counts_of(progress) == {Prospect.MIGRATE: 1, Prospect.CONFLICT: 1}
    assert [its.sensor_id for its in progress.passed_over] == [2]
    assert "at this very moment" in progress.passed_over[0].reasons[0]
    assert moving.config(2) == a_config(max_value=5)
    assert moving.records.fetch([2]) == {}


def test_thresholds_that_changed_are_written_anew_and_keep_the_baseline_and_what_people_noted() -> None:
    moving = Moving(thresholds(physical_max=9, latest=LATEST))
    moving.constraints.put(moving.scope(), a_config(max_value=9, metadata={"owner": "plant 7"}))
    moving.run()
    moving.run(overwrite_conflicts=True)
    moving.change_thresholds(physical_max=8)

    progress = moving.run(overwrite_conflicts=True)

    found = moving.constraints.fetch([moving.scope()])[moving.scope()]
    assert counts_of(progress) == {Prospect.UPDATE: 1}
    assert found.config.value_constraints.max_value == 8
    assert found.config.metadata["owner"] == "plant 7"
    assert found.baseline == Baseline(LATEST.timestamp, LATEST.value)


def test_thresholds_that_are_no_longer_in_force_take_their_constraints_away() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.run()
    moving.change_thresholds()

    progress = moving.run()

    assert counts_of(progress) == {Prospect.REMOVE: 1}
    assert moving.config() is None
    assert (moving.record().constraints_hash, moving.record().version) == (NOTHING_THERE, 0)
    assert counts_of(moving.run()) == {Prospect.NOTHING: 1}


def test_constraints_that_did_not_come_from_the_tables_stay_and_are_reported() -> None:
    moving = Moving(thresholds(physical_max=9))
    moving.constraints.put(moving.scope(), a_config(max_value=8))

    progress = moving.run()

    assert moving.config() == a_config(max_value=8)
    assert moving.records.fetch([42]) == {}
    assert [(its.sensor_id, its.prospect, its.reasons) for its in progress.passed_over] == [
        (42, Prospect.CONFLICT, ("value_constraints.max_value: 9 expected, 8 found",))
    ]


def test_conflicts_are_overwritten_where_that_is_asked_for() -> None:
    moving = Moving(thresholds(1, physical_max=9, latest=LATEST), thresholds(2))
    for sensor_id in (1, 2):
        moving.constraints.put(moving.scope(sensor_id), a_config(max_value=8))

    progress = moving.run(overwrite_conflicts=True)

    assert counts_of(progress) == {Prospect.UPDATE: 1, Prospect.REMOVE: 1}
    assert moving.record(1).baseline == Baseline(LATEST.timestamp, LATEST.value)
    assert moving.config(2) is None
    assert moving.run(overwrite_conflicts=True).directory_writes == 0


def test_equivalent_constraints_get_a_record_and_a_baseline() -> None:
    moving = Moving(thresholds(1, physical_max=9, latest=LATEST), thresholds(2, physical_max=9))
    for sensor_id in (1, 2):
        moving.constraints.put(moving.scope(sensor_id), a_config(max_value=9))

    progress = moving.run()

    found = moving.constraints.fetch([moving.scope(1), moving.scope(2)])
    assert counts_of(progress) == {Prospect.UNCHANGED: 2}
    assert found == {
        moving.scope(1): VersionedConfig(a_config(max_value=9), 2, Baseline(LATEST.timestamp, LATEST.value)),
        moving.scope(2): VersionedConfig(a_config(max_value=9), 1),
    }
    assert (moving.record(1).origin, moving.record(1).version, moving.record(2).version) == (Origin.BEFORE, 2, 1)


def test_newer_readings_become_baselines_where_that_is_asked_for() -> None:
    moving = Moving(thresholds(physical_max=9, latest=LATEST))
    moving.run()
    newer = LatestReading(3, LATEST.timestamp + 5)
    moving.tables.put(thresholds(physical_max=9, latest=newer))
    moving.run()
    assert moving.record().baseline == Baseline(LATEST.timestamp, LATEST.value)

    moving.run(refresh_baselines=True)

    assert moving.record().baseline == Baseline(newer.timestamp, newer.value)
    assert moving.constraints.fetch([moving.scope()])[moving.scope()].baseline == Baseline(newer.timestamp, newer.value)


def test_newer_readings_go_with_thresholds_that_changed_where_that_is_asked_for() -> None:
    moving = Moving(thresholds(physical_max=9, latest=LATEST))
    moving.run()
    newer = LatestReading(3, LATEST.timestamp + 5)
    moving.tables.put(thresholds(physical_max=8, latest=newer))

    moving.run(refresh_baselines=True)

    assert moving.record().baseline == Baseline(newer.timestamp, newer.value)


def test_a_sensor_that_is_part_of_another_device_now_moves() -> None:
    moving = Moving(thresholds(1, physical_max=9), thresholds(2, physical_max=9))
    moving.run()
    moving.tables.put(thresholds(1, physical_max=9, device_uuid=OTHER_DEVICE))
    moving.tables.put(thresholds(2, device_uuid=OTHER_DEVICE))

    progress = moving.run()

    assert [scope for scope, _ in moving.constraints.list()] == [f"iot/{OTHER_DEVICE}/1"]
    assert moving.record(1).scope == f"iot/{OTHER_DEVICE}/1"
    assert moving.directory.entries[1].device_uuid == OTHER_DEVICE
    assert counts_of(progress) == {Prospect.MIGRATE: 1, Prospect.REMOVE: 1}
    assert counts_of(moving.run()) == {Prospect.UNCHANGED: 1, Prospect.NOTHING: 1}


def test_a_change_without_an_effect_is_recorded_without_a_write() -> None:
    moving = Moving(thresholds(physical_max=9, threshold_max=10))
    moving.run()
    moving.change_thresholds(physical_max=9, threshold_max=11)

    progress = moving.run()

    assert counts_of(progress) == {Prospect.UNCHANGED: 1}
    assert moving.record().rows_hash == hash_of_rows(moving.of_sensor())
    assert moving.constraints.fetch([moving.scope()])[moving.scope()].version == 1


def test_only_the_selected_sensors_are_moved() -> None:
    moving = Moving(*(thresholds(number, physical_max=9) for number in range(1, 8)))

    progress = moving.run(Selection.of(["2", "6", "7"], ["7"]))

    assert [scope for scope, _ in moving.constraints.list()] == [moving.scope(2), moving.scope(6)]
    assert progress.sensors == 2
    assert set(moving.directory.entries) == {2, 6}


def test_each_write_is_paced() -> None:
    moving = of_every_shape()
    paces: list[None] = []
    choice = Choice()

    list(moving.migration.go_on(moving.begin(), ALL, choice, pace=lambda: paces.append(None)))

    assert len(paces) == len(dict(moving.constraints.list())) + len(moving.directory.entries)


# --- that it goes on -------------------------------------------------------------------------------------------------


def test_a_run_that_was_broken_off_goes_on_where_it_was() -> None:
    undisturbed, moving = of_every_shape(), of_every_shape()
    whole = undisturbed.run()

    for _ in zip(range(2), moving.migration.go_on(moving.begin(), ALL, Choice()), strict=False):
        pass
    begun = moving.begin()

    assert (begun.run_id, begun.sensors) == ("run-1", 6)
    *_, (ended, _) = moving.migration.go_on(begun, ALL, Choice())
    assert msgspec.structs.replace(ended, version=0) == msgspec.structs.replace(whole, version=0)
    assert moving.everything() == undisturbed.everything()


def writes_of(moving: Moving) -> Iterator[tuple[object, str]]:
    """The writing methods of a run, each with its object."""
    yield from (
        (moving.constraints, "put"),
        (moving.constraints, "delete"),
        (moving.records, "put_many"),
        (moving.records, "save_run"),
        (moving.directory, "put_many"),
    )


def kill_at(moving: Moving, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the run die at its write of that number, before it is done."""
    left = [number]

    def dying(write: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise KilledError
            return write(*arguments, **named)

        return call

    for thing, method in writes_of(moving):
        monkeypatch.setattr(thing, method, dying(getattr(thing, method)))


@pytest.mark.parametrize("number", range(16))
def test_wherever_a_run_is_killed_it_ends_the_same(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    undisturbed, moving = of_changed_sensors(), of_changed_sensors()
    whole = undisturbed.run()

    with monkeypatch.context() as patch:
        kill_at(moving, patch, number)
        with pytest.raises(KilledError):
            moving.run()
    ended = moving.run()

    assert ended.run_id == ("run-3" if number else "run-4")
    assert counts_of(ended) == counts_of(whole)
    assert ended.passed_over == whole.passed_over
    assert without_runs(moving) == without_runs(undisturbed)


def of_changed_sensors() -> Moving:
    """Sensors to migrate, to update, to remove and to move, after two runs."""
    moving = Moving(*(thresholds(number, physical_max=9, latest=LATEST) for number in range(1, 9)))
    moving.run(Selection.of(["1,2,3,4,5"]))
    moving.run(Selection.of(["1,2,3,4,5,6"]))
    moving.change_thresholds(2, physical_max=8)
    moving.change_thresholds(4)
    moving.change_thresholds(5, physical_min=2, physical_max=1)
    moving.tables.put(thresholds(6, physical_max=9, device_uuid=OTHER_DEVICE))
    return moving


def without_runs(moving: Moving) -> dict[str, Any]:
    """All that is written, but for which run it was."""
    everything = moving.everything()
    everything["records"] = {
        number: msgspec.structs.replace(record, run_id="", prospect=Prospect.UNCHANGED)
        for number, record in everything["records"].items()
    }
    return everything


def test_a_run_for_other_sensors_begins_anew() -> None:
    moving = of_every_shape()
    next(iter(moving.migration.go_on(moving.begin(), ALL, Choice())))

    assert moving.begin(Selection.of(["1001"])).sensors == 0
    assert moving.begin(overwrite_conflicts=True).sensors == 0
    assert moving.begin(anew=True).sensors == 0
    assert moving.begin().sensors > 0


def test_after_a_run_that_is_through_the_next_begins_anew() -> None:
    moving = of_every_shape()
    moving.run()

    assert moving.begin().sensors == 0


def test_of_two_runs_at_once_the_first_ends() -> None:
    moving = of_every_shape()
    first = moving.migration.go_on(moving.begin(), ALL, Choice())
    next(first)

    second = moving.migration.go_on(moving.begin(anew=True), ALL, Choice())
    next(second)

    with pytest.raises(StaleRunError):
        next(first)
    assert [progress.run_id for progress, _ in second][-1] == "run-2"


def test_a_table_that_is_away_breaks_the_run_off(monkeypatch: pytest.MonkeyPatch) -> None:
    moving = of_every_shape()

    def put(self: MemoryConstraints, *_: object, **__: object) -> int:
        raise UnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryConstraints, "put", put)
        with pytest.raises(UnavailableError):
            moving.run()

    assert counts_of(moving.run()) == counts_of(of_every_shape().run())


def test_no_shape_is_left_out_of_these_tests() -> None:
    assert set(a_legacy_service(36, seed=7).shapes.values()) == set(Shape)
