"""Decode rows of the legacy tables, whatever the types of their columns."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite, isnan
from typing import Any

from afluente.migration.adapters.sql.errors import WrongTablesError
from afluente.migration.application.ports import Orphan
from afluente.migration.application.sensors import canonical_uuid
from afluente.migration.domain.thresholds import AlertThresholds, DeltaThresholds, LatestReading, Sensor

Row = Mapping[str, Any]

_ALERT_BOUNDS = ("threshold_min", "threshold_max", "warning_min", "warning_max", "physical_min", "physical_max")
_DELTA_BOUNDS = ("abs_delta", "rel_delta", "abs_slope", "rel_slope")
_YES = frozenset({"1", "t", "true", "y", "yes"})
_MAX_ID = 2**63 - 1
# The last second that a datetime holds.
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


def sensor_of(row: Row, table: str) -> Sensor:
    """A sensor."""
    return Sensor(
        sensor_id=_read(row, "id", _id, table),
        uuid=_name(row["uuid"]),
        device_uuid=_name(row["device_uuid"]),
        sensor_type=None if row["sensor_type"] is None else str(row["sensor_type"]).strip(),
    )


def alert_of(row: Row, table: str) -> AlertThresholds:
    """A row of `alert_thresholds`."""
    return AlertThresholds(
        row_id=_read(row, "id", _id, table),
        **{name: _read_or_none(row, name, float, table) for name in _ALERT_BOUNDS},
        severity=_text(row["severity"]),
        consecutive_violations=_read_or_none(row, "consecutive_violations", int, table),
        cooldown_seconds=_read_or_none(row, "cooldown_seconds", float, table),
        active=is_active(row["active"]),
        updated_at=_read_or_none(row, "updated_at", _changed_at, table) or 0.0,
    )


def delta_of(row: Row, table: str) -> DeltaThresholds:
    """A row of `delta_thresholds`."""
    return DeltaThresholds(
        row_id=_read(row, "id", _id, table),
        **{name: _read_or_none(row, name, float, table) for name in _DELTA_BOUNDS},
        severity=_text(row["severity"]),
        active=is_active(row["active"]),
        updated_at=_read_or_none(row, "updated_at", _changed_at, table) or 0.0,
    )


def latest_of(row: Row, table: str) -> LatestReading | None:
    """A row of `sensor_readings_latest`; None where it holds no reading."""
    value = _read_or_none(row, "latest_value", float, table)
    timestamp = _read_or_none(row, "latest_timestamp", unix_seconds, table)
    if value is None or timestamp is None or not isfinite(value) or not isfinite(timestamp):
        return None
    return LatestReading(value, timestamp)


def orphan_of(row: Row, table: str) -> Orphan:
    """A row of thresholds without a sensor; one that names no sensor at all is of sensor 0."""
    return Orphan(table, _read(row, "id", _id, table), _read_or_none(row, "sensor_id", _id, table) or 0)


def is_active(value: object) -> bool:
    """True if a row is active: the value is a bit, a boolean, a number or a word; NULL is inactive."""
    if isinstance(value, str):
        return value.strip().lower() in _YES
    return value is not None and value != b"\x00" and bool(value)


def unix_seconds(value: object) -> float:
    """A time of any type: without a zone it is UTC, a number is Unix seconds.

    Raises:
        ValueError: the value is no time.
    """
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value)  # type: ignore[arg-type] # Decimal and the like; anything else raises


def _changed_at(value: object) -> float:
    """The time of a change, within the range that can be written again; 0 if it is not a number."""
    seconds = unix_seconds(value)
    return 0.0 if isnan(seconds) else min(max(seconds, 0.0), _LAST)


def _id(value: Any) -> int:
    number = int(value)
    if abs(number) > _MAX_ID:
        raise ValueError("no id of ours")  # such as a UUID, which Python converts to a number
    return number


def _name(value: object) -> str | None:
    """A UUID, of a UUID type or a text in any case, padded or not, with dashes and braces or without."""
    text = "" if value is None else str(value).strip().lower()
    # In the form of readings, whose streams have to be those of the constraints.
    return canonical_uuid(text) or text or None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _read_or_none(row: Row, column: str, read: Any, table: str) -> Any:
    return None if row[column] is None else _read(row, column, read, table)


def _read(row: Row, column: str, read: Any, table: str) -> Any:
    try:
        return read(row[column])
    except (TypeError, ValueError, OverflowError):
        which = row.get("id", row.get("sensor_id"))
        message = f"table {table} has {row[column]!r} as {column} in row {which}, of which nothing can be made: mend it"
        raise WrongTablesError(message) from None
