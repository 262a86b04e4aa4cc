"""What the tables of the old service hold of a sensor, as they hold it: contradictions and all."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from afluente.domain.faults import Fault, FaultyError
from afluente.domain.stream_keys import MISSING_SOURCE, StreamKey
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN


class Sensor(msgspec.Struct, frozen=True, kw_only=True):
    """A sensor, and the device that it is part of.

    Attributes:
        sensor_id: its number, by which thresholds are found.
        uuid: its other name, in lower case.
        device_uuid: of its device, in lower case; None for a sensor without one.
        sensor_type: what it measures.
    """

    sensor_id: int
    uuid: str | None = None
    device_uuid: str | None = None
    sensor_type: str | None = None

    @property
    def key(self) -> StreamKey:
        """The stream of its readings, whichever way they come.

        Raises:
            FaultyError: the device's UUID is none that could be part of a key.
        """
        try:
            return StreamKey(LEGACY_DOMAIN, self.device_uuid or MISSING_SOURCE, str(self.sensor_id))
        except FaultyError as error:
            faults = (Fault(fault.code, "devices.uuid", fault.message) for fault in error.faults)
            raise FaultyError(tuple(faults)) from None


class AlertThresholds(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `alert_thresholds`; a side that is None is open.

    Attributes:
        row_id: the row's `id`.
        threshold_min, threshold_max: beyond them a reading is an ALERT.
        warning_min, warning_max: beyond them it is a WARNING.
        physical_min, physical_max: beyond them it cannot be true, and is an ALERT.
        severity: whatever the operators wrote; it decides nothing.
        consecutive_violations: readings in a row that raise the alarm.
        cooldown_seconds: between two raises.
        active: whether the row is in force.
        updated_at: in Unix seconds; 0 where the row does not say.
    """

    row_id: int
    threshold_min: float | None = None
    threshold_max: float | None = None
    warning_min: float | None = None
    warning_max: float | None = None
    physical_min: float | None = None
    physical_max: float | None = None
    severity: str | None = None
    consecutive_violations: int | None = None
    cooldown_seconds: float | None = None
    active: bool = True
    updated_at: float = 0.0


class DeltaThresholds(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `delta_thresholds`; a bound that is None is open.

    Attributes:
        row_id: the row's `id`.
        abs_delta, rel_delta, abs_slope, rel_slope: as in `RateConstraints`, in the same units.
        severity: how grave a spike is.
        active: whether the row is in force.
        updated_at: in Unix seconds; 0 where the row does not say.
    """

    row_id: int
    abs_delta: float | None = None
    rel_delta: float | None = None
    abs_slope: float | None = None
    rel_slope: float | None = None
    severity: str | None = None
    active: bool = True
    updated_at: float = 0.0


class LatestReading(msgspec.Struct, frozen=True):
    """A row of `sensor_readings_latest`: the last reading within the physical range, its time in Unix seconds."""

    value: float
    timestamp: float


_Row = TypeVar("_Row", AlertThresholds, DeltaThresholds)


class SensorThresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the tables hold of one sensor.

    Attributes:
        sensor: which.
        alerts, deltas: all its rows, whether in force or not, in any order.
        latest: its last reading.
    """

    sensor: Sensor
    alerts: tuple[AlertThresholds, ...] = ()
    deltas: tuple[DeltaThresholds, ...] = ()
    latest: LatestReading | None = None

    @property
    def alert(self) -> AlertThresholds | None:
        """The row of `alert_thresholds` in force."""
        return _in_force(self.alerts)

    @property
    def delta(self) -> DeltaThresholds | None:
        """The row of `delta_thresholds` in force."""
        return _in_force(self.deltas)

    @property
    def updated_at(self) -> float:
        """When one of the rows in force was changed last, in Unix seconds; 0 without any."""
        return max((row.updated_at for row in (self.alert, self.delta) if row), default=0.0)

    @property
    def changed_at(self) -> float:
        """When any row was changed last, in force or put out of it, in Unix seconds; 0 where one in force may be it."""
        if any(row.updated_at == 0 for row in (self.alert, self.delta) if row):
            return 0.0
        rows: tuple[AlertThresholds | DeltaThresholds, ...] = (*self.alerts, *self.deltas)
        return max((row.updated_at for row in rows), default=0.0)

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Active rows that another outdoes, each as `table:id`."""
        return (
            *(f"alert_thresholds:{row_id}" for row_id in _outdone(self.alerts)),
            *(f"delta_thresholds:{row_id}" for row_id in _outdone(self.deltas)),
        )


def _in_force(rows: Iterable[_Row]) -> _Row | None:
    """Of several active rows the one changed last; of those changed at once, the one added last."""
    return max((row for row in rows if row.active), key=lambda row: (row.updated_at, row.row_id), default=None)


def _outdone(rows: tuple[_Row, ...]) -> list[int]:
    in_force = _in_force(rows)
    return sorted(row.row_id for row in rows if row.active and row is not in_force)
