"""Rule sets of legacy thresholds evaluate as the constraints that are equivalent to them."""

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from afluente.domain.classification import ClassificationResult, classify, classify_with
from afluente.domain.constraints import Baseline, RateViolation, Severity, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification
from afluente.domain.stream_state import StreamState
from afluente.migration.domain.evaluation import legacy_rule_set
from afluente.migration.domain.mapping import class_of
from afluente.migration.domain.rules import evaluate
from afluente.migration.domain.thresholds import LatestReading, SensorThresholds
from tests.factories import NOW, a_point, points
from tests.migration.thresholds import a_delta, all_thresholds, an_alert, readings, thresholds

_streams = st.lists(
    st.builds(a_point, readings, at=st.integers(min_value=-2, max_value=6), sequence=st.none() | st.just(1)),
    max_size=20,
)


def classified(
    its_points: list[DataPoint], its: SensorThresholds, state: StreamState | None = None
) -> ClassificationResult:
    return classify_with(legacy_rule_set(its).rule_set, its_points, state or StreamState(), NOW)


def in_other_words(outcome: ClassificationResult) -> ClassificationResult:
    """The result without the version, which differs between thresholds and constraints."""
    plain = [msgspec.structs.replace(point, config_version=None) for point in outcome.points]
    alarms = [msgspec.structs.replace(event, config_version=None) for event in outcome.alarms]
    return outcome._replace(points=plain, alarms=alarms)


@settings(max_examples=400)
@given(all_thresholds, st.none() | st.builds(LatestReading, readings, st.just(NOW - 3600)), _streams)
def test_points_are_classified_as_by_the_equivalent_constraints(
    its: SensorThresholds, latest: LatestReading | None, stream: list[DataPoint]
) -> None:
    its = msgspec.structs.replace(its, latest=latest)
    found = legacy_rule_set(its)
    assume(not found.faults)
    baseline = Baseline(latest.timestamp, latest.value) if latest else None
    state = classify_with(found.rule_set, [], StreamState(), NOW).state
    constraints = VersionedConfig(found.config, 1, baseline) if found.config else None

    new = classify(stream, constraints, StreamState() if constraints else state, NOW)

    assert in_other_words(classified(stream, its)) == in_other_words(new)


@given(all_thresholds, st.lists(readings, max_size=8))
def test_points_are_classified_by_contradictory_thresholds_and_json_can_hold_the_result(
    its: SensorThresholds, values: list[float]
) -> None:
    assume(legacy_rule_set(its).faults)
    stream = [a_point(value, float(second)) for second, value in enumerate(values)]

    outcome = classified(stream, its)

    latest: LatestReading | None = None
    for point in outcome.points:
        verdict = evaluate(point.value, point.timestamp, latest=latest, thresholds=its)
        assert point.classification is class_of(verdict)
        assert (point.severity is None) == (point.classification is Classification.NORMAL)
        if verdict.cause != "physical_range":
            latest = LatestReading(point.value, point.timestamp)
    assert b"null" not in msgspec.json.encode(
        [(point.violated_constraints, point.violated_rate) for point in outcome.points]
    )


@pytest.mark.parametrize(
    ("limits", "severity"),
    [
        ({}, Severity.WARNING),
        ({"severity": "critical"}, Severity.CRITICAL),
    ],
)
def test_contradictory_deltas_say_how_grave_a_spike_is(limits: dict[str, Any], severity: Severity) -> None:
    its = msgspec.structs.replace(thresholds(), deltas=(a_delta(abs_delta=-1, **limits),))

    _, point = classified(points(20, 20), its).points

    assert (point.classification, point.reason, point.severity) == ("anomaly", "rate_of_change", severity)
    assert point.violated_rate == {"abs_delta": RateViolation(-1, 0)}


def test_contradictory_thresholds_say_when_an_alarm_is_raised() -> None:
    its = thresholds(warning_min=30, warning_max=10, consecutive_violations=2, cooldown_seconds=5)

    assert [event.timestamp - NOW + 3600 for event in classified(points(*range(20, 29)), its).alarms] == [1, 6]


def test_a_contradictory_cooldown_is_the_usual_one() -> None:
    its = thresholds(warning_max=10, consecutive_violations=1, cooldown_seconds=float("nan"))

    assert len(classified(points(20, 21, 22), its).alarms) == 1


def test_the_version_of_a_point_is_the_last_change_of_its_thresholds() -> None:
    its = thresholds(warning_max=10, updated_at=1_700_000_000.125)

    assert [point.config_version for point in classified(points(5), its).points] == [1_700_000_000_125]
    assert [point.config_version for point in classified(points(5), thresholds()).points] == [None]


def test_a_zone_beyond_the_physical_range_ends_with_it() -> None:
    its = thresholds(physical_max=100, threshold_max=120)

    (point,) = classified(points(110), its).points

    assert point.violated_constraints == {"max_value": 100, "alert_max": 100}


def test_of_several_rows_the_one_in_force_decides() -> None:
    its = msgspec.structs.replace(thresholds(), alerts=(an_alert(1, warning_max=10), an_alert(2, warning_max=30)))

    assert [point.classification for point in classified(points(20), its).points] == ["normal"]
