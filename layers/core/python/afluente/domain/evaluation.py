"""Evaluation: a value and a stream's rule set give its class, the reason, and every violated bound."""

import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from math import inf
from typing import NamedTuple

from afluente.domain.constraints import (
    RATE_NAMES,
    Baseline,
    RateConstraints,
    RateViolation,
    Severity,
    StreamConfig,
    ValueConstraints,
    VersionedConfig,
)
from afluente.domain.stream_state import WindowPoint


class Classification(StrEnum):
    """The class of a data point, and the name of its Kinesis stream; the gravest first."""

    ALERT = "alert"
    WARNING = "warning"
    ANOMALY = "anomaly"
    NORMAL = "normal"

    # The enum's own is written in Python, and points are gathered by their class.
    __hash__ = str.__hash__


class Reason(StrEnum):
    """Why a point is of its class: a closed set."""

    HARD_LIMIT = "hard_limit"
    ALERT_ZONE = "alert_zone"
    WARNING_ZONE = "warning_zone"
    RATE_OF_CHANGE = "rate_of_change"
    RATE_UNJUDGED = "rate_unjudged"
    WITHIN_CONSTRAINTS = "within_constraints"
    NO_CONSTRAINTS = "no_constraints"


class Evaluation(NamedTuple):
    """The result for one value.

    Attributes:
        classification: its class.
        reason: why.
        violated_constraints: every bound of the value that was violated, by name.
        violated_rate: every bound of the change that was violated, by name.
        severity: the gravest among the violations; None for a normal value.
    """

    classification: Classification
    reason: Reason
    violated_constraints: Mapping[str, float]
    violated_rate: Mapping[str, RateViolation]
    severity: Severity | None


Evaluator = Callable[[float, float, WindowPoint | None], Evaluation]
"""Evaluates a value, given its time in Unix seconds and the point that its change is measured against."""


class RuleSet(NamedTuple):
    """The evaluator and the alarm settings of one stream.

    Attributes:
        evaluate: evaluates each value.
        alarm: points in a row that raise and clear the alarm, and its cooldown; its constraints are not used.
        version: of the constraints; None where there are none.
        baseline: the stream's last reading from before afluente knew it.
        key: the scope of the constraints; None where there are none.
        unjudged: evaluation of a late value within its bounds whose change cannot be measured against any point; None
            where no change is bounded.
    """

    evaluate: Evaluator
    alarm: StreamConfig
    version: int | None = None
    baseline: Baseline | None = None
    key: str | None = None
    unjudged: Evaluation | None = None


_OPEN = StreamConfig()
_NO_VALUES: Mapping[str, float] = {}
_NO_RATES: Mapping[str, RateViolation] = {}
_WITHIN = Evaluation(Classification.NORMAL, Reason.WITHIN_CONSTRAINTS, _NO_VALUES, _NO_RATES, severity=None)
_UNCONSTRAINED = Evaluation(Classification.NORMAL, Reason.NO_CONSTRAINTS, _NO_VALUES, _NO_RATES, severity=None)
_NO_RULES = RuleSet(lambda *_: _UNCONSTRAINED, _OPEN)
# Rule sets by the identity of their constraints, which are kept, so that no others have it. Look-ups hold the same
# record for all streams of a template, as long as it is in force; a rule set takes longer to make than points to
# classify.
_compiled: dict[int, tuple[VersionedConfig, RuleSet]] = {}
_MAX_COMPILED = 5_000
_HARD_LIMITS = frozenset({"min_value", "max_value"})
_ALERT_ZONE = frozenset({"alert_min", "alert_max"})


def rule_set_of(constraints: VersionedConfig | None) -> RuleSet:
    """The rule set of a stream's constraints; without any, every value is normal."""
    if constraints is None:
        return _NO_RULES
    known = _compiled.get(id(constraints))
    if known is None:
        if len(_compiled) >= _MAX_COMPILED:
            _compiled.clear()
        known = _compiled[id(constraints)] = (constraints, _compile(constraints))
    return known[1]


def _compile(constraints: VersionedConfig) -> RuleSet:
    config = constraints.config
    is_change_bounded = any(getattr(config.rate_constraints, name) is not None for name in RATE_NAMES)
    unjudged = rate_unjudged(config.rate_constraints.severity) if is_change_bounded else None
    return RuleSet(_evaluator(config), config, constraints.version, constraints.baseline, constraints.key, unjudged)


def rate_unjudged(severity: Severity) -> Evaluation:
    """The evaluation of a value whose change is bounded and cannot be measured."""
    return Evaluation(Classification.ANOMALY, Reason.RATE_UNJUDGED, _NO_VALUES, _NO_RATES, severity)


def _evaluator(config: StreamConfig) -> Evaluator:
    """The evaluator of constraints: most values violate nothing, which a few comparisons show."""
    bounds, limits = config.value_constraints, config.rate_constraints
    low, high = normal_band(bounds)
    abs_delta, rel_delta, abs_slope, rel_slope = (
        inf if limit is None else limit for limit in (getattr(limits, name) for name in RATE_NAMES)
    )
    is_relative, is_slope = min(rel_delta, rel_slope) < inf, min(abs_slope, rel_slope) < inf
    is_change_bounded = is_relative or min(abs_delta, abs_slope) < inf

    def evaluate(value: float, timestamp: float, reference: WindowPoint | None) -> Evaluation:
        if low <= value <= high:
            if reference is None or not is_change_bounded:
                return _WITHIN
            before, _, value_before, _ = reference
            delta = abs(value - value_before)
            if delta <= abs_delta:
                dt = abs(timestamp - before) if is_slope else 0.0
                percent = delta / abs(value_before) * 100 if is_relative and value_before != 0 else 0.0
                if percent <= rel_delta and (dt == 0 or (delta / dt <= abs_slope and percent / dt <= rel_slope)):
                    return _WITHIN
        values = violated_values(value, bounds)
        rates = violated_rates(value, timestamp, reference, limits)
        return Evaluation(*_class_of(values), values, rates, _gravest(values, rates, config))

    return evaluate


def normal_band(bounds: ValueConstraints) -> tuple[float, float]:
    """The lowest and the highest value that violates no bound; the first may be above the second."""
    lows = (bounds.min_value, bounds.alert_min, bounds.warning_min)
    highs = (bounds.max_value, bounds.alert_max, bounds.warning_max)
    return (
        max((low for low in lows if low is not None), default=-inf),
        min((high for high in highs if high is not None), default=inf),
    )


def violated_values(value: float, bounds: ValueConstraints) -> Mapping[str, float]:
    """All bounds that `value` violates, by name."""
    violated = {}
    if bounds.min_value is not None and value < bounds.min_value:
        violated["min_value"] = bounds.min_value
    if bounds.max_value is not None and value > bounds.max_value:
        violated["max_value"] = bounds.max_value
    if bounds.alert_min is not None and value < bounds.alert_min:
        violated["alert_min"] = bounds.alert_min
    if bounds.alert_max is not None and value > bounds.alert_max:
        violated["alert_max"] = bounds.alert_max
    if bounds.warning_min is not None and value < bounds.warning_min:
        violated["warning_min"] = bounds.warning_min
    if bounds.warning_max is not None and value > bounds.warning_max:
        violated["warning_max"] = bounds.warning_max
    return violated or _NO_VALUES


def violated_rates(
    value: float, timestamp: float, reference: WindowPoint | None, bounds: RateConstraints
) -> Mapping[str, RateViolation]:
    """All bounds of change that a value violates against `reference`, by name; none without a reference.

    With a reference of value 0 the relative bounds do not apply, at the reference's own time the slopes do not. The
    reference of a late point may be newer than it.
    """
    if reference is None:
        return _NO_RATES
    violated = {}
    delta = abs(value - reference.value)
    dt = abs(timestamp - reference.timestamp)
    if bounds.abs_delta is not None and delta > bounds.abs_delta:
        violated["abs_delta"] = _violation(bounds.abs_delta, delta)
    if bounds.abs_slope is not None and dt > 0 and (slope := delta / dt) > bounds.abs_slope:
        violated["abs_slope"] = _violation(bounds.abs_slope, slope)
    if reference.value != 0:
        percent = delta / abs(reference.value) * 100
        if bounds.rel_delta is not None and percent > bounds.rel_delta:
            violated["rel_delta"] = _violation(bounds.rel_delta, percent)
        if bounds.rel_slope is not None and dt > 0 and (slope := percent / dt) > bounds.rel_slope:
            violated["rel_slope"] = _violation(bounds.rel_slope, slope)
    return violated or _NO_RATES


def _class_of(values: Mapping[str, float]) -> tuple[Classification, Reason]:
    """The class by the violated bounds of the value; without any, some bound of the change is violated."""
    if not values:
        return Classification.ANOMALY, Reason.RATE_OF_CHANGE
    if not _HARD_LIMITS.isdisjoint(values):
        return Classification.ALERT, Reason.HARD_LIMIT
    if not _ALERT_ZONE.isdisjoint(values):
        return Classification.ALERT, Reason.ALERT_ZONE
    return Classification.WARNING, Reason.WARNING_ZONE


def _gravest(values: Mapping[str, float], rates: Mapping[str, RateViolation], config: StreamConfig) -> Severity:
    severities = [config.rate_constraints.severity] if rates else []
    if not _HARD_LIMITS.isdisjoint(values):
        severities.append(Severity.CRITICAL)
    elif not _ALERT_ZONE.isdisjoint(values):
        severities.append(Severity.ALERT)
    elif values:
        severities.append(Severity.WARNING)
    return max(severities, key=lambda severity: severity.rank)


def _violation(limit: float, observed: float) -> RateViolation:
    # Two finite doubles may lie further apart than a double reaches, and JSON has no infinity.
    return RateViolation(limit, min(observed, sys.float_info.max))
