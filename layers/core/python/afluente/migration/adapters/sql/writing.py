"""Writing of a row of thresholds, by the types of its columns."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from afluente.migration.adapters.sql.tables import LegacyTable


def write_row(
    connection: sa.Connection,
    table: sa.Table,
    names: LegacyTable,
    *,
    sensor_id: int,
    replaced: int | None,
    ended: Sequence[int],
    row: Mapping[str, Any] | None,
) -> None:
    """Write a row so that it is the one in force.

    Args:
        connection: in a transaction.
        table: reflected from the database.
        names: of its columns.
        sensor_id: of the sensor.
        replaced: the id of the row to change; None to add one.
        ended: ids of rows that become inactive.
        row: values by classic names; None if none is to be in force.
    """
    if ended:
        inactive = _values(table, names, {"active": False})
        connection.execute(sa.update(table).where(_column(table, names, "id").in_(ended)).values(inactive))
    if row is None:
        return
    values = _values(table, names, {name: value for name, value in row.items() if name != "row_id"})
    if replaced is None:
        connection.execute(sa.insert(table).values(values | _values(table, names, {"sensor_id": sensor_id})))
    else:
        # It is active already, and its column may have another word for that.
        del values[_column(table, names, "active").key]
        connection.execute(sa.update(table).where(_column(table, names, "id") == replaced).values(values))


def _values(table: sa.Table, names: LegacyTable, row: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: _column(table, names, name) for name in row}
    return {columns[name].key: _as(columns[name].type, name, value) for name, value in row.items()}


def _column(table: sa.Table, names: LegacyTable, classic: str) -> "sa.Column[Any]":
    written = names.column_name(classic).lower()
    # Databases fold the case of names in different ways.
    return next(column for column in table.columns if column.name.lower() == written)


def _as(kind: "sa.types.TypeEngine[Any]", name: str, value: Any) -> Any:
    """A value that fits the type of its column."""
    if name == "updated_at":
        return _moment(kind, value)
    if value is None or isinstance(kind, sa.Boolean):
        return value
    if isinstance(kind, sa.Integer):
        return round(value)
    if isinstance(value, bool) and isinstance(kind, sa.Numeric):
        return int(value)
    return value


def _moment(kind: "sa.types.TypeEngine[Any]", timestamp: float) -> datetime | float | str | None:
    if timestamp == 0:
        return None  # the row does not say
    if isinstance(kind, sa.Integer):
        return round(timestamp)
    if isinstance(kind, sa.Numeric):
        return timestamp
    moment = datetime.fromtimestamp(timestamp, tz=UTC)
    if isinstance(kind, sa.DateTime):
        return moment if kind.timezone else moment.replace(tzinfo=None)
    return moment.isoformat()
