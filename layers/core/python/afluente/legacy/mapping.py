"""From the old service to afluente: its thresholds as constraints, its classes as classes.

| old column | constraint |
|---|---|
| `physical_min`, `physical_max` | `min_value`, `max_value` |
| `threshold_min`, `threshold_max` | `alert_min`, `alert_max` |
| `warning_min`, `warning_max` | `warning_min`, `warning_max` |
| `abs_delta`, `rel_delta`, `abs_slope`, `rel_slope` | the same |
| `severity` of `delta_thresholds` | the same |
| `consecutive_violations` | `consecutive_violations_required` |
| `cooldown_seconds` | the same |
"""

from typing import Any

import msgspec

from afluente.domain.classification import Classification
from afluente.domain.constraints import RateConstraints, Severity, StreamConfig, ValueConstraints
from afluente.legacy.rules import Cause, OldClass, Verdict
from afluente.legacy.thresholds import AlertThresholds, DeltaThresholds, SensorThresholds

METADATA = "legacy"
"""The entry of a migrated config's metadata that says what the constraints themselves have no room for."""

_SEVERITIES = {
    "low": Severity.WARNING,
    "info": Severity.WARNING,
    "minor": Severity.WARNING,
    "warning": Severity.WARNING,
    "medium": Severity.WARNING,
    "major": Severity.ALERT,
    "high": Severity.ALERT,
    "alert": Severity.ALERT,
    "critical": Severity.CRITICAL,
}


class Mapped(msgspec.Struct, frozen=True):
    """Thresholds as constraints.

    Attributes:
        config: the constraints.
        adjusted: what was written otherwise than in the tables, a sentence each; no reading is judged otherwise for it.
    """

    config: StreamConfig
    adjusted: tuple[str, ...] = ()


def to_constraints(thresholds: SensorThresholds) -> Mapped | None:
    """The constraints that judge a sensor's readings as its thresholds did; None where none are in force.

    Raises:
        FaultyError: the thresholds contradict each other, so that no constraints can say the same.
    """
    alert, delta = thresholds.alert, thresholds.delta
    if alert is None and delta is None:
        return None
    adjusted: list[str] = []
    sensor = thresholds.sensor
    settings: dict[str, Any] = {}
    if alert is not None:
        settings["value_constraints"] = _values(alert, adjusted)
        settings |= _alarm(alert, adjusted)
    if delta is not None:
        settings["rate_constraints"] = _rates(delta, adjusted)
    config = StreamConfig(
        stream_id=sensor.key.stream_id,
        source_id=sensor.key.source_id,
        stream_type=sensor.sensor_type or None,
        metadata={METADATA: _origin(thresholds)},
        **settings,
    )
    return Mapped(config, tuple(adjusted))


def new_class(verdict: Verdict) -> Classification:
    """The class that a reading has now which the old service judged so."""
    if verdict.old_class is OldClass.ALERT:
        return Classification.ALERT
    if verdict.old_class is OldClass.ML_PREDICTION:
        return Classification.NORMAL
    return Classification.ANOMALY if verdict.cause is Cause.DELTA_SPIKE else Classification.WARNING


def _values(alert: AlertThresholds, adjusted: list[str]) -> ValueConstraints:
    bounds = {
        "min_value": alert.physical_min,
        "max_value": alert.physical_max,
        "alert_min": alert.threshold_min,
        "alert_max": alert.threshold_max,
        "warning_min": alert.warning_min,
        "warning_max": alert.warning_max,
    }
    # A zone that begins beyond what is physical was never reached: the physical range decided before.
    if alert.physical_min is not None:
        for name, column in (("alert_min", "threshold_min"), ("warning_min", "warning_min")):
            bound = bounds[name]
            if bound is not None and bound < alert.physical_min:
                adjusted.append(f"{column} {bound:g} is raised to physical_min {alert.physical_min:g}")
                bounds[name] = alert.physical_min
    if alert.physical_max is not None:
        for name, column in (("alert_max", "threshold_max"), ("warning_max", "warning_max")):
            bound = bounds[name]
            if bound is not None and bound > alert.physical_max:
                adjusted.append(f"{column} {bound:g} is lowered to physical_max {alert.physical_max:g}")
                bounds[name] = alert.physical_max
    return ValueConstraints(**bounds)


def _rates(delta: DeltaThresholds, adjusted: list[str]) -> RateConstraints:
    severity = _SEVERITIES.get((delta.severity or "warning").strip().lower())
    if severity is None:
        adjusted.append(f"severity {delta.severity!r} of delta_thresholds is none of afluente's: warning is taken")
    return RateConstraints(
        abs_delta=delta.abs_delta,
        rel_delta=delta.rel_delta,
        abs_slope=delta.abs_slope,
        rel_slope=delta.rel_slope,
        severity=severity or Severity.WARNING,
    )


def _alarm(alert: AlertThresholds, adjusted: list[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if alert.consecutive_violations is not None:
        settings["consecutive_violations_required"] = max(alert.consecutive_violations, 1)
        if alert.consecutive_violations < 1:
            adjusted.append(f"consecutive_violations {alert.consecutive_violations} is raised to 1")
    if alert.cooldown_seconds is not None:
        settings["cooldown_seconds"] = max(alert.cooldown_seconds, 0)
        if alert.cooldown_seconds < 0:
            adjusted.append(f"cooldown_seconds {alert.cooldown_seconds:g} is raised to 0")
    return settings


def _origin(thresholds: SensorThresholds) -> dict[str, Any]:
    """What led here, for those who ask why a constraint is so, and to write it back."""
    alert, delta = thresholds.alert, thresholds.delta
    origin = {
        "sensor_uuid": thresholds.sensor.uuid,
        "alert_threshold_id": alert and alert.row_id,
        "alert_severity": alert and alert.severity,
        "delta_threshold_id": delta and delta.row_id,
    }
    return {name: value for name, value in origin.items() if value is not None}
