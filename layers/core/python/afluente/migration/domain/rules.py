"""The legacy service's rules, written apart from the constraints that replace them, as a reference.

They compare as constraints do (a bound itself is allowed) and know no order, no duplicates and no alarms.
"""

from enum import StrEnum
from typing import NamedTuple

from afluente.migration.domain.thresholds import AlertThresholds, DeltaThresholds, LatestReading, SensorThresholds


class LegacyClass(StrEnum):
    """The legacy service's class of a reading."""

    ALERT = "ALERT"
    WARNING = "WARNING"
    ML_PREDICTION = "ML_PREDICTION"


class Cause(StrEnum):
    """The reason for a class: the first that applies."""

    PHYSICAL_RANGE = "physical_range"
    ALERT_ZONE = "alert_zone"
    WARNING_ZONE = "warning_zone"
    DELTA_SPIKE = "delta_spike"
    NONE = "none"


class LegacyEvaluation(NamedTuple):
    """The class of a reading, and the reason for it."""

    legacy_class: LegacyClass
    cause: Cause


def evaluate(
    value: float, timestamp: float, *, latest: LatestReading | None, thresholds: SensorThresholds
) -> LegacyEvaluation:
    """Evaluate a reading by the rows in force of its sensor.

    Args:
        value: of the reading.
        timestamp: of the reading, in Unix seconds.
        latest: the sensor's last reading within its physical range; without one no spike can be seen.
        thresholds: of the sensor.
    """
    return evaluate_rows(value, timestamp, latest, thresholds.alert, thresholds.delta)


def evaluate_rows(
    value: float,
    timestamp: float,
    latest: LatestReading | None,
    zones: AlertThresholds | None,
    delta: DeltaThresholds | None,
) -> LegacyEvaluation:
    """Evaluate a reading by two rows that are known to be in force."""
    if zones is not None and (cause := _zone(value, zones)) is not None:
        return LegacyEvaluation(LegacyClass.WARNING if cause is Cause.WARNING_ZONE else LegacyClass.ALERT, cause)
    if delta is not None and latest is not None and _is_spike(value, timestamp, latest, delta):
        return LegacyEvaluation(LegacyClass.WARNING, Cause.DELTA_SPIKE)
    return LegacyEvaluation(LegacyClass.ML_PREDICTION, Cause.NONE)


def _zone(value: float, zones: AlertThresholds) -> Cause | None:
    if _is_beyond(value, zones.physical_min, zones.physical_max):
        return Cause.PHYSICAL_RANGE
    if _is_beyond(value, zones.threshold_min, zones.threshold_max):
        return Cause.ALERT_ZONE
    if _is_beyond(value, zones.warning_min, zones.warning_max):
        return Cause.WARNING_ZONE
    return None


def _is_beyond(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)


def _is_spike(value: float, timestamp: float, latest: LatestReading, delta: DeltaThresholds) -> bool:
    change = abs(value - latest.value)
    seconds = timestamp - latest.timestamp
    if delta.abs_delta is not None and change > delta.abs_delta:
        return True
    if seconds > 0 and delta.abs_slope is not None and change / seconds > delta.abs_slope:
        return True
    if latest.value == 0:
        return False
    percent = change / abs(latest.value) * 100
    if delta.rel_delta is not None and percent > delta.rel_delta:
        return True
    return seconds > 0 and delta.rel_slope is not None and percent / seconds > delta.rel_slope
