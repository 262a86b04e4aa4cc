"""Sensors and their thresholds as the legacy tables have them, contradictions included."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from afluente.domain.faults import Fault, FaultyError
from afluente.domain.stream_keys import MISSING_SOURCE, StreamKey
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN

SensorName = int | str
"""A sensor as readings name it: its number, or its UUID in canonical form."""


class Sensor(msgspec.Struct, frozen=True, kw_only=True):
    """A sensor, and the device that it is part of.

    Attributes:
        sensor_id: its number, which its thresholds refer to.
        uuid: its other name, in lower case.
        device_uuid: of its device, in lower case; None for a sensor without one.
        sensor_type: the quantity that it measures.
    """

    sensor_id: int
    uuid: str | None = None
    device_uuid: str | None = None
    sensor_type: str | None = None

    @property
    def key(self) -> StreamKey:
        """The stream of its readings.

        Raises:
            FaultyError: the device's UUID cannot be part of a key.
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
        physical_min, physical_max: beyond them it is physically impossible, and an ALERT.
        severity: free text of the operators; it decides nothing.
        consecutive_violations: readings in a row that raise the alarm.
        cooldown_seconds: between two raises.
        active: whether the row is in force.
        updated_at: in Unix seconds; 0 if the row has none.
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
        severity: of a spike, in the operators' words.
        active: whether the row is in force.
        updated_at: in Unix seconds; 0 if the row has none.
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
    """One sensor with all its rows.

    Attributes:
        sensor: the sensor.
        alerts, deltas: its rows, in force or not, in any order.
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
        """The time of the last change of a row in force, in Unix seconds; 0 without any."""
        return max((row.updated_at for row in (self.alert, self.delta) if row), default=0.0)

    @property
    def changed_at(self) -> float:
        """The time of the last change of any row, in Unix seconds; 0 if a row in force has no time of its change.

        A row that was put out of force counts: that is a change too.
        """
        if any(row.updated_at == 0 for row in (self.alert, self.delta) if row):
            return 0.0
        rows: tuple[AlertThresholds | DeltaThresholds, ...] = (*self.alerts, *self.deltas)
        return max((row.updated_at for row in rows), default=0.0)

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Active rows that a newer active row supersedes, each as `table:id`."""
        return (
            *(f"alert_thresholds:{row_id}" for row_id in _superseded(self.alerts)),
            *(f"delta_thresholds:{row_id}" for row_id in _superseded(self.deltas)),
        )


def _in_force(rows: Iterable[_Row]) -> _Row | None:
    """The active row that was changed last; of several changed at once, the one with the highest id."""
    return max((row for row in rows if row.active), key=lambda row: (row.updated_at, row.row_id), default=None)


def _superseded(rows: tuple[_Row, ...]) -> list[int]:
    in_force = _in_force(rows)
    return sorted(row.row_id for row in rows if row.active and row is not in_force)
