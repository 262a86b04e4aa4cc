"""The legacy tables, read in place, and written while both services are in use."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError

from afluente.adapters.aws.calls import in_chunks
from afluente.application.errors import UnavailableError
from afluente.domain.stream_keys import MISSING_SOURCE, StreamKey
from afluente.migration.adapters.sql.engine import is_of_the_values, message_of, unavailable_error
from afluente.migration.adapters.sql.errors import WrongTablesError
from afluente.migration.adapters.sql.names import TableNames
from afluente.migration.adapters.sql.rows import Row, alert_of, delta_of, is_active, latest_of, orphan_of, sensor_of
from afluente.migration.adapters.sql.tables import (
    LegacySchema,
    LegacyTable,
    Statement,
    missing_names,
)
from afluente.migration.adapters.sql.writing import write_row
from afluente.migration.application.ports import Orphan, RowRejectedError
from afluente.migration.application.records import is_in_force
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from afluente.migration.domain.thresholds import (
    AlertThresholds,
    DeltaThresholds,
    LatestReading,
    Sensor,
    SensorThresholds,
)

IDS_A_STATEMENT = 500
"""SQL Server takes 2,100 parameters a statement."""

_MAX_ID = 2**63 - 1
_ID = re.compile(r"0|[1-9][0-9]{0,18}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_Value = TypeVar("_Value")
_Thresholds = TypeVar("_Thresholds", AlertThresholds, DeltaThresholds)


class SqlLegacyTables:
    """Reads and writes the legacy tables.

    Four statements read up to 500 sensors. They are not of one snapshot: a change between two of them is complete at
    the next read.

    Args:
        engine: from `legacy_engine`.
        names: of tables and columns.
    """

    def __init__(self, engine: sa.Engine, names: TableNames | None = None) -> None:
        self._engine = engine
        # Reads are single statements: a transaction would add two messages for nothing.
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._names = names or TableNames()
        self._schema = LegacySchema(self._names)
        self._reflected: dict[str, sa.Table] = {}

    def find(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, SensorThresholds]:
        names = {key: key.stream_id.lower() for key in streams if key.domain == LEGACY_DOMAIN}
        ids = sorted({int(name) for name in names.values() if _is_id(name)})
        uuids = sorted({name for name in names.values() if _UUID.fullmatch(name)})
        # Streams that cannot be of a sensor cost no statement.
        if not ids and not uuids:
            return {}
        with self._connected(self._reading) as connection:
            sensors = [*self._by(self._schema.sensors_by_id, ids, connection)]
            sensors += self._by(self._schema.sensors_by_uuid, uuids, connection)
            complete = self._complete(sensors, connection)
        by_name = {name: its for its in complete for name in (its.sensor.uuid, str(its.sensor.sensor_id))}
        return {key: its for key, name in names.items() if (its := by_name.get(name)) and _is_of_its_device(key, its)}

    def count(self) -> int:
        with self._connected(self._reading) as connection:
            count: int = connection.execute(self._schema.count_of_sensors()).scalar_one()
            return count

    def sensors(self, *, after: int | None = None, limit: int = 500) -> Sequence[SensorThresholds]:
        with self._connected(self._reading) as connection:
            page = [self._sensor(row) for row in _rows(connection, self._schema.sensors_after(after, limit))]
            self._refuse_twins(page)
            return self._complete(page, connection)

    def orphans(self) -> Sequence[Orphan]:
        with self._connected(self._reading) as connection:
            return [
                orphan_of(row, table.name)
                for table in (self._schema.alerts, self._schema.deltas)
                for row in _rows(connection, self._schema.rows_without_sensor(table))
                if is_active(row["active"])
            ]

    def write(self, thresholds: SensorThresholds, *, expected: SensorThresholds | None = None) -> bool:
        """Write the rows in force; the types of the columns are read from the database once."""
        alerts, deltas = self._schema.alerts, self._schema.deltas
        with self._connected(self._engine) as connection:
            before = SensorThresholds(
                sensor=thresholds.sensor,
                alerts=self._locked(connection, alerts, thresholds.sensor, alert_of),
                deltas=self._locked(connection, deltas, thresholds.sensor, delta_of),
            )
            if expected is not None and not is_in_force(expected, before):
                return False
            try:
                self._write(connection, alerts, thresholds.sensor, before.alerts, (before.alert, thresholds.alert))
                self._write(connection, deltas, thresholds.sensor, before.deltas, (before.delta, thresholds.delta))
                connection.commit()
            except DBAPIError as error:
                if is_of_the_values(error):
                    raise RowRejectedError(message_of(error.orig)) from error
                raise
        return True

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _locked(
        self, connection: sa.Connection, table: LegacyTable, sensor: Sensor, decode: Callable[[Row, str], _Thresholds]
    ) -> tuple[_Thresholds, ...]:
        return tuple(decode(row, table.name) for row in _rows(connection, self._schema.locked_rows_of(table, sensor)))

    def _write(
        self,
        connection: sa.Connection,
        table: LegacyTable,
        sensor: Sensor,
        rows: Iterable[_Thresholds],
        change: tuple[_Thresholds | None, _Thresholds | None],
    ) -> None:
        before, after = change
        kept = before if after else None
        write_row(
            connection,
            self._reflect(connection, table),
            table,
            sensor_id=sensor.sensor_id,
            replaced=None if kept is None else kept.row_id,
            # Another active row might be newer than what is written, and would be in force instead of it.
            ended=[its.row_id for its in rows if its.active and its is not kept],
            row=None if after is None else msgspec.structs.asdict(after),
        )

    def _reflect(self, connection: sa.Connection, table: LegacyTable) -> sa.Table:
        if table.name not in self._reflected:
            clause = table.clause
            self._reflected[table.name] = sa.Table(
                clause.name, sa.MetaData(), schema=clause.schema, autoload_with=connection, resolve_fks=False
            )
        return self._reflected[table.name]

    def _by(
        self,
        select: Callable[[Iterable[Any]], Statement],
        names: Sequence[int] | Sequence[str],
        connection: sa.Connection,
    ) -> Iterator[Sensor]:
        for chunk in in_chunks(names, IDS_A_STATEMENT):
            yield from (self._sensor(row) for row in _rows(connection, select(chunk)))

    def _complete(self, sensors: Sequence[Sensor], connection: sa.Connection) -> list[SensorThresholds]:
        """The sensors with all their rows, in the same order."""
        ids = [sensor.sensor_id for sensor in sensors]
        schema = self._schema
        alerts = self._by_sensor(schema.alerts, ids, alert_of, connection)
        deltas = self._by_sensor(schema.deltas, ids, delta_of, connection)
        latest = self._by_sensor(schema.latest, ids, latest_of, connection)
        return [
            SensorThresholds(
                sensor=sensor,
                alerts=tuple(sorted(alerts[sensor.sensor_id], key=_row_id)),
                deltas=tuple(sorted(deltas[sensor.sensor_id], key=_row_id)),
                latest=_newest(latest[sensor.sensor_id]),
            )
            for sensor in sensors
        ]

    def _by_sensor(
        self,
        table: LegacyTable,
        ids: Sequence[int],
        decode: Callable[[Row, str], _Value],
        connection: sa.Connection,
    ) -> Mapping[int, list[_Value]]:
        found: dict[int, list[_Value]] = defaultdict(list)
        for chunk in in_chunks(ids, IDS_A_STATEMENT):
            for row in _rows(connection, self._schema.rows_of(table, chunk)):
                found[int(row["sensor_id"])].append(decode(row, table.name))
        return found

    def _refuse_twins(self, page: Sequence[Sensor]) -> None:
        """Refuse an id that is there twice, as it can be in tables without keys: the thresholds are ambiguous."""
        twins = sorted(number for number, times in Counter(its.sensor_id for its in page).items() if times > 1)
        if twins:
            sensors, devices = self._schema.sensors.name, self._schema.devices.name
            message = f"sensor {twins[0]} is there more than once: table {sensors} has its id twice, or table {devices}"
            raise WrongTablesError(f"{message} that of its device; mend it")

    def _sensor(self, row: Row) -> Sensor:
        return sensor_of(row, self._schema.sensors.name)

    @contextmanager
    def _connected(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """A connection whose failures become errors of the port."""
        try:
            with engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise self._explained(error) from error

    def _explained(self, error: SQLAlchemyError | OSError) -> UnavailableError:
        # Names are checked in the schema: each database words the error in its own way.
        if isinstance(error, NoSuchTableError) or (
            isinstance(error, DBAPIError) and error.statement is not None and not error.connection_invalidated
        ):
            try:
                missing = missing_names(sa.inspect(self._engine), self._names)
            except (SQLAlchemyError, OSError):
                missing = []
            if missing:
                return WrongTablesError("; ".join(missing))
        return unavailable_error(error)


def _rows(connection: sa.Connection, statement: Statement) -> Iterator[Row]:
    result = connection.execute(statement)
    names = tuple(result.keys())
    return iter([dict(zip(names, row, strict=True)) for row in result])


def _is_id(name: str) -> bool:
    return bool(_ID.fullmatch(name)) and int(name) <= _MAX_ID


def _is_of_its_device(key: StreamKey, its: SensorThresholds) -> bool:
    return key.source_id.lower() in {MISSING_SOURCE, its.sensor.device_uuid}


def _row_id(row: AlertThresholds | DeltaThresholds) -> int:
    return row.row_id


def _newest(readings: Iterable[LatestReading | None]) -> LatestReading | None:
    return max((its for its in readings if its), key=lambda its: its.timestamp, default=None)
