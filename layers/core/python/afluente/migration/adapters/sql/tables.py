"""The legacy tables for SQLAlchemy: statements by name, whatever the types of the columns.

Rows have the values of the driver; `afluente.migration.adapters.sql.rows` decodes them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import sqlalchemy as sa

from afluente.migration.adapters.sql.names import TableName, TableNames
from afluente.migration.domain.thresholds import Sensor

Statement: TypeAlias = "sa.Select[*tuple[Any, ...]]"

# A number in a key need not fit the column: drivers that cast parameters are to cast it to a wide type.
_IDS = frozenset({"id", "sensor_id", "device_id"})


class LegacyTable:
    """A table, its columns by their classic names.

    Attributes:
        clause: as a part of a statement.
        name: with its schema, for messages.
    """

    def __init__(self, name: TableName, schema: str | None) -> None:
        self.name = f"{schema}.{name.table}" if schema else name.table
        self._names = name.columns
        types = {classic: sa.BigInteger() if classic in _IDS else sa.types.NULLTYPE for classic in self._names}
        columns = [sa.column(self._names[classic], types[classic]) for classic in self._names]
        self.clause = sa.table(name.table, *columns, schema=schema)

    def __getitem__(self, classic: str) -> "sa.ColumnElement[object]":
        """A column."""
        return self.clause.c[self._names[classic]]

    def column_name(self, classic: str) -> str:
        """The name of a column."""
        return self._names[classic]

    def columns(self) -> "Iterator[sa.ColumnElement[object]]":
        """All columns, labelled with their classic names."""
        return (self[classic].label(classic) for classic in self._names)


class LegacySchema:
    """The legacy tables, and the statements that read them."""

    def __init__(self, names: TableNames) -> None:
        schema = names.db_schema
        self.alerts = LegacyTable(names.alert_thresholds, schema)
        self.deltas = LegacyTable(names.delta_thresholds, schema)
        self.latest = LegacyTable(names.sensor_readings_latest, schema)
        self.sensors = LegacyTable(names.sensors, schema)
        self.devices = LegacyTable(names.devices, schema)

    def sensors_by_id(self, ids: Iterable[int]) -> Statement:
        """The sensors of some ids."""
        return self._sensors().where(self.sensors["id"].in_(list(ids)))

    def sensors_by_uuid(self, uuids: Iterable[str]) -> Statement:
        """The sensors of some UUIDs in lower case with dashes.

        The column may have texts in any case, with dashes or without, or values of a UUID type.
        """
        forms = {form: None for name in uuids for form in (name, name.replace("-", ""))}
        written = sa.func.lower(sa.cast(self.sensors["uuid"], sa.String(36)))
        return self._sensors().where(written.in_(list(forms)))

    def sensors_after(self, after: int | None, limit: int) -> Statement:
        """A page of sensors, by ascending id."""
        page = self._sensors().order_by(self.sensors["id"]).limit(limit)
        return page if after is None else page.where(self.sensors["id"] > after)

    def count_of_sensors(self) -> Statement:
        """The number of sensors."""
        return sa.select(sa.func.count()).select_from(self.sensors.clause)

    @staticmethod
    def rows_of(table: LegacyTable, sensor_ids: Iterable[int]) -> Statement:
        """All rows of some sensors in a table."""
        return sa.select(*table.columns()).where(table["sensor_id"].in_(list(sensor_ids)))

    def locked_rows_of(self, table: LegacyTable, sensor: Sensor) -> Statement:
        """All rows of a sensor in a table, locked until the transaction ends."""
        # SQL Server has no FOR UPDATE, but a hint.
        return (
            self.rows_of(table, [sensor.sensor_id]).with_for_update().with_hint(table.clause, "WITH (UPDLOCK)", "mssql")
        )

    def rows_without_sensor(self, table: LegacyTable) -> Statement:
        """The rows of a table whose sensor does not exist, active or not."""
        sensors = self.sensors
        joined = table.clause.outerjoin(sensors.clause, table["sensor_id"] == sensors["id"])
        columns = (table[name].label(name) for name in ("id", "sensor_id", "active"))
        return sa.select(*columns).select_from(joined).where(sensors["id"].is_(None)).order_by(table["id"])

    def _sensors(self) -> Statement:
        sensors, devices = self.sensors, self.devices
        joined = sensors.clause.outerjoin(devices.clause, sensors["device_id"] == devices["id"])
        columns = (sensors[name].label(name) for name in ("id", "uuid", "sensor_type"))
        return sa.select(*columns, devices["uuid"].label("device_uuid")).select_from(joined)


def missing_names(inspector: sa.Inspector, names: TableNames) -> list[str]:
    """The tables and columns that do not exist, a sentence each with a hint."""
    found = []
    schema = names.db_schema
    # Names are case-sensitive in PostgreSQL alone: elsewhere another case is not what is wrong.
    folded: Callable[[str], str] = str if inspector.dialect.name == "postgresql" else str.lower
    for classic, name in names.tables.items():
        if not inspector.has_table(name.table, schema=schema):
            where = f"schema {schema}" if schema else "the user's schema"
            found.append(f"there is no table {name.table} in {where}: name it as {classic}.table")
            continue
        there = {folded(column["name"]) for column in inspector.get_columns(name.table, schema=schema)}
        found += [
            f"table {name.table} has no column {column}: name it as {classic}.{meaning}"
            for meaning, column in name.columns.items()
            if folded(column) not in there
        ]
    return found
