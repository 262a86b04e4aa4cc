"""The legacy tables of the classifier: connected late, connected anew, and logged when they are unavailable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from afluente.application.errors import UnavailableError
from afluente.domain.faults import Fault, FaultCode
from afluente.migration.adapters.sql.engine import legacy_engine
from afluente.migration.adapters.sql.legacy_tables import SqlLegacyTables
from afluente.runtime.migration.legacy_tables import ConnectedTables, ContradictionLog
from tests.factories import a_key
from tests.migration.legacy_service import a_legacy_service, create_tables, fill
from tests.migration.thresholds import thresholds

SERVICE = a_legacy_service(36)


class Database:
    """A file with the legacy tables; what leads to it can be wrong."""

    def __init__(self, file: Path) -> None:
        self.url = f"sqlite:///{file}"
        self.connected = 0
        engine = legacy_engine(self.url)
        create_tables(engine)
        fill(engine, SERVICE)
        engine.dispose()

    def connect(self) -> SqlLegacyTables:
        self.connected += 1
        return SqlLegacyTables(legacy_engine(self.url))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "legacy.db")


@pytest.fixture
def tables(database: Database) -> Iterator[ConnectedTables]:
    tables = ConnectedTables(database.connect)
    yield tables
    tables._disconnect()


def test_questions_are_answered_by_one_connection(database: Database, tables: ConnectedTables) -> None:
    assert database.connected == 0
    first = SERVICE.sensors[0]

    assert tables.find([first.sensor.key]) == {first.sensor.key: first}
    assert tables.count() == 36
    assert tables.sensors(after=1_001, limit=2) == list(SERVICE.sensors[1:3])
    assert tables.orphans() == SERVICE.orphans
    tables.write(thresholds(1_001, physical_max=1))

    assert database.connected == 1
    assert tables.sensors(limit=1)[0].alert != first.alert


def test_a_database_that_is_away_is_logged_and_connected_anew(
    database: Database, tables: ConnectedTables, log: list[dict[str, Any]]
) -> None:
    url, database.url = database.url, "sqlite:////no/such/folder/legacy.db"
    for _ in range(2):
        with pytest.raises(UnavailableError):
            tables.count()

    assert [line["code"] for line in log] == ["LEGACY_TABLES_UNAVAILABLE"] * 2
    database.url = url
    assert (tables.count(), tables.count()) == (36, 36)
    assert (database.connected, len(log)) == (3, 2)


def test_a_stream_whose_thresholds_contradict_each_other_is_logged_once(log: list[dict[str, Any]]) -> None:
    faults = (Fault(FaultCode.IMPOSSIBLE, "alert_thresholds.warning_min", "above warning_max"),)
    log_contradiction = ContradictionLog()

    for key in (a_key("1"), a_key("1"), a_key("2")):
        log_contradiction(key, faults)

    assert [(line["code"], line["stream"]) for line in log] == [
        ("THRESHOLDS_CONTRADICT", "iot/furnace-1/1"),
        ("THRESHOLDS_CONTRADICT", "iot/furnace-1/2"),
    ]
    assert log[0]["columns"] == ["alert_thresholds.warning_min"]
