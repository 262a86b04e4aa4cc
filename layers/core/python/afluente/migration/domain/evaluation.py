"""Rule sets of the legacy thresholds: the legacy classes, with afluente's order and alarms."""

from collections.abc import Mapping, Sequence
from math import isfinite
from sys import float_info

import msgspec

from afluente.domain.constraints import RATE_NAMES, Baseline, RateViolation, Severity, StreamConfig
from afluente.domain.evaluation import (
    Classification,
    Evaluation,
    Evaluator,
    Reason,
    RuleSet,
    rate_unjudged,
    rule_set_of,
)
from afluente.domain.faults import Fault, FaultyError
from afluente.domain.stream_state import WindowPoint
from afluente.migration.domain.mapping import BOUNDS, class_of, to_constraints
from afluente.migration.domain.rules import Cause, evaluate_rows
from afluente.migration.domain.thresholds import (
    AlertThresholds,
    DeltaThresholds,
    LatestReading,
    Sensor,
    SensorThresholds,
)


class LegacyRuleSet(msgspec.Struct, frozen=True):
    """The rule set of a sensor's thresholds.

    Attributes:
        thresholds: of the sensor.
        rule_set: evaluates as the thresholds do; its baseline is the sensor's last reading.
        config: the equivalent constraints; None if no thresholds are in force, or they contradict each other.
        faults: the contradictions, by column.
    """

    thresholds: SensorThresholds
    rule_set: RuleSet
    config: StreamConfig | None
    faults: tuple[Fault, ...] = ()


_WITHIN = Evaluation(Classification.NORMAL, Reason.WITHIN_CONSTRAINTS, {}, {}, severity=None)
_REASONS = {
    Cause.PHYSICAL_RANGE: Reason.HARD_LIMIT,
    Cause.ALERT_ZONE: Reason.ALERT_ZONE,
    Cause.WARNING_ZONE: Reason.WARNING_ZONE,
    Cause.DELTA_SPIKE: Reason.RATE_OF_CHANGE,
}
_SEVERITIES = {
    Cause.PHYSICAL_RANGE: Severity.CRITICAL,
    Cause.ALERT_ZONE: Severity.ALERT,
    Cause.WARNING_ZONE: Severity.WARNING,
}


def legacy_rule_set(thresholds: SensorThresholds) -> LegacyRuleSet:
    """The rule set of a sensor's thresholds, contradictory ones included."""
    try:
        mapped = to_constraints(thresholds)
    except FaultyError as error:
        return LegacyRuleSet(thresholds, _rule_set(thresholds, None), None, error.faults)
    config = mapped.config if mapped else None
    return LegacyRuleSet(thresholds, _rule_set(thresholds, config), config)


def _rule_set(thresholds: SensorThresholds, config: StreamConfig | None) -> RuleSet:
    alert, delta, latest = thresholds.alert, thresholds.delta, thresholds.latest
    baseline = Baseline(latest.timestamp, latest.value) if latest else None
    if alert is None and delta is None:
        return rule_set_of(None)._replace(baseline=baseline)
    alarm = config or _alarm_of(alert, delta)
    severity = alarm.rate_constraints.severity
    return RuleSet(
        _evaluator(alert, delta, _bounds(alert, config), severity),
        alarm,
        round(thresholds.updated_at * 1000),
        baseline,
        unjudged=rate_unjudged(severity) if _limits(delta) else None,
    )


def _evaluator(
    alert: AlertThresholds | None,
    delta: DeltaThresholds | None,
    bounds: Sequence[tuple[str, float]],
    rate_severity: Severity,
) -> Evaluator:
    limits = _limits(delta)

    def evaluate(value: float, timestamp: float, reference: WindowPoint | None) -> Evaluation:
        latest, at = None, timestamp
        if reference is not None:
            # The reference of a late point may be newer than it: the time between them counts.
            earlier, at = sorted((reference.timestamp, timestamp))
            latest = LatestReading(reference.value, earlier)
        legacy = evaluate_rows(value, at, latest, alert, delta)
        if legacy.cause is Cause.NONE:
            return _WITHIN
        rates = _violated_rates(value, timestamp, reference, limits) if reference else {}
        severities = [_SEVERITIES[legacy.cause]] if legacy.cause in _SEVERITIES else []
        if rates or not severities:
            severities.append(rate_severity)
        return Evaluation(
            class_of(legacy),
            _REASONS[legacy.cause],
            _violated_values(value, bounds),
            rates,
            max(severities, key=lambda severity: severity.rank),
        )

    return evaluate


# Violations are found without the code of constraints: the trial is to show a defect of that code, not to share it.


def _violated_values(value: float, bounds: Sequence[tuple[str, float]]) -> Mapping[str, float]:
    return {name: bound for name, bound in bounds if (value < bound if "min" in name else value > bound)}


def _violated_rates(
    value: float, timestamp: float, reference: WindowPoint, limits: Mapping[str, float]
) -> Mapping[str, RateViolation]:
    change, seconds = abs(value - reference.value), abs(timestamp - reference.timestamp)
    observed = {"abs_delta": change}
    if seconds > 0:
        observed["abs_slope"] = change / seconds
    if reference.value != 0:
        observed["rel_delta"] = percent = change / abs(reference.value) * 100
        if seconds > 0:
            observed["rel_slope"] = percent / seconds
    return {
        name: RateViolation(limits[name], min(figure, float_info.max))
        for name, figure in observed.items()
        if name in limits and figure > limits[name]
    }


def _bounds(alert: AlertThresholds | None, config: StreamConfig | None) -> list[tuple[str, float]]:
    """The finite bounds of the value, by the names of constraints; JSON cannot hold the others."""
    if config is not None:
        found = [(name, getattr(config.value_constraints, name)) for name in BOUNDS.values()]
    else:
        found = [(name, getattr(alert, column, None)) for column, name in BOUNDS.items()]
    return [(name, bound) for name, bound in found if bound is not None and isfinite(bound)]


def _limits(delta: DeltaThresholds | None) -> dict[str, float]:
    found = {name: getattr(delta, name, None) for name in RATE_NAMES}
    return {name: limit for name, limit in found.items() if limit is not None and isfinite(limit)}


def _alarm_of(alert: AlertThresholds | None, delta: DeltaThresholds | None) -> StreamConfig:
    """The alarm settings of contradictory thresholds: those they would have without any bounds."""
    cooldown = alert.cooldown_seconds if alert else None
    bare = SensorThresholds(
        sensor=Sensor(sensor_id=0),
        alerts=(
            AlertThresholds(
                row_id=0,
                consecutive_violations=alert.consecutive_violations if alert else None,
                cooldown_seconds=cooldown if cooldown is not None and isfinite(cooldown) else None,
            ),
        ),
        deltas=(DeltaThresholds(row_id=0, severity=delta.severity if delta else None),),
    )
    mapped = to_constraints(bare)
    return mapped.config if mapped else StreamConfig()
