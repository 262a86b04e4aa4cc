"""Classification: a data point and its stream's constraints and state give its class, and the stream's new state."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from struct import Struct as BinaryLayout
from typing import Any, NamedTuple

import msgspec

from afluente.domain.alarms import QUIET, AlarmEvent, AlarmState, AlarmTransition, advance
from afluente.domain.constraints import RateConstraints, Severity, StreamConfig, ValueConstraints
from afluente.domain.datapoints import DataPoint

WINDOW = 32
"""How many of the points last taken a stream remembers, to know duplicates and to judge late points by."""

NO_SEQUENCE = -1
"""Where a point without a sequence stands among those of its timestamp."""


class Classification(StrEnum):
    """The class of a data point, and the name of the stream it goes to; the gravest first."""

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
    WITHIN_CONSTRAINTS = "within_constraints"
    NO_CONSTRAINTS = "no_constraints"


class RateViolation(msgspec.Struct, frozen=True):
    """A change that was too fast: the limit, and what was observed, both in the constraint's unit."""

    limit: float
    observed: float


class ClassifiedDataPoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A data point with its class and all that led to it, in the form in which it goes on the wire.

    Attributes:
        point_id: the same whenever and however often this measurement comes, to drop repeats by.
        classification: its class.
        reason: why.
        violated_constraints: every bound of the value that was violated, by name, with the bound.
        violated_rate: every bound of the change that was violated, by name.
        severity: the gravest among the violations; None for a normal point.
        late: whether a newer point of its stream was taken before.
        config_version: version of the constraints it was judged by; None where there are none.
        ingested_at, processed_at: when it arrived and when it was classified, in Unix seconds.

    The other attributes are those of `DataPoint`.
    """

    point_id: str
    domain: str
    source_id: str
    stream_id: str
    stream_type: str | None = None
    value: float
    timestamp: float
    sequence: int | None = None
    metadata: dict[str, Any]
    classification: Classification
    reason: Reason
    violated_constraints: Mapping[str, float]
    violated_rate: Mapping[str, RateViolation]
    severity: Severity | None = None
    late: bool
    config_version: int | None = None
    ingested_at: float | None
    processed_at: float


class TakenPoint(NamedTuple):
    """What a stream remembers of a point it has taken."""

    timestamp: float
    sequence: int
    value: float
    within_hard_limits: bool


class StreamState(msgspec.Struct, frozen=True):
    """What a stream remembers between packs.

    Attributes:
        newest: (timestamp, sequence) of the newest point seen.
        baseline: the newest point that violated no hard limit and was not late.
        window: the last 32 points taken, in the order in which they were taken.
        alarm: where its alarm stands.
    """

    newest: tuple[float, int] | None = None
    baseline: TakenPoint | None = None
    window: tuple[TakenPoint, ...] = ()
    alarm: AlarmState = QUIET


class Baseline(NamedTuple):
    """The last reading within hard limits of a stream, from before afluente knew it; its time in Unix seconds."""

    timestamp: float
    value: float


class VersionedConfig(msgspec.Struct, frozen=True):
    """Constraints as they were found: which, in which version, and where the stream stood before it was known."""

    config: StreamConfig
    version: int
    baseline: Baseline | None = None


class Evaluation(NamedTuple):
    """What is made of a value; see `ClassifiedDataPoint`."""

    classification: Classification
    reason: Reason
    violated_constraints: Mapping[str, float]
    violated_rate: Mapping[str, RateViolation]
    severity: Severity | None


Evaluator = Callable[[float, float, TakenPoint | None], Evaluation]
"""Judges a value of a time, in Unix seconds, against the point that its change is measured by."""


class RuleSet(NamedTuple):
    """How points of one stream are judged.

    Attributes:
        judge: says what is made of each.
        alarm: says how many in a row raise and clear the alarm, and its cooldown; its other constraints judge nothing.
        version: of what the points are judged by; None where that is nothing.
        baseline: where the stream stood before it was known.
    """

    judge: Evaluator
    alarm: StreamConfig
    version: int | None = None
    baseline: Baseline | None = None


class Classified(NamedTuple):
    """What came of classifying points of one stream.

    Attributes:
        state: the stream's state after the points.
        points: the classified points, in the order in which they were taken.
        duplicates: how many points were duplicates, and so were not taken.
        alarms: what happened to the stream's alarm, in order.
    """

    state: StreamState
    points: list[ClassifiedDataPoint]
    duplicates: int
    alarms: list[AlarmEvent]


_OPEN = StreamConfig()
_NOTHING_VIOLATED: Mapping[str, float] = {}
_NO_RATE_VIOLATED: Mapping[str, RateViolation] = {}
_WITHIN = Evaluation(
    Classification.NORMAL, Reason.WITHIN_CONSTRAINTS, _NOTHING_VIOLATED, _NO_RATE_VIOLATED, severity=None
)
_UNCONSTRAINED = Evaluation(
    Classification.NORMAL, Reason.NO_CONSTRAINTS, _NOTHING_VIOLATED, _NO_RATE_VIOLATED, severity=None
)
_IDENTITY = BinaryLayout("<dqd")
_HARD_LIMITS = frozenset({"min_value", "max_value"})
_ALERT_ZONE = frozenset({"alert_min", "alert_max"})


def in_stream_order(points: Iterable[DataPoint]) -> list[DataPoint]:
    """Points of one stream by (timestamp, sequence), those that are equal in the order given."""
    return sorted(points, key=_order)


def classify(
    points: Sequence[DataPoint], constraints: VersionedConfig | None, state: StreamState, processed_at: float
) -> Classified:
    """Classify points of one stream by its constraints, in the order given.

    Args:
        points: of one stream, in the order in which they are to be taken.
        constraints: of the stream; None where it has none, and then every point is normal.
        state: of the stream before the points.
        processed_at: the time of classification, in Unix seconds.
    """
    return classify_by(rule_set_of(constraints), points, state, processed_at)


def rule_set_of(constraints: VersionedConfig | None) -> RuleSet:
    """How constraints judge the points of a stream; None are no constraints."""
    if constraints is None:
        return RuleSet(lambda *_: _UNCONSTRAINED, _OPEN)
    config = constraints.config
    bounds, limits = config.value_constraints, config.rate_constraints

    def judge(value: float, timestamp: float, reference: TakenPoint | None) -> Evaluation:
        values = violated_values(value, bounds)
        rates = violated_rates(value, timestamp, reference, limits)
        if not values and not rates:
            return _WITHIN
        return Evaluation(*_class_of(values), values, rates, _gravest(values, rates, config))

    return RuleSet(judge, config, constraints.version, constraints.baseline)


def classify_by(rules: RuleSet, points: Sequence[DataPoint], state: StreamState, processed_at: float) -> Classified:
    """Classify points of one stream, in the order given.

    The first point of a stream that is new is measured against the baseline of its rules, if it is newer. No point is
    late because of that, and none a duplicate: whoever knew the reading did not deliver it here, and its clock may have
    been wrong.

    Args:
        rules: that the points are judged by.
        points: of one stream, in the order in which they are to be taken.
        state: of the stream before the points.
        processed_at: the time of classification, in Unix seconds.
    """
    judge, alarm_config, version, before = rules
    if before is not None and state.newest is None and points and points[0].timestamp > before.timestamp:
        state = StreamState(baseline=_taken_before(before, judge))
    classified: list[ClassifiedDataPoint] = []
    alarms: list[AlarmEvent] = []
    duplicates = 0
    newest, baseline, alarm = state.newest, state.baseline, state.alarm
    window = list(state.window)
    stream = ""
    for point in points:
        stream = stream or f"{point.domain}/{point.source_id}/{point.stream_id}"
        order = _order(point)
        late = newest is not None and order <= newest
        # A point newer than all the others cannot be one of them.
        if late and any(taken[:3] == (*order, point.value) for taken in window[-WINDOW:]):
            duplicates += 1
            continue
        reference = _newest_before(order, window[-WINDOW:]) if late else baseline
        classification, reason, values, rates, severity = judge(point.value, point.timestamp, reference)
        judged = ClassifiedDataPoint(
            point_id=_point_id(stream, order, point.value),
            domain=point.domain,
            source_id=point.source_id,
            stream_id=point.stream_id,
            stream_type=point.stream_type,
            value=point.value,
            timestamp=point.timestamp,
            sequence=point.sequence,
            metadata=point.metadata,
            classification=classification,
            reason=reason,
            violated_constraints=values,
            violated_rate=rates,
            severity=severity,
            late=late,
            config_version=version,
            ingested_at=point.ingested_at,
            processed_at=processed_at,
        )
        classified.append(judged)
        taken = TakenPoint(*order, point.value, reason is not Reason.HARD_LIMIT)
        window.append(taken)
        if late:
            continue
        newest = order
        if taken.within_hard_limits:
            baseline = taken
        alarm, transition = advance(alarm, stream, point.timestamp, severity, alarm_config)
        if transition:
            alarms.append(_alarm_event(transition, judged))
    return Classified(StreamState(newest, baseline, tuple(window[-WINDOW:]), alarm), classified, duplicates, alarms)


def violated_values(value: float, bounds: ValueConstraints) -> Mapping[str, float]:
    """The bounds that `value` violates, by name; every one, not only the first."""
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
    return violated or _NOTHING_VIOLATED


def violated_rates(
    value: float, timestamp: float, reference: TakenPoint | None, bounds: RateConstraints
) -> Mapping[str, RateViolation]:
    """The bounds of change that a value violates against `reference`, by name; none without a reference.

    With a reference of value 0 the relative bounds do not apply, at the reference's own time the slopes do not.
    """
    if reference is None:
        return _NO_RATE_VIOLATED
    violated = {}
    delta = abs(value - reference.value)
    dt = timestamp - reference.timestamp
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
    return violated or _NO_RATE_VIOLATED


def _order(point: DataPoint) -> tuple[float, int]:
    return point.timestamp, NO_SEQUENCE if point.sequence is None else point.sequence


def _newest_before(order: tuple[float, int], window: list[TakenPoint]) -> TakenPoint | None:
    """What a late point is judged by: the newest point older than it within hard limits, the last of equals."""
    newest: TakenPoint | None = None
    for taken in window:
        if taken.within_hard_limits and taken[:2] < order and (newest is None or taken[:2] >= newest[:2]):
            newest = taken
    return newest


def _taken_before(before: Baseline, judge: Evaluator) -> TakenPoint | None:
    """A reading from before the stream was known, if it is one to measure others against."""
    is_within = judge(before.value, before.timestamp, None).reason is not Reason.HARD_LIMIT
    return TakenPoint(before.timestamp, NO_SEQUENCE, before.value, is_within) if is_within else None


def _class_of(values: Mapping[str, float]) -> tuple[Classification, Reason]:
    """The class of a point that violates those bounds of the value, or none of them but some of its change."""
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
    """A violation whose figure JSON can hold: two finite doubles may lie further apart than a double reaches."""
    return RateViolation(limit, min(observed, sys.float_info.max))


def _point_id(stream: str, order: tuple[float, int], value: float) -> str:
    """128 bits of what makes a measurement this one and no other: its stream, timestamp, sequence and value."""
    timestamp, sequence = order
    # + 0.0 makes -0.0 the 0.0 that it equals.
    identity = _IDENTITY.pack(timestamp + 0.0, sequence, value + 0.0)
    return blake2b(identity, digest_size=16, key=_stream_hash(stream)).hexdigest()


@lru_cache(maxsize=4096)
def _stream_hash(stream: str) -> bytes:
    return blake2b(stream.encode(), digest_size=32).digest()


def _alarm_event(transition: AlarmTransition, point: ClassifiedDataPoint) -> AlarmEvent:
    return AlarmEvent(
        alarm_id=transition.alarm.alarm_id,
        state=transition.change,
        domain=point.domain,
        source_id=point.source_id,
        stream_id=point.stream_id,
        classification=point.classification,
        severity=transition.alarm.severity,
        reason=point.reason,
        value=point.value,
        timestamp=point.timestamp,
        count=transition.in_a_row,
        raised_at=transition.alarm.raised_at,
    )
