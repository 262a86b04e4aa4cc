"""The old service's rules as rules that points are classified by: its judgement, with afluente's order and alarms."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from sys import float_info

import msgspec

from afluente.domain.constraints import RATE_NAMES, Baseline, Severity, StreamConfig
from afluente.domain.evaluation import (
    Classification,
    Evaluation,
    RateViolation,
    Reason,
    RuleSet,
    rule_set_of,
)
from afluente.domain.faults import Fault, FaultyError
from afluente.domain.stream_state import WindowPoint
from afluente.migration.domain.mapping import BOUNDS, new_class, to_constraints
from afluente.migration.domain.rules import Cause, judge_by_rows
from afluente.migration.domain.thresholds import (
    AlertThresholds,
    DeltaThresholds,
    LatestReading,
    Sensor,
    SensorThresholds,
)


class LegacyRules(msgspec.Struct, frozen=True):
    """How a sensor's points are judged by its thresholds.

    Attributes:
        thresholds: of the sensor.
        rules: that say what they say; they have the sensor's last reading for a baseline.
        config: the constraints that the thresholds come to; None where nothing is in force, or nothing sound.
        faults: how the thresholds contradict each other, by column.
    """

    thresholds: SensorThresholds
    rules: RuleSet
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


def legacy_rule_set(thresholds: SensorThresholds) -> LegacyRules:
    """How a sensor's points are judged by its thresholds, contradictory ones included."""
    try:
        mapped = to_constraints(thresholds)
    except FaultyError as error:
        return LegacyRules(thresholds, _rules(thresholds, None), None, error.faults)
    config = mapped.config if mapped else None
    return LegacyRules(thresholds, _rules(thresholds, config), config)


def _rules(thresholds: SensorThresholds, config: StreamConfig | None) -> RuleSet:
    alert, delta, latest = thresholds.alert, thresholds.delta, thresholds.latest
    baseline = Baseline(latest.timestamp, latest.value) if latest else None
    if alert is None and delta is None:
        return rule_set_of(None)._replace(baseline=baseline)
    alarm = config or _alarm_of(alert, delta)
    judging = _judging(alert, delta, _bounds(alert, config), alarm.rate_constraints.severity)
    return RuleSet(judging, alarm, round(thresholds.updated_at * 1000), baseline)


def _judging(
    alert: AlertThresholds | None,
    delta: DeltaThresholds | None,
    bounds: Sequence[tuple[str, float]],
    rate_severity: Severity,
) -> Callable[[float, float, WindowPoint | None], Evaluation]:
    limits = _limits(delta)

    def judge_point(value: float, timestamp: float, reference: WindowPoint | None) -> Evaluation:
        latest = LatestReading(reference.value, reference.timestamp) if reference else None
        verdict = judge_by_rows(value, timestamp, latest, alert, delta)
        if verdict.cause is Cause.NONE:
            return _WITHIN
        rates = _violated_rates(value, timestamp, reference, limits) if reference else {}
        graves = [_SEVERITIES[verdict.cause]] if verdict.cause in _SEVERITIES else []
        if rates or not graves:
            graves.append(rate_severity)
        return Evaluation(
            new_class(verdict),
            _REASONS[verdict.cause],
            _violated_values(value, bounds),
            rates,
            max(graves, key=lambda severity: severity.rank),
        )

    return judge_point


# What else there is to tell of a point is compared here by itself: a mistake in the new way is not to hide in the old.


def _violated_values(value: float, bounds: Sequence[tuple[str, float]]) -> Mapping[str, float]:
    return {name: bound for name, bound in bounds if (value < bound if "min" in name else value > bound)}


def _violated_rates(
    value: float, timestamp: float, reference: WindowPoint, limits: Mapping[str, float]
) -> Mapping[str, RateViolation]:
    change, seconds = abs(value - reference.value), timestamp - reference.timestamp
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
    """The bounds of the value, by the constraints' names; JSON has no room for those that are not finite."""
    if config is not None:
        found = [(name, getattr(config.value_constraints, name)) for name in BOUNDS.values()]
    else:
        found = [(name, getattr(alert, column, None)) for column, name in BOUNDS.items()]
    return [(name, bound) for name, bound in found if bound is not None and isfinite(bound)]


def _limits(delta: DeltaThresholds | None) -> dict[str, float]:
    found = {name: getattr(delta, name, None) for name in RATE_NAMES}
    return {name: limit for name, limit in found.items() if limit is not None and isfinite(limit)}


def _alarm_of(alert: AlertThresholds | None, delta: DeltaThresholds | None) -> StreamConfig:
    """What thresholds that contradict each other say of alarms: what they would say without any bounds."""
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
