"""Classification: points, their stream's rule set and its state give classified points, alarms and the new state."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import islice
from math import inf
from operator import lt
from struct import Struct as BinaryLayout
from typing import Any, NamedTuple

import msgspec

from afluente.domain.alarms import AlarmEvent, AlarmState, AlarmTransition, advance, draw
from afluente.domain.constraints import Baseline, RateViolation, Severity, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification, Evaluator, Reason, RuleSet, rule_set_of
from afluente.domain.stream_state import (
    NO_SEQUENCE,
    OpenWindow,
    StreamState,
    WindowPoint,
    is_among,
    order_of,
    reference_of_late,
)

_pack_identity = BinaryLayout("<dqd").pack
# The member of an enum and the constructor of a named tuple are slow, for each point.
_HARD_LIMIT = Reason.HARD_LIMIT
_window_point = partial(tuple.__new__, WindowPoint)
_OLDEST = (-inf, NO_SEQUENCE)


# By position, and not traced by the garbage collector, which takes half of the time of making one: a point refers to
# nothing that could refer to it.
class ClassifiedDataPoint(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A data point with its class and the reasons for it, in the form of the Kinesis streams, without what is empty.

    Attributes:
        point_id: the same at each repetition of this measurement, to drop repeats by.
        classification: its class.
        reason: why.
        late: whether a newer point of its stream was classified before.
        ingested_at, processed_at: when it arrived and when it was classified, in Unix seconds.
        violated_constraints: every bound of the value that was violated, by name, with the bound.
        violated_rate: every bound of the change that was violated, by name.
        severity: the gravest among the violations; None for a normal point.
        config_version: version of the constraints; None where there are none.
        config_key: their scope: `domain/source_id/stream_id`, `domain#stream_type` or `domain`.

    The other attributes are those of `DataPoint`.
    """

    point_id: str
    domain: str
    source_id: str
    stream_id: str
    value: float
    timestamp: float
    classification: Classification
    reason: Reason
    late: bool
    ingested_at: float | None
    processed_at: float
    stream_type: str | None = None
    sequence: int | None = None
    metadata: dict[str, Any] = {}
    violated_constraints: Mapping[str, float] = {}
    violated_rate: Mapping[str, RateViolation] = {}
    severity: Severity | None = None
    config_version: int | None = None
    config_key: str | None = None


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
    its = list(points)
    timestamps = [point.timestamp for point in its]
    # Most come in order.
    is_ordered = all(map(lt, timestamps, islice(timestamps, 1, None)))
    return its if is_ordered else sorted(its, key=order_of)


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
    if not points:
        return ClassificationResult(state, [], 0, [])
    evaluate, alarm_config, version, initial, key, unjudged = rules
    window, alarm = state.window, state.alarm
    baseline = state.baseline if state.newest else _initial_baseline(initial, points[0], evaluate)
    hasher = _hasher(f"{points[0].domain}/{points[0].source_id}/{points[0].stream_id}")
    newest_at, newest_sequence = state.newest or _OLDEST
    is_quiet = _is_quiet(alarm)
    opened: OpenWindow | None = None
    taken: list[WindowPoint] = []
    classified: list[ClassifiedDataPoint] = []
    transitions: list[tuple[AlarmTransition, ClassifiedDataPoint]] = []
    for point in points:
        value, timestamp, sequence = point.value, point.timestamp, point.sequence
        rank = NO_SEQUENCE if sequence is None else sequence
        late = timestamp < newest_at or (timestamp == newest_at and rank <= newest_sequence)
        reference = baseline
        # A point newer than all the others cannot be one of them.
        if late:
            opened = window.opened() if opened is None else opened
            known = opened.last_with(taken)
            if is_among(known, timestamp, rank, value):
                continue
            reference = reference_of_late((timestamp, rank), known)
        classification, reason, values, rates, severity = evaluate(value, timestamp, reference)
        if late and reference is None and severity is None and unjudged is not None:
            classification, reason, values, rates, severity = unjudged
        identity = hasher.copy()
        # + 0.0 makes -0.0 the 0.0 that it equals.
        identity.update(_pack_identity(timestamp + 0.0, rank, value + 0.0))
        point_id = identity.hexdigest()
        classified_point = ClassifiedDataPoint(
            point_id,
            point.domain,
            point.source_id,
            point.stream_id,
            value,
            timestamp,
            classification,
            reason,
            late,
            point.ingested_at,
            processed_at,
            point.stream_type,
            sequence,
            point.metadata,
            values,
            rates,
            severity,
            version,
            key,
        )
        classified.append(classified_point)
        window_point = _window_point((timestamp, rank, value, reason is not _HARD_LIMIT))
        taken.append(window_point)
        if late:
            continue
        newest_at, newest_sequence = timestamp, rank
        if reason is not _HARD_LIMIT:
            baseline = window_point
        if is_quiet and severity is None:
            continue
        alarm, transition = advance(alarm, point_id, timestamp, severity, alarm_config)
        is_quiet = _is_quiet(alarm)
        if transition is not None:
            transitions.append((transition, classified_point))
    alarm, alarms = _published(transitions, alarm)
    after = StreamState((newest_at, newest_sequence), baseline, window.with_taken(taken), alarm)
    return ClassificationResult(after, classified, len(points) - len(classified), alarms)


def _is_quiet(alarm: AlarmState) -> bool:
    """Tell whether a normal point leaves an alarm as it is."""
    return alarm.violations == 0 and alarm.standing is None


def _initial_baseline(initial: Baseline | None, first: DataPoint, evaluate: Evaluator) -> WindowPoint | None:
    """The reading from before the stream was known, if it is older than the first point and within hard limits."""
    if initial is None or first.timestamp <= initial.timestamp:
        return None
    if evaluate(initial.value, initial.timestamp, None).reason is Reason.HARD_LIMIT:
        return None
    return WindowPoint(initial.timestamp, NO_SEQUENCE, initial.value, within_hard_limits=True)


@lru_cache(maxsize=16_384)
def _hasher(stream: str) -> "blake2b":
    """The hasher of the ids of a stream's points: 128 bits of its key, and of timestamp, sequence and value."""
    return blake2b(digest_size=16, key=blake2b(stream.encode(), digest_size=32).digest())


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
