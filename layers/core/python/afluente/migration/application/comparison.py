"""Compare what the two ways of judging made of the same points, and say why where it is not the same."""

from collections.abc import Sequence

from afluente.domain.alarms import AlarmChange, AlarmEvent
from afluente.domain.classification import ClassificationResult, ClassifiedDataPoint
from afluente.domain.constraints import Baseline, Severity, StreamConfig
from afluente.domain.evaluation import Classification
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import WindowPoint
from afluente.migration.application.trial import Difference, DifferenceCause
from afluente.migration.domain.mapping import judgement

_BY_RATE = {Classification.ANOMALY, Classification.NORMAL}


def compare(
    key: StreamKey,
    outcomes: tuple[ClassificationResult, ClassificationResult],
    configs: tuple[StreamConfig | None, StreamConfig | None],
    references: Sequence[WindowPoint | None],
) -> list[Difference]:
    """The differences between what the ways made of the same points of a stream, from the same state.

    An alarm that went another way is a difference only where all classes are the same: else it follows from them.

    Args:
        key: of the stream.
        outcomes: of the old way and of the new way.
        configs: the constraints that the old way's thresholds come to, and those of the new way.
        references: what the change of each point was measured by.

    Raises:
        ValueError: the ways did not take the same points.
    """
    old, new = outcomes
    pairs = list(zip(old.points, new.points, references, strict=True))
    differing = [pair for pair in pairs if pair[0].classification is not pair[1].classification]
    alarms = _told_of(old.alarms) ^ _told_of(new.alarms)
    if not differing and not alarms:
        return []
    cause = cause_in_constraints(*configs)
    if not differing:
        first = min(told[0] for told in alarms)
        before, after, reference = next(pair for pair in pairs if pair[0].timestamp == first and not pair[0].late)
        return [_difference(key, cause or DifferenceCause.ALARM, before, after, reference)]
    return [
        _difference(key, cause or _cause_in_classes(before, after), before, after, reference)
        for before, after, reference in differing
    ]


def cause_in_constraints(old: StreamConfig | None, new: StreamConfig | None) -> DifferenceCause | None:
    """How what the ways judge by differs, None where it does not: what they make of points is their own then."""
    old_judgement, new_judgement = judgement(old), judgement(new)
    if old_judgement == new_judgement:
        return None
    if () in (old_judgement, new_judgement):
        return DifferenceCause.NO_CONSTRAINTS
    return DifferenceCause.THRESHOLDS_DIFFER


def _cause_in_classes(old: ClassifiedDataPoint, new: ClassifiedDataPoint) -> DifferenceCause:
    is_by_rate = {old.classification, new.classification} == _BY_RATE
    return DifferenceCause.RATE if is_by_rate else DifferenceCause.VALUE_ZONE


def _told_of(alarms: Sequence[AlarmEvent]) -> set[tuple[float, AlarmChange, Severity, int]]:
    return {(alarm.timestamp, alarm.state, alarm.severity, alarm.count) for alarm in alarms}


def _difference(
    key: StreamKey,
    cause: DifferenceCause,
    old: ClassifiedDataPoint,
    new: ClassifiedDataPoint,
    reference: WindowPoint | None,
) -> Difference:
    return Difference(
        stream=str(key),
        cause=cause,
        old=old.classification,
        new=new.classification,
        value=old.value,
        timestamp=old.timestamp,
        point_id=old.point_id,
        baseline=Baseline(reference.timestamp, reference.value) if reference else None,
    )
