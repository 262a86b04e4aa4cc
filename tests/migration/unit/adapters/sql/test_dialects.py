"""The statements as the databases get them; SQL Server's, which no test here has, by their text."""

from typing import Any

import pytest
import sqlalchemy as sa

from afluente.migration.adapters.sql.names import TableNames
from afluente.migration.adapters.sql.tables import LegacySchema
from afluente.migration.domain.thresholds import Sensor

DIALECTS: dict[str, Any] = {name: sa.dialects.registry.load(name)() for name in ("mssql", "postgresql", "sqlite")}
SCHEMA = LegacySchema(
    TableNames.read({"schema": "dbo", "alert_thresholds": {"table": "Alert Thresholds", "active": "IsOn"}})
)


def text_of(statement: sa.Executable, dialect: str) -> str:
    compiled = statement.compile(dialect=DIALECTS[dialect], compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
    return " ".join(str(compiled).split())


def statements() -> dict[str, sa.Executable]:
    return {
        "sensors by id": SCHEMA.sensors_by_id([1, 2]),
        "sensors by uuid": SCHEMA.sensors_by_uuid(["a", "b"]),
        "first page": SCHEMA.sensors_after(None, 500),
        "next page": SCHEMA.sensors_after(7, 500),
        "count": SCHEMA.count_of_sensors(),
        "alerts": SCHEMA.rows_of(SCHEMA.alerts, [1]),
        "deltas": SCHEMA.rows_of(SCHEMA.deltas, [1]),
        "latest": SCHEMA.rows_of(SCHEMA.latest, [1]),
        "orphans": SCHEMA.rows_without_sensor(SCHEMA.alerts),
        "locked": SCHEMA.locked_rows_of(SCHEMA.alerts, Sensor(sensor_id=1)),
    }


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("statement", statements())
def test_every_statement_compiles_for_every_database(dialect: str, statement: str) -> None:
    text = text_of(statements()[statement], dialect)

    assert text.startswith("SELECT ")
    assert "FROM dbo." in text or "FROM [dbo]." in text


def test_sql_server_pages_by_top_and_finds_uuids_in_any_case_and_quotes_names() -> None:
    page = text_of(SCHEMA.sensors_after(7, 500), "mssql")
    by_uuid = text_of(SCHEMA.sensors_by_uuid(["a"]), "mssql")
    alerts = text_of(SCHEMA.rows_of(SCHEMA.alerts, [1, 2]), "mssql")

    assert page.startswith("SELECT TOP 500 ")
    assert page.endswith("WHERE dbo.sensors.id > 7 ORDER BY dbo.sensors.id")
    assert "lower(CAST(dbo.sensors.uuid AS VARCHAR(36))) IN ('a')" in by_uuid
    assert "LEFT OUTER JOIN dbo.devices ON dbo.sensors.device_id = dbo.devices.id" in by_uuid
    assert "dbo.[Alert Thresholds].[IsOn] AS active" in alerts
    assert alerts.endswith("WHERE dbo.[Alert Thresholds].sensor_id IN (1, 2)")


def test_rows_that_are_to_be_written_are_locked_in_each_database_s_own_way() -> None:
    locked = SCHEMA.locked_rows_of(SCHEMA.alerts, Sensor(sensor_id=1))

    assert "FROM dbo.[Alert Thresholds] WITH (UPDLOCK) WHERE" in text_of(locked, "mssql")
    assert text_of(locked, "postgresql").endswith("FOR UPDATE")
