"""The mapping between the legacy service and afluente: thresholds and constraints, legacy classes and classes.

| legacy column | constraint |
|---|---|
| `physical_min`, `physical_max` | `min_value`, `max_value` |
| `threshold_min`, `threshold_max` | `alert_min`, `alert_max` |
| `warning_min`, `warning_max` | `warning_min`, `warning_max` |
| `abs_delta`, `rel_delta`, `abs_slope`, `rel_slope` | the same |
| `severity` of `delta_thresholds` | the same |
| `consecutive_violations` | `consecutive_violations_required` |
| `cooldown_seconds` | the same |
"""

from itertools import chain
from math import inf, isinf, isnan
from typing import Any, TypeVar

import msgspec

from afluente.domain.constraints import RATE_NAMES, RateConstraints, Severity, StreamConfig, ValueConstraints
from afluente.domain.evaluation import Classification
from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import is_part
from afluente.migration.domain.rules import Cause, LegacyClass, LegacyEvaluation
from afluente.migration.domain.thresholds import AlertThresholds, DeltaThresholds, SensorThresholds

METADATA = "legacy"
"""The entry of a migrated config's metadata that holds what the constraints themselves have no field for."""

NEW_ROW = 0
"""The `row_id` of a row that is not in the tables yet."""

BOUNDS = {
    "physical_min": "min_value",
    "physical_max": "max_value",
    "threshold_min": "alert_min",
    "threshold_max": "alert_max",
    "warning_min": "warning_min",
    "warning_max": "warning_max",
}
"""Columns of `alert_thresholds` that bound the value, with the bounds of `ValueConstraints`."""

# Pairs of a lower and an upper bound. Where the first is above the second, every reading is beyond one of them: no
# constraints can express that.
_IN_ORDER = (
    ("physical_min", "physical_max"),
    ("threshold_min", "threshold_max"),
    ("warning_min", "warning_max"),
    ("physical_min", "threshold_max"),
    ("physical_min", "warning_max"),
    ("threshold_min", "physical_max"),
    ("warning_min", "physical_max"),
    ("warning_min", "threshold_max"),
    ("threshold_min", "warning_max"),
)
_Row = TypeVar("_Row", AlertThresholds, DeltaThresholds)
_DEFAULTS = StreamConfig()
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
        adjusted: each difference from the tables, in a sentence; no reading gets another class for it.
    """

    config: StreamConfig
    adjusted: tuple[str, ...] = ()


class WrittenBack(msgspec.Struct, frozen=True):
    """Constraints as thresholds.

    Attributes:
        thresholds: the sensor with the rows to be in force; none where there is nothing to bound.
        no_room: the fields of the constraints that the legacy tables cannot hold.
    """

    thresholds: SensorThresholds
    no_room: tuple[str, ...] = ()


def to_constraints(thresholds: SensorThresholds) -> Mapped | None:
    """The constraints that classify a sensor's readings as its thresholds do; None if no thresholds are in force.

    Raises:
        FaultyError: the thresholds contradict each other, so that no constraints are equivalent; its faults name the
            columns.
    """
    alert, delta = thresholds.alert, thresholds.delta
    if alert is None and delta is None:
        return None
    adjusted: list[str] = []
    alert = alert and _without_open_sides(alert, adjusted)
    delta = delta and _without_open_bounds(delta, adjusted)
    faults = tuple(chain(_alert_faults(alert) if alert else (), _delta_faults(delta) if delta else ()))
    if faults:
        raise FaultyError(faults)
    sensor = thresholds.sensor
    key = sensor.key
    settings: dict[str, Any] = {}
    if alert is not None:
        settings["value_constraints"] = _values(alert, adjusted)
        settings |= _alarm(alert, adjusted)
    if delta is not None:
        settings["rate_constraints"] = _rates(delta, adjusted)
    stream_type = sensor.sensor_type or None
    if stream_type is not None and not is_part(stream_type):
        adjusted.append(f"sensor_type {stream_type!r} cannot be a stream type: it is left out")
        stream_type = None
    config = StreamConfig(
        stream_id=key.stream_id,
        source_id=key.source_id,
        stream_type=stream_type,
        metadata={METADATA: _origin(thresholds)},
        **settings,
    )
    return Mapped(config, tuple(adjusted))


def to_thresholds(config: StreamConfig, before: SensorThresholds) -> WrittenBack:
    """The thresholds by which the legacy service classifies as these constraints do.

    Columns that are equivalent already keep their values: a bound beyond the physical range, a severity in the
    operators' own words.

    Args:
        config: the constraints of the sensor's stream.
        before: the sensor as the tables have it, contradictions included.
    """
    no_room = [f"metadata.{name}" for name in config.metadata if name != METADATA]
    if config.stream_type is not None and config.stream_type != before.sensor.sensor_type:
        no_room.append("stream_type")
    kept = _with_rows(before, _alert_row(config, before.alert, keep=True), _delta_row(config, before.delta, keep=True))
    if not classify_alike(kept, config):
        # A bound that was kept may lie within the physical range now that the range has changed.
        plain = _alert_row(config, before.alert, keep=False), _delta_row(config, before.delta, keep=False)
        kept = _with_rows(before, *plain)
    return WrittenBack(kept, tuple(no_room))


def classify_alike(thresholds: SensorThresholds, config: StreamConfig | None) -> bool:
    """True if thresholds and constraints give the same classes and alarms; None stands for no constraints."""
    try:
        mapped = to_constraints(thresholds)
    except FaultyError:
        return False
    return effect_of(mapped.config if mapped else None) == effect_of(config)


def effect_of(config: StreamConfig | None) -> tuple[object, ...]:
    """The fields of constraints that decide on classes and alarms; those of no constraints equal those of open ones."""
    config = config or _DEFAULTS
    rates = config.rate_constraints
    bounds = tuple(getattr(rates, name) for name in RATE_NAMES)
    values = config.value_constraints
    if values == _DEFAULTS.value_constraints and not any(bound is not None for bound in bounds):
        return ()
    severity = rates.severity if any(bound is not None for bound in bounds) else None
    return values, bounds, severity, config.consecutive_violations_required, float(config.cooldown_seconds)


def class_of(evaluation: LegacyEvaluation) -> Classification:
    """The class that corresponds to the legacy service's evaluation."""
    if evaluation.legacy_class is LegacyClass.ALERT:
        return Classification.ALERT
    if evaluation.legacy_class is LegacyClass.ML_PREDICTION:
        return Classification.NORMAL
    return Classification.ANOMALY if evaluation.cause is Cause.DELTA_SPIKE else Classification.WARNING


# --- thresholds as constraints ---------------------------------------------------------------------------------------


def _without_open_sides(alert: AlertThresholds, adjusted: list[str]) -> AlertThresholds:
    """The row without bounds that no reading can violate: NaN, and infinity on the open side."""
    return _without(alert, {name: inf if name.endswith("_max") else -inf for name in BOUNDS}, adjusted)


def _without_open_bounds(delta: DeltaThresholds, adjusted: list[str]) -> DeltaThresholds:
    return _without(delta, dict.fromkeys(RATE_NAMES, inf), adjusted)


def _without(row: _Row, never_reached: dict[str, float], adjusted: list[str]) -> _Row:
    opened: dict[str, Any] = {}
    for name, limit in never_reached.items():
        bound = getattr(row, name)
        if bound is not None and (isnan(bound) or bound == limit):
            adjusted.append(f"{name} {bound:g} bounds nothing: it is left out")
            opened[name] = None
    return msgspec.structs.replace(row, **opened)


def _alert_faults(alert: AlertThresholds) -> list[Fault]:
    faults = []
    for name in BOUNDS:
        bound = getattr(alert, name)
        if bound is not None and isinf(bound):
            message = f"is {bound:g}, so every reading is beyond it; set a number, or NULL for no bound"
            faults.append(Fault(FaultCode.IMPOSSIBLE, f"alert_thresholds.{name}", message))
    for low, high in _IN_ORDER:
        lower, upper = getattr(alert, low), getattr(alert, high)
        if lower is not None and upper is not None and lower > upper and not (isinf(lower) or isinf(upper)):
            message = f"{low} {_number(lower)} is above {high} {_number(upper)}; lower the one or raise the other"
            faults.append(Fault(FaultCode.IMPOSSIBLE, f"alert_thresholds.{low}", message))
    cooldown = alert.cooldown_seconds
    if cooldown is not None and (isnan(cooldown) or cooldown == inf):
        message = f"is {cooldown:g}; set a number of seconds"
        faults.append(Fault(FaultCode.NOT_FINITE, "alert_thresholds.cooldown_seconds", message))
    return faults


def _delta_faults(delta: DeltaThresholds) -> list[Fault]:
    faults = []
    for name in RATE_NAMES:
        bound = getattr(delta, name)
        if bound is not None and bound < 0:
            message = f"is {_number(bound)}; a change is never less than 0, so every reading is a spike"
            faults.append(Fault(FaultCode.IMPOSSIBLE, f"delta_thresholds.{name}", message))
    return faults


def _values(alert: AlertThresholds, adjusted: list[str]) -> ValueConstraints:
    bounds = {bound: getattr(alert, column) for column, bound in BOUNDS.items()}
    # A zone that begins beyond the physical range was never reached: the physical range decides first.
    for column in ("threshold_min", "warning_min"):
        bound, limit = getattr(alert, column), alert.physical_min
        if bound is not None and limit is not None and bound < limit:
            adjusted.append(f"{column} {_number(bound)} is raised to physical_min {_number(limit)}")
            bounds[BOUNDS[column]] = limit
    for column in ("threshold_max", "warning_max"):
        bound, limit = getattr(alert, column), alert.physical_max
        if bound is not None and limit is not None and bound > limit:
            adjusted.append(f"{column} {_number(bound)} is lowered to physical_max {_number(limit)}")
            bounds[BOUNDS[column]] = limit
    return ValueConstraints(**bounds)


def _rates(delta: DeltaThresholds, adjusted: list[str]) -> RateConstraints:
    severity = _severity(delta)
    if severity is None:
        adjusted.append(f"severity {delta.severity!r} of delta_thresholds is none of afluente's: warning is taken")
    bounds = {name: getattr(delta, name) for name in RATE_NAMES}
    return RateConstraints(**bounds, severity=severity or Severity.WARNING)


def _severity(delta: DeltaThresholds) -> Severity | None:
    return _SEVERITIES.get((delta.severity or "warning").strip().lower())


def _alarm(alert: AlertThresholds, adjusted: list[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if alert.consecutive_violations is not None:
        settings["consecutive_violations_required"] = max(alert.consecutive_violations, 1)
        if alert.consecutive_violations < 1:
            adjusted.append(f"consecutive_violations {alert.consecutive_violations} is raised to 1")
    if alert.cooldown_seconds is not None:
        settings["cooldown_seconds"] = max(alert.cooldown_seconds, 0)
        if alert.cooldown_seconds < 0:
            adjusted.append(f"cooldown_seconds {_number(alert.cooldown_seconds)} is raised to 0")
    return settings


def _origin(thresholds: SensorThresholds) -> dict[str, Any]:
    """The rows that the constraints come from, so that people can trace a constraint back."""
    alert, delta = thresholds.alert, thresholds.delta
    origin = {
        "sensor_uuid": thresholds.sensor.uuid,
        "alert_threshold_id": alert and alert.row_id,
        "alert_severity": alert and alert.severity,
        "delta_threshold_id": delta and delta.row_id,
    }
    return {name: value for name, value in origin.items() if value is not None}


def _number(bound: float) -> str:
    # As many digits as people write, and no trailing zeros.
    return f"{bound:.15g}"


# --- constraints as thresholds ---------------------------------------------------------------------------------------


def _with_rows(
    before: SensorThresholds, alert: AlertThresholds | None, delta: DeltaThresholds | None
) -> SensorThresholds:
    return msgspec.structs.replace(before, alerts=(alert,) if alert else (), deltas=(delta,) if delta else ())


def _alert_row(config: StreamConfig, before: AlertThresholds | None, *, keep: bool) -> AlertThresholds | None:
    """The equivalent row; if `keep`, columns that are equivalent already keep their values."""
    alarm = (config.consecutive_violations_required, config.cooldown_seconds)
    usual = (_DEFAULTS.consecutive_violations_required, _DEFAULTS.cooldown_seconds)
    if not effect_of(config) or (config.value_constraints == _DEFAULTS.value_constraints and alarm == usual):
        return None
    row = before or AlertThresholds(row_id=NEW_ROW)
    meaning = _meaning_of_alert(row) if keep else {}
    fields: dict[str, Any] = {column: getattr(config.value_constraints, bound) for column, bound in BOUNDS.items()}
    fields["consecutive_violations"], fields["cooldown_seconds"] = alarm
    return msgspec.structs.replace(
        row, **{name: value for name, value in fields.items() if not _means(meaning, name, value)}
    )


def _delta_row(config: StreamConfig, before: DeltaThresholds | None, *, keep: bool) -> DeltaThresholds | None:
    fields: dict[str, Any] = {name: getattr(config.rate_constraints, name) for name in RATE_NAMES}
    if not any(bound is not None for bound in fields.values()):
        return None
    row = before or DeltaThresholds(row_id=NEW_ROW)
    meaning = _meaning_of_delta(row) if keep else {}
    fields["severity"] = config.rate_constraints.severity
    changed = {name: value for name, value in fields.items() if not _means(meaning, name, value)}
    if "severity" in changed:
        changed["severity"] = str(changed["severity"])
    return msgspec.structs.replace(row, **changed)


def _meaning_of_alert(row: AlertThresholds) -> dict[str, Any]:
    """The values of a row as constraints, by column; empty if they contradict each other."""
    sound = _without_open_sides(row, [])
    if _alert_faults(sound):
        return {}
    values = _values(sound, [])
    alarm = _alarm(sound, [])
    return {
        **{column: getattr(values, bound) for column, bound in BOUNDS.items()},
        "consecutive_violations": alarm.get(
            "consecutive_violations_required", _DEFAULTS.consecutive_violations_required
        ),
        "cooldown_seconds": alarm.get("cooldown_seconds", _DEFAULTS.cooldown_seconds),
    }


def _meaning_of_delta(row: DeltaThresholds) -> dict[str, Any]:
    sound = _without_open_bounds(row, [])
    return {**{name: getattr(sound, name) for name in RATE_NAMES}, "severity": _severity(row) or Severity.WARNING}


def _means(meaning: dict[str, Any], name: str, value: object) -> bool:
    return name in meaning and bool(meaning[name] == value)
