"""The comparison of two results for the same points: by the legacy thresholds, and by constraints."""

from collections.abc import Sequence
from typing import NamedTuple

from afluente.domain.alarms import AlarmChange, AlarmEvent
from afluente.domain.classification import ClassificationResult, ClassifiedDataPoint
from afluente.domain.constraints import Baseline, Severity, StreamConfig
from afluente.domain.evaluation import Classification
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import WindowPoint
from afluente.migration.application.trial import DifferenceCause, PointDifference
from afluente.migration.domain.mapping import effect_of

_BY_RATE = {Classification.ANOMALY, Classification.NORMAL}


class Results(NamedTuple):
    """The results for points of a stream, from the same state."""

    by_thresholds: ClassificationResult
    by_constraints: ClassificationResult


class Configs(NamedTuple):
    """The constraints that are equivalent to a stream's thresholds, and the stream's own; None for none."""

    of_thresholds: StreamConfig | None
    of_stream: StreamConfig | None


def compare(
    key: StreamKey, results: Results, configs: Configs, references: Sequence[WindowPoint | None]
) -> list[PointDifference]:
    """The differences between two results.

    Different alarms count only if all classes are the same: otherwise they follow from the classes.

    Args:
        key: of the stream.
        results: for the same points.
        configs: that led to them.
        references: the point that each point's change was measured against.

    Raises:
        ValueError: the results are not of the same points.
    """
    pairs = list(zip(results.by_thresholds.points, results.by_constraints.points, references, strict=True))
    differing = [pair for pair in pairs if pair[0].classification is not pair[1].classification]
    alarms = _comparable(results.by_thresholds.alarms) ^ _comparable(results.by_constraints.alarms)
    if not differing and not alarms:
        return []
    cause = cause_in_configs(configs)
    if not differing:
        first = min(alarm[0] for alarm in alarms)
        legacy, migrated, reference = next(pair for pair in pairs if pair[0].timestamp == first and not pair[0].late)
        return [_difference(key, cause or DifferenceCause.ALARM, legacy, migrated, reference)]
    return [
        _difference(key, cause or _cause_in_classes(legacy, migrated), legacy, migrated, reference)
        for legacy, migrated, reference in differing
    ]


def cause_in_configs(configs: Configs) -> DifferenceCause | None:
    """The difference between two constraints that explains different results; None if they are equivalent."""
    of_thresholds, of_stream = map(effect_of, configs)
    if of_thresholds == of_stream:
        return None
    if () in (of_thresholds, of_stream):
        return DifferenceCause.NO_CONSTRAINTS
    return DifferenceCause.THRESHOLDS_DIFFER


def _cause_in_classes(legacy: ClassifiedDataPoint, migrated: ClassifiedDataPoint) -> DifferenceCause:
    is_by_rate = {legacy.classification, migrated.classification} == _BY_RATE
    return DifferenceCause.RATE if is_by_rate else DifferenceCause.VALUE_ZONE


def _comparable(alarms: Sequence[AlarmEvent]) -> set[tuple[float, AlarmChange, Severity, int]]:
    return {(alarm.timestamp, alarm.state, alarm.severity, alarm.count) for alarm in alarms}


def _difference(
    key: StreamKey,
    cause: DifferenceCause,
    legacy: ClassifiedDataPoint,
    migrated: ClassifiedDataPoint,
    reference: WindowPoint | None,
) -> PointDifference:
    return PointDifference(
        stream=str(key),
        cause=cause,
        legacy_class=legacy.classification,
        constraints_class=migrated.classification,
        value=legacy.value,
        timestamp=legacy.timestamp,
        point_id=legacy.point_id,
        baseline=Baseline(reference.timestamp, reference.value) if reference else None,
    )
