"""The legacy tables as a store of constraints, and behind the table of constraints."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.errors import UnavailableError
from afluente.domain.constraints import Baseline, VersionedConfig
from afluente.domain.faults import Fault
from afluente.domain.stream_keys import StreamKey
from afluente.migration.adapters.memory import MemoryLegacyTables
from afluente.migration.adapters.sql.constraints import MigratedFirst, SqlConstraintsManager
from afluente.migration.adapters.sql.engine import legacy_engine
from afluente.migration.adapters.sql.legacy_tables import SqlLegacyTables
from afluente.migration.domain.mapping import to_constraints
from afluente.migration.domain.thresholds import LatestReading, SensorThresholds
from tests.factories import NOW, a_config
from tests.migration.legacy_service import (
    IMPOSSIBLE,
    NOTHING_IN_FORCE,
    LegacyService,
    Shape,
    a_legacy_service,
    create_tables,
    fill,
)
from tests.migration.thresholds import DEVICE, UUID, thresholds

STREAM = f"iot/{DEVICE}/42"

Managing = Callable[[LegacyService], SqlConstraintsManager]


@pytest.fixture
def contradictions() -> list[tuple[str, str]]:
    """Streams whose thresholds contradict each other, each with the columns that do."""
    return []


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def managing(
    request: pytest.FixtureRequest, tmp_path: Path, contradictions: list[tuple[str, str]]
) -> Iterator[Managing]:
    """Makes the manager of tables with the rows of a legacy service."""

    def note(key: StreamKey, faults: Sequence[Fault]) -> None:
        contradictions.append((str(key), ", ".join(fault.field for fault in faults)))

    if request.param == "memory":
        yield lambda service: SqlConstraintsManager(MemoryLegacyTables(service.sensors).find, on_contradiction=note)
        return
    sqlite = f"sqlite:///{tmp_path / 'legacy.db'}"
    engine = legacy_engine(sqlite if request.param == "sqlite" else request.getfixturevalue("postgres").new_database())

    def make(service: LegacyService) -> SqlConstraintsManager:
        create_tables(engine)
        fill(engine, service)
        return SqlConstraintsManager(SqlLegacyTables(engine).find, on_contradiction=note)

    yield make
    engine.dispose()


def holding(*sensors: SensorThresholds) -> LegacyService:
    return LegacyService(sensors, {}, (), ())


def test_constraints_are_the_thresholds_mapped_with_their_time_and_the_last_reading(managing: Managing) -> None:
    its = thresholds(physical_max=9, abs_delta=2, updated_at=NOW + 0.25, latest=LatestReading(5.5, NOW - 60))
    mapped = to_constraints(its)
    assert mapped is not None

    found = managing(holding(its)).fetch([STREAM])

    version = 1_700_000_000_250  # milliseconds
    assert found == {STREAM: VersionedConfig(mapped.config, version, Baseline(NOW - 60, 5.5))}


def test_every_sensor_with_equivalent_constraints_has_them_and_the_others_have_none(
    managing: Managing, contradictions: list[tuple[str, str]]
) -> None:
    service = a_legacy_service(108)
    manager = managing(service)
    scopes = {str(its.sensor.key): service.shapes[its.sensor.sensor_id] for its in service.sensors}

    found = manager.fetch(scopes)

    assert {scope for scope, shape in scopes.items() if shape not in IMPOSSIBLE | NOTHING_IN_FORCE} == set(found)
    message = {scope for scope, shape in scopes.items() if shape in IMPOSSIBLE}
    assert {scope for scope, _ in contradictions} == message
    assert {columns for _, columns in contradictions} == {
        "alert_thresholds.warning_min",
        "delta_thresholds.abs_delta",
    }


def test_thresholds_that_were_never_changed_are_of_version_0_and_without_reading_there_is_no_baseline(
    managing: Managing,
) -> None:
    service = a_legacy_service(72)
    manager = managing(service)
    never, no_latest = service.of(Shape.NEVER_UPDATED)[0].sensor, service.of(Shape.NO_LATEST)[0].sensor

    found = manager.fetch([str(never.key), str(no_latest.key)])

    assert found[str(never.key)].version == 0
    assert found[str(no_latest.key)].baseline is None


def test_a_sensor_has_them_under_every_name_of_its_stream(managing: Managing) -> None:
    manager = managing(holding(thresholds(physical_max=9)))
    names = [f"iot/{source}/{stream}" for source in (DEVICE, "_") for stream in ("42", UUID)]

    assert set(manager.fetch(names)) == set(names)


def test_templates_and_streams_of_other_domains_have_none(managing: Managing) -> None:
    manager = managing(holding(thresholds(physical_max=9)))

    assert manager.fetch(["iot", "iot#temperature", f"health/{DEVICE}/42", "iots/_/42"]) == {}
    assert manager.fetch([]) == {}


# --- behind the table ------------------------------------------------------------------------------------------------


class Thresholds(SqlConstraintsManager):
    """The constraints of one sensor's thresholds; notes the scopes that it is asked for."""

    def __init__(self) -> None:
        tables = MemoryLegacyTables([thresholds(42, physical_max=9)])
        super().__init__(tables.find, on_contradiction=lambda key, faults: None)
        self.asked: list[list[str]] = []

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        self.asked.append(list(scopes))
        return super().fetch(self.asked[-1])


def test_a_stream_that_is_in_the_table_has_moved_and_the_database_is_not_asked_of_it() -> None:
    table, legacy = MemoryConstraints(), Thresholds()
    table.put(STREAM, a_config(max_value=1))
    table.put("iot", a_config(max_value=2))

    found = MigratedFirst(table, legacy).fetch([STREAM, "iot/_/42", "iot"])

    assert {scope: its.config.value_constraints.max_value for scope, its in found.items()} == {
        STREAM: 1,
        "iot/_/42": 9,
        "iot": 2,
    }
    assert legacy.asked == [["iot/_/42"]]


def test_an_unavailable_database_is_an_error_and_not_the_absence_of_thresholds() -> None:
    def away(streams: Iterable[StreamKey]) -> Mapping[StreamKey, SensorThresholds]:
        raise UnavailableError("away")

    table = MemoryConstraints()
    table.put("iot", a_config(max_value=2))
    store = MigratedFirst(table, SqlConstraintsManager(away, on_contradiction=lambda key, faults: None))

    with pytest.raises(UnavailableError):
        store.fetch([STREAM, "iot"])
    assert set(store.fetch(["iot", "iot#temperature"])) == {"iot"}
