"""The legacy service's database: tables under their classic names, and sensors with thresholds of every shape.

The same seed gives the same sensors, whatever they are written into.
"""

import csv
import io
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from afluente.migration.application.ports import Orphan
from afluente.migration.domain.thresholds import (
    AlertThresholds,
    DeltaThresholds,
    LatestReading,
    Sensor,
    SensorThresholds,
)
from tests.factories import NOW

SENSORS_A_DEVICE = 10

_metadata = sa.MetaData()
_uuid = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql").with_variant(mssql.UNIQUEIDENTIFIER(), "mssql")
_bound = sa.Numeric(18, 6, asdecimal=False)

DEVICES = sa.Table("devices", _metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("uuid", _uuid))
SENSORS = sa.Table(
    "sensors",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", _uuid),
    sa.Column("device_id", sa.Integer, index=True),
    sa.Column("sensor_type", sa.String(50)),
)
ALERT_THRESHOLDS = sa.Table(
    "alert_thresholds",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sensor_id", sa.Integer, index=True),
    *(sa.Column(f"{name}_{side}", _bound) for name in ("threshold", "warning", "physical") for side in ("min", "max")),
    sa.Column("severity", sa.String(20)),
    sa.Column("consecutive_violations", sa.Integer),
    sa.Column("cooldown_seconds", sa.Integer),
    sa.Column("active", sa.Boolean),
    sa.Column("updated_at", sa.DateTime),
)
DELTA_THRESHOLDS = sa.Table(
    "delta_thresholds",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sensor_id", sa.Integer, index=True),
    *(sa.Column(name, sa.Float(53)) for name in ("abs_delta", "rel_delta", "abs_slope", "rel_slope")),
    sa.Column("severity", sa.String(20)),
    sa.Column("active", sa.Boolean),
    sa.Column("updated_at", sa.DateTime),
)
LATEST = sa.Table(
    "sensor_readings_latest",
    _metadata,
    sa.Column("sensor_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("latest_value", _bound),
    sa.Column("latest_timestamp", sa.DateTime(timezone=True)),
)
TABLES = (DEVICES, SENSORS, ALERT_THRESHOLDS, DELTA_THRESHOLDS, LATEST)


class Shape(StrEnum):
    """The peculiarity of a sensor's thresholds."""

    FULL = "full"
    MISSING_SIDES = "missing sides"
    PHYSICAL_ONLY = "a physical range alone"
    WARNING_ONLY = "a warning zone alone"
    DELTA_ONLY = "deltas alone"
    EQUAL_BOUNDS = "equal bounds"
    INACTIVE = "inactive rows alone"
    DUPLICATED = "several active rows"
    CONTRADICTORY = "a minimum above its maximum"
    NEGATIVE_DELTA = "a delta below 0"
    CLAMPED = "zones beyond the physical range"
    NO_THRESHOLDS = "none"
    NO_DEVICE = "no device"
    NEVER_UPDATED = "no time of the last change"
    NO_LATEST = "no reading so far"
    LATEST_AT_ZERO = "the last reading was 0"
    ODD_SEVERITY = "severities in the operators' own words"
    ODD_ALARM = "no violations, and a cooldown below 0"


IMPOSSIBLE = frozenset({Shape.CONTRADICTORY, Shape.NEGATIVE_DELTA})
"""Shapes without equivalent constraints."""

NOTHING_IN_FORCE = frozenset({Shape.INACTIVE, Shape.NO_THRESHOLDS})


class LegacyService(NamedTuple):
    """The content of the legacy tables.

    Attributes:
        sensors: by ascending id.
        shapes: of each sensor, by its id.
        orphans: active rows of thresholds that no sensor has, by table and id.
        stray: all rows that no sensor has, the inactive ones included, with their ids of sensors.
    """

    sensors: Sequence[SensorThresholds]
    shapes: Mapping[int, Shape]
    orphans: Sequence[Orphan]
    stray: Sequence[tuple[int, AlertThresholds | DeltaThresholds]]

    def of(self, *shapes: Shape) -> list[SensorThresholds]:
        """The sensors of some shapes."""
        return [its for its in self.sensors if self.shapes[its.sensor.sensor_id] in shapes]


def a_legacy_service(sensors: int = 100, *, seed: int = 1, middle: float = 50.0, width: float = 30.0) -> LegacyService:
    """Sensors of every shape, each shape as often as the others but for the full ones, which are half.

    Args:
        sensors: how many; from 36 on, there is one of each shape.
        seed: the same gives the same.
        middle, width: their values are within `middle` ± `width`, most of the time.
    """
    chance = random.Random(seed)  # noqa: S311 - the same each time is what is wanted
    others = [shape for shape in Shape if shape is not Shape.FULL]
    made: list[SensorThresholds] = []
    shapes: dict[int, Shape] = {}
    device = ""
    rows = iter(range(1, 10 * sensors + 10))
    for number in range(sensors):
        if number % SENSORS_A_DEVICE == 0:
            device = _new_uuid(chance)
        shape = others[number // 2 % len(others)] if number % 2 else Shape.FULL
        sensor_id = 1_001 + number
        sensor = Sensor(
            sensor_id=sensor_id,
            uuid=_new_uuid(chance),
            device_uuid=None if shape is Shape.NO_DEVICE else device,
            sensor_type=chance.choice(("temperature", "pressure", "humidity", None)),
        )
        shapes[sensor_id] = shape
        made.append(_Maker(chance, middle, width, lambda: next(rows))(sensor, shape))
    stray: list[tuple[int, AlertThresholds | DeltaThresholds]] = [
        (999_001, AlertThresholds(row_id=next(rows), threshold_max=1.0, updated_at=NOW - 60)),
        (999_002, DeltaThresholds(row_id=next(rows), abs_delta=1.0, updated_at=NOW - 60)),
        (999_003, AlertThresholds(row_id=next(rows), threshold_max=1.0, active=False, updated_at=NOW - 60)),
    ]
    orphans = [Orphan(_table_of(row).name, row.row_id, sensor_id) for sensor_id, row in stray if row.active]
    return LegacyService(made, shapes, orphans, stray)


def create_tables(engine: sa.Engine) -> None:
    """Make the tables, all empty."""
    _metadata.drop_all(engine)
    _metadata.create_all(engine)


def fill(engine: sa.Engine, service: LegacyService) -> None:
    """Write the rows of a legacy service into its tables, which are empty."""
    devices = {name: number for number, name in enumerate(sorted(_devices(service)), start=1)}
    with engine.begin() as connection:
        _insert(connection, DEVICES, [{"id": number, "uuid": name.upper()} for name, number in devices.items()])
        _insert(connection, SENSORS, [_sensor_row(its.sensor, devices) for its in service.sensors])
        for table, rows in _threshold_rows(service).items():
            _insert(connection, table, rows)
        _insert(
            connection,
            LATEST,
            [
                {
                    "sensor_id": its.sensor.sensor_id,
                    "latest_value": its.latest.value,
                    "latest_timestamp": datetime.fromtimestamp(its.latest.timestamp, tz=UTC),
                }
                for its in service.sensors
                if its.latest
            ],
        )
        if engine.dialect.name == "postgresql":
            for table in (ALERT_THRESHOLDS, DELTA_THRESHOLDS):
                # Rows were written with their ids: the next that comes without one is to get another.
                sequence = sa.func.pg_get_serial_sequence(table.name, "id")
                connection.execute(
                    sa.select(sa.func.setval(sequence, sa.select(sa.func.max(table.c.id)).scalar_subquery()))
                )


class _Maker:
    """Makes the thresholds of sensors."""

    def __init__(self, chance: random.Random, middle: float, width: float, new_id: Callable[[], int]) -> None:
        self._chance = chance
        self._middle = middle
        self._width = width
        self._new_id = new_id

    def __call__(self, sensor: Sensor, shape: Shape) -> SensorThresholds:
        return SensorThresholds(
            sensor=sensor,
            alerts=tuple(self._alerts(shape)),
            deltas=tuple(self._deltas(shape)),
            latest=self._latest(shape),
        )

    def _alerts(self, shape: Shape) -> list[AlertThresholds]:
        if shape in {Shape.DELTA_ONLY, Shape.NO_THRESHOLDS}:
            return []
        first = self._alert(**self._peculiar_alert(shape))
        match shape:
            case Shape.MISSING_SIDES:
                return [_without(first, self._some(_BOUNDS)), _without(self._alert(active=False), _BOUNDS[:3])]
            case Shape.PHYSICAL_ONLY:
                return [_without(first, _ZONES)]
            case Shape.WARNING_ONLY:
                return [_without(first, ("threshold_min", "threshold_max", *_PHYSICAL))]
            case Shape.DUPLICATED:
                # Of one time too: then the row that was added last is in force.
                return [first, self._alert(updated_at=first.updated_at), self._alert(active=False), self._alert()]
        return [first]

    def _peculiar_alert(self, shape: Shape) -> dict[str, Any]:
        bound = self._near(0)
        fields: dict[Shape, dict[str, Any]] = {
            Shape.EQUAL_BOUNDS: {"warning_min": bound, "warning_max": bound},
            Shape.INACTIVE: {"active": False},
            Shape.CONTRADICTORY: {"warning_min": self._near(0.5), "warning_max": self._near(-0.5)},
            Shape.CLAMPED: {"threshold_max": self._near(3), "warning_min": self._near(-3)},
            Shape.NEVER_UPDATED: {"updated_at": 0.0},
            Shape.ODD_SEVERITY: {"severity": "page Ann"},
            Shape.ODD_ALARM: {"consecutive_violations": 0, "cooldown_seconds": -1.0},
        }
        return fields.get(shape, {})

    def _deltas(self, shape: Shape) -> list[DeltaThresholds]:
        if shape in {Shape.PHYSICAL_ONLY, Shape.WARNING_ONLY, Shape.NO_THRESHOLDS}:
            return []
        fields: dict[Shape, dict[str, Any]] = {
            Shape.INACTIVE: {"active": False},
            Shape.NEGATIVE_DELTA: {"abs_delta": -1.0},
            Shape.NEVER_UPDATED: {"updated_at": 0.0},
            Shape.ODD_SEVERITY: {"severity": self._chance.choice((" MAJOR", "panic"))},
        }
        first = self._delta(**fields.get(shape, {}))
        if shape is Shape.MISSING_SIDES:
            return [_without(first, self._some(_DELTAS))]
        if shape is Shape.DUPLICATED:
            return [first, self._delta(updated_at=first.updated_at)]
        return [first]

    def _alert(self, **fields: Any) -> AlertThresholds:
        usual: dict[str, Any] = {
            "row_id": self._new_id(),
            "physical_min": self._near(-2),
            "physical_max": self._near(2),
            "threshold_min": self._near(-1.2),
            "threshold_max": self._near(1.2),
            "warning_min": self._near(-0.8),
            "warning_max": self._near(0.8),
            "severity": self._chance.choice(("warning", "critical", "high", None)),
            "consecutive_violations": self._chance.choice((1, 2, 3, 5, None)),
            "cooldown_seconds": self._chance.choice((0.0, 60.0, 300.0, None)),
            "updated_at": self._time(),
        }
        return AlertThresholds(**(usual | fields))

    def _delta(self, **fields: Any) -> DeltaThresholds:
        usual: dict[str, Any] = {
            "row_id": self._new_id(),
            "abs_delta": round(self._width * self._chance.uniform(0.3, 1.0), 2),
            "rel_delta": round(self._chance.uniform(20.0, 80.0), 2),
            "abs_slope": round(self._width * self._chance.uniform(0.1, 0.5), 2),
            "rel_slope": round(self._chance.uniform(5.0, 40.0), 2),
            "severity": self._chance.choice(("warning", "critical", "low", None)),
            "updated_at": self._time(),
        }
        return DeltaThresholds(**(usual | fields))

    def _latest(self, shape: Shape) -> LatestReading | None:
        if shape is Shape.NO_LATEST:
            return None
        value = 0.0 if shape is Shape.LATEST_AT_ZERO else self._near(self._chance.uniform(-0.5, 0.5))
        return LatestReading(value, self._time() + 30 * 86_400)

    def _near(self, widths: float) -> float:
        """A value so many widths from the middle, or a little further on the same side, as tables round it."""
        return round(self._middle + self._width * (widths + 0.1 * widths * self._chance.random()), 2)

    def _time(self) -> float:
        """A time between 40 and 70 days back, in quarters of seconds, which every type of time holds."""
        return NOW - 70 * 86_400 + self._chance.randrange(4 * 30 * 86_400) / 4

    def _some(self, names: Sequence[str]) -> Sequence[str]:
        return self._chance.sample(names, self._chance.randrange(1, len(names)))


_PHYSICAL = ("physical_min", "physical_max")
_ZONES = ("threshold_min", "threshold_max", "warning_min", "warning_max")
_BOUNDS = (*_ZONES, *_PHYSICAL)
_DELTAS = ("abs_delta", "rel_delta", "abs_slope", "rel_slope")


def _without(row: Any, names: Sequence[str]) -> Any:
    return type(row)(**{**_fields(row), **dict.fromkeys(names)})


def _fields(row: AlertThresholds | DeltaThresholds) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def _new_uuid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _devices(service: LegacyService) -> set[str]:
    return {its.sensor.device_uuid for its in service.sensors if its.sensor.device_uuid}


def _sensor_row(sensor: Sensor, devices: Mapping[str, int]) -> dict[str, Any]:
    # As it comes: some services wrote their UUIDs in upper case.
    written = sensor.uuid and (sensor.uuid.upper() if sensor.sensor_id % 2 else sensor.uuid)
    device = devices[sensor.device_uuid] if sensor.device_uuid else None
    return {"id": sensor.sensor_id, "uuid": written, "device_id": device, "sensor_type": sensor.sensor_type}


def _table_of(row: AlertThresholds | DeltaThresholds) -> sa.Table:
    return ALERT_THRESHOLDS if isinstance(row, AlertThresholds) else DELTA_THRESHOLDS


def _threshold_rows(service: LegacyService) -> Mapping[sa.Table, list[dict[str, Any]]]:
    rows: dict[sa.Table, list[dict[str, Any]]] = {ALERT_THRESHOLDS: [], DELTA_THRESHOLDS: []}
    for its in service.sensors:
        rows[ALERT_THRESHOLDS] += [_threshold_row(its.sensor.sensor_id, alert) for alert in its.alerts]
        rows[DELTA_THRESHOLDS] += [_threshold_row(its.sensor.sensor_id, delta) for delta in its.deltas]
    for sensor_id, row in service.stray:
        rows[_table_of(row)].append(_threshold_row(sensor_id, row))
    return rows


def _threshold_row(sensor_id: int, row: AlertThresholds | DeltaThresholds) -> dict[str, Any]:
    fields = _fields(row)
    if fields.get("cooldown_seconds") is not None:
        fields["cooldown_seconds"] = int(fields["cooldown_seconds"])
    updated_at = fields.pop("updated_at")
    # Without a zone: the legacy service took it for UTC.
    moment = datetime.fromtimestamp(updated_at, tz=UTC).replace(tzinfo=None) if updated_at else None
    return {"id": fields.pop("row_id"), "sensor_id": sensor_id, **fields, "updated_at": moment}


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
    elif rows:
        connection.execute(sa.insert(table), rows)


def _copy(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """As CSV: a statement a row would take a quarter of a minute for ten thousand sensors."""
    names = table.columns.keys()
    lines = io.StringIO()
    csv.writer(lines).writerows([row.get(name) for name in names] for row in rows)
    lines.seek(0)
    cursor: Any = connection.connection.cursor()
    cursor.execute(f"COPY {table.name} ({', '.join(names)}) FROM STDIN WITH (FORMAT csv)", stream=lines)
