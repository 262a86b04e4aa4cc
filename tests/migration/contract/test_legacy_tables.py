"""The contract of `LegacyTables`: in memory, in SQLite, and in a PostgreSQL server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from afluente.domain.stream_keys import StreamKey
from afluente.migration.adapters.memory import MemoryLegacyTables
from afluente.migration.adapters.sql.engine import legacy_engine
from afluente.migration.adapters.sql.errors import WrongTablesError
from afluente.migration.adapters.sql.legacy_tables import IDS_A_STATEMENT, SqlLegacyTables
from afluente.migration.adapters.sql.names import TableNames
from afluente.migration.application.ports import LegacyTables, RowRejectedError
from afluente.migration.domain.thresholds import AlertThresholds, DeltaThresholds, SensorThresholds
from tests.factories import NOW
from tests.migration.legacy_service import (
    LegacyService,
    Shape,
    a_legacy_service,
    create_tables,
    fill,
)
from tests.migration.postgres import PostgresServer
from tests.migration.thresholds import DEVICE, UUID, a_delta, a_sensor, an_alert, thresholds

NOBODY = "11111111-2222-4333-8444-555566667777"

Filled = Callable[[LegacyService], LegacyTables]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """A database, or None for the twin in memory."""
    if request.param == "memory":
        return None
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'legacy.db'}"
    return str(request.getfixturevalue("postgres").new_database())


@pytest.fixture
def filled(url: str | None) -> Iterator[Filled]:
    """Makes tables with the rows of a legacy service."""
    if url is None:
        yield lambda service: MemoryLegacyTables(service.sensors, service.orphans)
        return
    engine = legacy_engine(url)

    def make(service: LegacyService) -> LegacyTables:
        create_tables(engine)
        fill(engine, service)
        return SqlLegacyTables(engine)

    yield make
    engine.dispose()


def holding(*sensors: SensorThresholds) -> LegacyService:
    return LegacyService(sensors, {}, (), ())


def a_stream(stream_id: str, source_id: str = "_", domain: str = "iot") -> StreamKey:
    return StreamKey(domain, source_id, stream_id)


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_sensor_is_found_by_the_stream_of_its_readings_with_all_that_the_tables_hold_of_it(filled: Filled) -> None:
    service = a_legacy_service(72)
    tables = filled(service)

    found = tables.find([its.sensor.key for its in service.sensors])

    assert found == {its.sensor.key: its for its in service.sensors}


@pytest.mark.parametrize("device", [DEVICE, DEVICE.upper(), "_"])
@pytest.mark.parametrize("name", ["42", UUID, UUID.upper()])
def test_a_sensor_is_found_by_id_or_uuid_of_its_device_or_of_none(filled: Filled, name: str, device: str) -> None:
    tables = filled(holding(thresholds(physical_max=9)))
    stream = a_stream(name, device)

    assert tables.find([stream]) == {stream: thresholds(physical_max=9)}


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(a_stream("42", NOBODY), id="of another device"),
        pytest.param(a_stream("43", DEVICE), id="another sensor"),
        pytest.param(a_stream("042", DEVICE), id="a number that no id is written as"),
        pytest.param(a_stream("-42", DEVICE), id="a number below 0"),
        pytest.param(a_stream("9223372036854775807", DEVICE), id="the largest number that an id could be"),
        pytest.param(a_stream("9223372036854775808", DEVICE), id="a larger one"),
        pytest.param(a_stream(NOBODY, DEVICE), id="another UUID"),
        pytest.param(a_stream("temperature", DEVICE), id="neither id nor UUID"),
        pytest.param(a_stream("42' OR 1=1 --", DEVICE), id="SQL"),
        pytest.param(a_stream("42", DEVICE, domain="health"), id="of another domain"),
    ],
)
def test_a_stream_of_no_sensor_is_not_found(filled: Filled, stream: StreamKey) -> None:
    assert filled(holding(thresholds(physical_max=9))).find([stream]) == {}


def test_a_sensor_without_device_is_found_under_none_alone(filled: Filled) -> None:
    tables = filled(holding(thresholds(device_uuid=None, physical_max=9)))

    assert set(tables.find([a_stream("42"), a_stream("42", DEVICE)])) == {a_stream("42")}


def test_sensors_come_by_pages_in_the_order_of_their_ids(filled: Filled) -> None:
    service = a_legacy_service(50)
    tables = filled(service)
    pages = []
    after = None
    while page := tables.sensors(after=after, limit=20):
        pages.append(page)
        after = page[-1].sensor.sensor_id

    assert [len(page) for page in pages] == [20, 20, 10]
    assert [its for page in pages for its in page] == list(service.sensors)
    assert tables.count() == 50


def test_more_sensors_than_a_statement_asks_for_are_found_and_paged(filled: Filled) -> None:
    number = IDS_A_STATEMENT + 3
    service = a_legacy_service(number)
    tables = filled(service)

    assert len(tables.find([its.sensor.key for its in service.sensors])) == number
    assert list(tables.sensors(limit=number)) == list(service.sensors)


def test_nothing_is_found_where_there_is_nothing(filled: Filled) -> None:
    tables = filled(holding())

    assert (tables.find([a_stream("42")]), tables.find([]), tables.sensors(), tables.count()) == ({}, {}, [], 0)
    assert list(tables.orphans()) == []


def test_active_rows_without_a_sensor_are_orphans(filled: Filled) -> None:
    service = a_legacy_service(10)

    assert list(filled(service).orphans()) == list(service.orphans)
    assert {orphan.table for orphan in service.orphans} == {"alert_thresholds", "delta_thresholds"}


# --- writing ---------------------------------------------------------------------------------------------------------


def read(tables: LegacyTables, sensor_id: int = 42) -> SensorThresholds:
    return tables.find([a_stream(str(sensor_id))])[a_stream(str(sensor_id))]


def content(its: SensorThresholds) -> tuple[Any, Any]:
    """The rows in force, but for their ids."""
    return its.alert and _without_id(its.alert), its.delta and _without_id(its.delta)


def _without_id(row: AlertThresholds | DeltaThresholds) -> dict[str, Any]:
    return msgspec.structs.asdict(row) | {"row_id": 0}


AFTER = thresholds(
    physical_min=-5.5,
    threshold_max=8.25,
    consecutive_violations=2,
    cooldown_seconds=60.0,
    abs_delta=1.5,
    updated_at=NOW,
)


def test_the_rows_in_force_are_changed_in_place(filled: Filled) -> None:
    tables = filled(holding(thresholds(physical_max=9, warning_max=5, rel_delta=3, updated_at=NOW - 9)))

    tables.write(AFTER)

    after = read(tables)
    assert content(after) == content(AFTER)
    assert ([row.row_id for row in after.alerts], [row.row_id for row in after.deltas]) == ([84], [85])


def test_where_there_is_no_row_one_is_added(filled: Filled) -> None:
    # Beside rows of other sensors, whose ids are in use.
    service = a_legacy_service(40)
    (bare, *_) = service.of(Shape.NO_THRESHOLDS)
    tables = filled(service)

    tables.write(msgspec.structs.replace(AFTER, sensor=bare.sensor))

    assert content(read(tables, bare.sensor.sensor_id)) == content(AFTER)


def test_inactive_rows_stay_as_they_are_beside_the_one_that_is_added(filled: Filled) -> None:
    inactive = an_alert(7, physical_max=1.0, active=False, updated_at=NOW + 9)
    tables = filled(holding(SensorThresholds(sensor=a_sensor(), alerts=(inactive,))))

    tables.write(AFTER)

    assert content(read(tables)) == content(AFTER)
    assert inactive in read(tables).alerts


def test_what_is_written_is_in_force_whatever_was_active_before(filled: Filled) -> None:
    newer = (an_alert(7, physical_max=1.0, updated_at=NOW + 9), an_alert(8, physical_max=2.0, updated_at=NOW + 8))
    deltas = (a_delta(3, abs_delta=1.0, updated_at=NOW + 9), a_delta(4, abs_delta=2.0, updated_at=NOW + 9))
    tables = filled(holding(SensorThresholds(sensor=a_sensor(), alerts=newer, deltas=deltas)))

    tables.write(AFTER)

    assert content(read(tables)) == content(AFTER)
    assert [(row.row_id, row.active) for row in read(tables).alerts] == [(7, True), (8, False)]
    assert [(row.row_id, row.active) for row in read(tables).deltas] == [(3, False), (4, True)]


def test_without_a_row_in_force_all_active_ones_become_inactive(filled: Filled) -> None:
    service = a_legacy_service(40)
    tables = filled(service)
    (duplicated, *_) = service.of(Shape.DUPLICATED)
    sensor = duplicated.sensor

    tables.write(SensorThresholds(sensor=sensor))

    after = read(tables, sensor.sensor_id)
    assert content(after) == (None, None)
    assert [row.row_id for row in after.alerts] == [row.row_id for row in duplicated.alerts]
    assert after.latest == duplicated.latest


def test_a_row_of_no_known_time_stays_so(filled: Filled) -> None:
    tables = filled(holding(thresholds(physical_max=9, updated_at=NOW)))

    tables.write(thresholds(physical_max=8.0))

    assert read(tables).updated_at == 0


def test_other_sensors_are_left_alone(filled: Filled) -> None:
    service = a_legacy_service(20)
    tables = filled(service)
    first, *others = service.sensors

    tables.write(msgspec.structs.replace(AFTER, sensor=first.sensor))

    assert tables.sensors()[1:] == others


@pytest.mark.integration
def test_a_number_that_a_column_cannot_hold_is_rejected_and_nothing_is_written(postgres: PostgresServer) -> None:
    engine = legacy_engine(postgres.new_database())
    create_tables(engine)
    fill(engine, holding(thresholds(physical_max=9.0, abs_delta=1.0, updated_at=NOW)))
    tables = SqlLegacyTables(engine)

    with pytest.raises(RowRejectedError, match="numeric field overflow"):
        tables.write(thresholds(physical_max=1e30, abs_delta=2.0, updated_at=NOW))

    assert content(read(tables)) == content(thresholds(physical_max=9.0, abs_delta=1.0, updated_at=NOW))
    engine.dispose()


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["varchar(5)", "numeric(1)", "smallint", "boolean"])
def test_rows_are_put_in_force_and_out_of_it_whatever_the_type_of_their_column(
    postgres: PostgresServer, kind: str
) -> None:
    engine = legacy_engine(postgres.new_database())
    create_tables(engine)
    fill(engine, holding(thresholds(physical_max=9.0, updated_at=NOW - 9)))
    yes_or_no = {"varchar(5)": "CASE WHEN active THEN 'Y' ELSE 'N' END", "boolean": "active"}.get(kind, "active::int")
    with engine.begin() as connection:
        for table in ("alert_thresholds", "delta_thresholds"):
            connection.execute(sa.text(f"ALTER TABLE {table} ALTER active TYPE {kind} USING {yes_or_no}"))
    tables = SqlLegacyTables(engine)

    tables.write(AFTER)
    assert content(read(tables)) == content(AFTER)
    tables.write(SensorThresholds(sensor=a_sensor()))
    assert content(read(tables)) == (None, None)
    engine.dispose()


@pytest.mark.integration
def test_a_column_in_another_case_is_not_the_one_that_was_named(postgres: PostgresServer) -> None:
    engine = legacy_engine(postgres.new_database())
    create_tables(engine)
    with engine.begin() as connection:
        connection.execute(sa.text('ALTER TABLE sensors RENAME uuid TO "Guid"'))

    with pytest.raises(WrongTablesError, match="table sensors has no column guid: name it as"):
        SqlLegacyTables(engine, TableNames.read({"sensors": {"uuid": "guid"}})).sensors()
    engine.dispose()


def test_rows_that_are_as_expected_are_replaced(filled: Filled) -> None:
    before = thresholds(physical_max=9, abs_delta=float("inf"), updated_at=NOW - 9)
    tables = filled(holding(before))

    assert tables.write(AFTER, expected=before) is True
    assert content(read(tables)) == content(AFTER)


@pytest.mark.parametrize("changed", [{"physical_max": 8.0}, {"physical_max": 9.0, "abs_delta": 1.0}, {}])
def test_rows_that_somebody_has_changed_meanwhile_stay(filled: Filled, changed: dict[str, Any]) -> None:
    found = thresholds(**changed, updated_at=NOW)
    tables = filled(holding(found))

    assert tables.write(AFTER, expected=thresholds(physical_max=9.0, updated_at=NOW - 9)) is False
    assert content(read(tables)) == content(found)
