"""Classification: points, their stream's rule set and its state give classified points, alarms and the new state."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from struct import Struct as BinaryLayout
from typing import Any, NamedTuple

import msgspec

from afluente.domain.alarms import AlarmEvent, AlarmState, AlarmTransition, advance, draw
from afluente.domain.constraints import Baseline, RateViolation, Severity, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification, Evaluator, Reason, RuleSet, rule_set_of
from afluente.domain.stream_state import (
    NO_SEQUENCE,
    WINDOW,
    StreamState,
    Window,
    WindowPoint,
    order_of,
    points_of,
    reference_of_late,
)

_IDENTITY = BinaryLayout("<dqd")


class ClassifiedDataPoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A data point with its class and the reasons for it, in the form of the Kinesis streams.

    Attributes:
        point_id: the same at each repetition of this measurement, to drop repeats by.
        classification: its class.
        reason: why.
        violated_constraints: every bound of the value that was violated, by name, with the bound.
        violated_rate: every bound of the change that was violated, by name.
        severity: the gravest among the violations; None for a normal point.
        late: whether a newer point of its stream was classified before.
        config_version: version of the constraints; None where there are none.
        config_key: their scope: `domain/source_id/stream_id`, `domain#stream_type` or `domain`.
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
    metadata: dict[str, Any] = {}
    classification: Classification
    reason: Reason
    violated_constraints: Mapping[str, float] = {}
    violated_rate: Mapping[str, RateViolation] = {}
    severity: Severity | None = None
    late: bool
    config_version: int | None = None
    config_key: str | None = None
    ingested_at: float | None
    processed_at: float


class ClassificationResult(NamedTuple):
    """The result for points of one stream.

    Attributes:
        state: the stream's state after the points.
        points: the classified points, in the order given, without duplicates.
        duplicates: how many points were duplicates.
        alarms: changes of the stream's alarm, in order.
    """

    state: StreamState
    points: list[ClassifiedDataPoint]
    duplicates: int
    alarms: list[AlarmEvent]


def in_stream_order(points: Iterable[DataPoint]) -> list[DataPoint]:
    """Points of one stream by (timestamp, sequence), those that are equal in the order given."""
    return sorted(points, key=order_of)


def classify(
    points: Sequence[DataPoint], constraints: VersionedConfig | None, state: StreamState, processed_at: float
) -> ClassificationResult:
    """Classify points of one stream by its constraints, in the order given.

    Args:
        points: of one stream, in stream order.
        constraints: of the stream; None where it has none, and then every point is normal.
        state: of the stream before the points.
        processed_at: the time of classification, in Unix seconds.
    """
    return classify_with(rule_set_of(constraints), points, state, processed_at)


def classify_with(
    rules: RuleSet, points: Sequence[DataPoint], state: StreamState, processed_at: float
) -> ClassificationResult:
    """Classify points of one stream, in the order given.

    The first point of a new stream is measured against the baseline of its rule set, if it is newer. The baseline makes
    no point late and none a duplicate: whoever knew the reading did not deliver it here, and its clock may have been
    wrong.

    Args:
        rules: of the stream.
        points: of one stream, in stream order.
        state: of the stream before the points.
        processed_at: the time of classification, in Unix seconds.
    """
    evaluate, alarm_config, version, initial, key, unjudged = rules
    if initial is not None and state.newest is None and points and points[0].timestamp > initial.timestamp:
        state = StreamState(baseline=_initial_baseline(initial, evaluate))
    classified: list[ClassifiedDataPoint] = []
    transitions: list[tuple[AlarmTransition, ClassifiedDataPoint]] = []
    duplicates = 0
    newest, baseline, alarm = state.newest, state.baseline, state.alarm
    columns = _Columns(state.window)
    stream = ""
    for point in points:
        stream = stream or f"{point.domain}/{point.source_id}/{point.stream_id}"
        order = order_of(point)
        late = newest is not None and order <= newest
        reference = baseline
        # A point newer than all the others cannot be one of them.
        if late:
            known = columns.last()
            if any(past[:3] == (*order, point.value) for past in known):
                duplicates += 1
                continue
            reference = reference_of_late(order, known)
        evaluation = evaluate(point.value, point.timestamp, reference)
        if late and reference is None and unjudged and evaluation.classification is Classification.NORMAL:
            evaluation = unjudged
        classification, reason, values, rates, severity = evaluation
        classified_point = ClassifiedDataPoint(
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
            config_key=key,
            ingested_at=point.ingested_at,
            processed_at=processed_at,
        )
        classified.append(classified_point)
        window_point = WindowPoint(*order, point.value, reason is not Reason.HARD_LIMIT)
        columns.add(window_point)
        if late:
            continue
        newest = order
        if window_point.within_hard_limits:
            baseline = window_point
        alarm, transition = advance(alarm, classified_point.point_id, point.timestamp, severity, alarm_config)
        if transition:
            transitions.append((transition, classified_point))
    alarm, alarms = _published(transitions, alarm)
    return ClassificationResult(StreamState(newest, baseline, columns.window(), alarm), classified, duplicates, alarms)


class _Columns:
    """A window under construction: points are added to the columns, and dropped once at the end."""

    def __init__(self, window: Window) -> None:
        self._timestamps = list(window.timestamps)
        self._sequences = list(window.sequences)
        self._values = list(window.values)
        self._beyond = window.beyond_hard_limits

    def add(self, point: WindowPoint) -> None:
        if not point.within_hard_limits:
            self._beyond |= 1 << len(self._values)
        self._timestamps.append(point.timestamp)
        self._sequences.append(point.sequence)
        self._values.append(point.value)

    def last(self) -> list[WindowPoint]:
        """The last 32 points."""
        its = self.window()
        return points_of(its.timestamps, its.sequences, its.values, its.beyond_hard_limits)

    def window(self) -> Window:
        dropped = max(0, len(self._values) - WINDOW)
        return Window(
            tuple(self._timestamps[dropped:]),
            tuple(self._sequences[dropped:]),
            tuple(self._values[dropped:]),
            self._beyond >> dropped,
        )


def _initial_baseline(initial: Baseline, evaluate: Evaluator) -> WindowPoint | None:
    """The reading from before the stream was known; None if it violates a hard limit itself."""
    if evaluate(initial.value, initial.timestamp, None).reason is Reason.HARD_LIMIT:
        return None
    return WindowPoint(initial.timestamp, NO_SEQUENCE, initial.value, within_hard_limits=True)


def _point_id(stream: str, order: tuple[float, int], value: float) -> str:
    """128 bits of the measurement's identity: its stream, timestamp, sequence and value."""
    timestamp, sequence = order
    # + 0.0 makes -0.0 the 0.0 that it equals.
    identity = _IDENTITY.pack(timestamp + 0.0, sequence, value + 0.0)
    return blake2b(identity, digest_size=16, key=_stream_hash(stream)).hexdigest()


@lru_cache(maxsize=4096)
def _stream_hash(stream: str) -> bytes:
    return blake2b(stream.encode(), digest_size=32).digest()


def _published(
    transitions: Sequence[tuple[AlarmTransition, ClassifiedDataPoint]], alarm: AlarmState
) -> tuple[AlarmState, list[AlarmEvent]]:
    """The events of the transitions of a pack, as far as the stream's budget reaches; the last one beyond it, too.

    Arrivals decide, and they are part of the pack: a repetition of it publishes the same.
    """
    events: list[AlarmEvent] = []
    restored_at, omitted = alarm.budget_restored_at, 0
    for place, (transition, point) in enumerate(transitions, start=1):
        drawn = draw(restored_at, point.ingested_at or 0.0)
        if drawn is None and place < len(transitions):
            omitted += 1
            continue
        restored_at = drawn or restored_at
        events.append(_alarm_event(transition, point, omitted or None))
        omitted = 0
    return (msgspec.structs.replace(alarm, budget_restored_at=restored_at) if transitions else alarm), events


def _alarm_event(transition: AlarmTransition, point: ClassifiedDataPoint, omitted: int | None) -> AlarmEvent:
    return AlarmEvent(
        alarm_id=transition.alarm.alarm_id,
        state=transition.change,
        domain=point.domain,
        source_id=point.source_id,
        stream_id=point.stream_id,
        stream_type=point.stream_type,
        classification=point.classification,
        severity=transition.alarm.severity,
        reason=point.reason,
        violated_constraints=point.violated_constraints,
        violated_rate=point.violated_rate,
        value=point.value,
        timestamp=point.timestamp,
        sequence=point.sequence,
        point_id=point.point_id,
        count=transition.in_a_row,
        raised_at=transition.alarm.raised_at,
        transition=transition.alarm.transitions,
        config_version=point.config_version,
        config_key=point.config_key,
        transitions_omitted=omitted,
    )
