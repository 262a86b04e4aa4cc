"""Classification, rule by rule, in examples."""

from collections import Counter
from itertools import permutations
from sys import float_info
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afluente.domain import evaluation
from afluente.domain.alarms import BUDGET, BUDGET_SECONDS, AlarmChange, AlarmState, in_order
from afluente.domain.classification import (
    ClassificationResult,
    ClassifiedDataPoint,
    classify,
    in_stream_order,
)
from afluente.domain.constraints import Baseline, RateViolation, Severity, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification, Reason
from afluente.domain.stream_state import WINDOW, StreamState
from tests.factories import NOW, a_point, an_alarm_event, constraints, points

ALL_VALUES: dict[str, Any] = {
    "min_value": 0.0,
    "alert_min": 10.0,
    "warning_min": 20.0,
    "warning_max": 30.0,
    "alert_max": 40.0,
    "max_value": 50.0,
}


def classified(
    its_points: list[DataPoint], its_constraints: VersionedConfig | None, state: StreamState | None = None
) -> list[ClassifiedDataPoint]:
    return result_of(its_points, its_constraints, state).points


def result_of(
    its_points: list[DataPoint], its_constraints: VersionedConfig | None, state: StreamState | None = None
) -> ClassificationResult:
    return classify(its_points, its_constraints, state or StreamState(), processed_at=NOW)


def violated_rates_of(before: float, after: float, *, dt: float = 1.0, **bounds: Any) -> dict[str, RateViolation]:
    """Violated rates of a stream whose value went from `before` to `after` in `dt` seconds."""
    _, point = classified([a_point(before), a_point(after, dt, sequence=1)], constraints(**bounds))
    return dict(point.violated_rate)


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "classification", "reason", "violated", "severity"),
    [
        (-0.001, "alert", "hard_limit", ["min_value", "alert_min", "warning_min"], "critical"),
        (0.0, "alert", "alert_zone", ["alert_min", "warning_min"], "alert"),
        (9.999, "alert", "alert_zone", ["alert_min", "warning_min"], "alert"),
        (10.0, "warning", "warning_zone", ["warning_min"], "warning"),
        (19.999, "warning", "warning_zone", ["warning_min"], "warning"),
        (20.0, "normal", "within_constraints", [], None),
        (30.0, "normal", "within_constraints", [], None),
        (30.001, "warning", "warning_zone", ["warning_max"], "warning"),
        (40.0, "warning", "warning_zone", ["warning_max"], "warning"),
        (40.001, "alert", "alert_zone", ["alert_max", "warning_max"], "alert"),
        (50.0, "alert", "alert_zone", ["alert_max", "warning_max"], "alert"),
        (50.001, "alert", "hard_limit", ["max_value", "alert_max", "warning_max"], "critical"),
    ],
)
def test_a_bound_itself_is_allowed_and_every_violated_one_is_listed(
    value: float, classification: str, reason: str, violated: list[str], severity: str | None
) -> None:
    (point,) = classified([a_point(value)], constraints(**ALL_VALUES))

    assert (point.classification, point.reason, point.severity) == (classification, reason, severity)
    assert point.violated_constraints == {name: ALL_VALUES[name] for name in violated}


@pytest.mark.parametrize(
    ("bound", "value", "classification", "reason"),
    [
        ("min_value", -1.0, Classification.ALERT, Reason.HARD_LIMIT),
        ("max_value", 1.0, Classification.ALERT, Reason.HARD_LIMIT),
        ("alert_min", -1.0, Classification.ALERT, Reason.ALERT_ZONE),
        ("alert_max", 1.0, Classification.ALERT, Reason.ALERT_ZONE),
        ("warning_min", -1.0, Classification.WARNING, Reason.WARNING_ZONE),
        ("warning_max", 1.0, Classification.WARNING, Reason.WARNING_ZONE),
    ],
)
def test_a_single_bound_decides_for_its_own_side_alone(
    bound: str, value: float, classification: Classification, reason: Reason
) -> None:
    only: dict[str, Any] = {bound: 0.0}
    beyond, at, within = classified([a_point(value), a_point(0.0, 1), a_point(-value, 2)], constraints(**only))

    assert (beyond.classification, beyond.reason) == (classification, reason)
    assert beyond.violated_constraints == {bound: 0.0}
    assert {at.classification, within.classification} == {Classification.NORMAL}


def test_an_alert_zone_inside_the_normal_band_is_still_an_alert() -> None:
    (point,) = classified([a_point(25.0)], constraints(warning_max=30, alert_max=20))

    assert (point.classification, dict(point.violated_constraints)) == (Classification.ALERT, {"alert_max": 20})


# --- changes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "before", "after", "dt", "observed"),
    [
        ({"abs_delta": 5.0}, 10.0, 15.5, 1.0, 5.5),
        ({"abs_delta": 5.0}, 10.0, 4.5, 1.0, 5.5),
        ({"rel_delta": 50.0}, 10.0, 16.0, 1.0, 60.0),
        ({"rel_delta": 50.0}, -10.0, -4.0, 1.0, 60.0),
        ({"abs_slope": 2.0}, 10.0, 15.0, 2.0, 2.5),
        ({"rel_slope": 20.0}, 10.0, 15.0, 2.0, 25.0),
    ],
)
def test_a_change_beyond_its_bound_is_an_anomaly_with_limit_and_observed(
    bounds: dict[str, Any], before: float, after: float, dt: float, observed: float
) -> None:
    _, point = classified([a_point(before), a_point(after, dt)], constraints(**bounds))
    ((name, limit),) = bounds.items()

    assert (point.classification, point.reason) == (Classification.ANOMALY, Reason.RATE_OF_CHANGE)
    assert point.violated_rate == {name: RateViolation(limit, observed)}
    assert point.violated_constraints == {}


@pytest.mark.parametrize(
    ("bounds", "before", "after", "dt"),
    [
        ({"abs_delta": 5.0}, 10.0, 15.0, 1.0),
        ({"rel_delta": 50.0}, 10.0, 15.0, 1.0),
        ({"abs_slope": 2.5}, 10.0, 15.0, 2.0),
        ({"rel_slope": 25.0}, 10.0, 15.0, 2.0),
    ],
)
def test_a_change_as_large_as_its_bound_is_allowed(
    bounds: dict[str, Any], before: float, after: float, dt: float
) -> None:
    assert violated_rates_of(before, after, dt=dt, **bounds) == {}


def test_every_violated_change_is_listed() -> None:
    violated = violated_rates_of(10, 20, dt=2, abs_delta=1, rel_delta=1, abs_slope=1, rel_slope=1)

    assert violated == {
        "abs_delta": RateViolation(1, 10),
        "rel_delta": RateViolation(1, 100),
        "abs_slope": RateViolation(1, 5),
        "rel_slope": RateViolation(1, 50),
    }


def test_against_a_value_of_zero_the_relative_bounds_do_not_apply() -> None:
    violated = violated_rates_of(0, 20, abs_delta=1, rel_delta=1, abs_slope=1, rel_slope=1)

    assert set(violated) == {"abs_delta", "abs_slope"}


def test_at_the_time_of_the_reference_the_slopes_do_not_apply() -> None:
    violated = violated_rates_of(10, 20, dt=0, abs_delta=1, rel_delta=1, abs_slope=1, rel_slope=1)

    assert set(violated) == {"abs_delta", "rel_delta"}


@pytest.mark.parametrize(
    ("before", "after", "dt"), [(-1e308, 1e308, 1.0), (5e-324, 1.0, 1.0), (1.0, 2.0, 1e-7), (1e-300, 1e300, 1e-7)]
)
def test_a_change_beyond_what_a_double_holds_is_violated_by_a_finite_figure(
    before: float, after: float, dt: float
) -> None:
    # Near the time 0 doubles are fine enough for any dt.
    stream = [a_point(before, timestamp=0.0), a_point(after, timestamp=dt)]
    _, point = classified(stream, constraints(abs_delta=0, rel_delta=0, abs_slope=0, rel_slope=0))

    assert len(point.violated_rate) == 4
    assert all(violation.observed <= float_info.max for violation in point.violated_rate.values())


def test_the_first_point_of_a_stream_has_no_change() -> None:
    (point,) = classified([a_point(1e9)], constraints(abs_delta=0))

    assert (point.classification, point.reason) == (Classification.NORMAL, Reason.WITHIN_CONSTRAINTS)


def test_a_change_is_measured_against_the_point_before() -> None:
    found = classified(points(10, 14, 18, 23), constraints(abs_delta=4))

    assert [point.classification for point in found] == ["normal", "normal", "normal", "anomaly"]


def test_an_anomaly_is_the_baseline_of_the_next_point() -> None:
    found = classified(points(10, 20, 21), constraints(abs_delta=5))

    assert [point.classification for point in found] == ["normal", "anomaly", "normal"]


def test_a_point_in_the_alert_zone_is_the_baseline_of_the_next_point() -> None:
    found = classified(points(10, 45, 46), constraints(alert_max=40, abs_delta=5))

    assert [list(point.violated_rate) for point in found] == [[], ["abs_delta"], []]


def test_a_point_beyond_a_hard_limit_is_nobodys_baseline() -> None:
    found = classified(points(10, 999, 11, 12), constraints(max_value=100, abs_delta=5))

    assert [point.classification for point in found] == ["normal", "alert", "normal", "normal"]
    assert dict(found[1].violated_rate) == {"abs_delta": RateViolation(5, 989)}


def test_the_slope_reaches_back_over_points_beyond_a_hard_limit() -> None:
    found = classified(points(10, 999, 13), constraints(max_value=100, abs_slope=1))

    assert found[2].violated_rate == {"abs_slope": RateViolation(1, 1.5)}


def test_a_stream_that_began_beyond_a_hard_limit_has_no_baseline() -> None:
    found = classified(points(999, 10, 16), constraints(max_value=100, abs_delta=5))

    assert [list(point.violated_rate) for point in found] == [[], [], ["abs_delta"]]


# --- where a stream stood before it was known -------------------------------------------------------------------------


def known_before(value: float, at: float = -10, **limits: Any) -> VersionedConfig:
    """Constraints of a stream whose last reading was `at` seconds from the time of `points`."""
    return VersionedConfig(constraints(**limits).config, 1, Baseline(NOW - 3600 + at, value))


def test_the_first_point_is_measured_against_the_initial_baseline() -> None:
    (point,) = classified(points(20), known_before(10, abs_delta=4, abs_slope=0.5))

    assert point.violated_rate == {"abs_delta": RateViolation(4, 10), "abs_slope": RateViolation(0.5, 1)}


def test_a_last_reading_beyond_a_hard_limit_is_nobodys_baseline() -> None:
    result = result_of(points(20), known_before(999, abs_delta=4, max_value=100))

    assert [point.classification for point in result.points] == ["normal"]


@pytest.mark.parametrize("at", [-20, -10])
def test_no_point_is_late_or_a_duplicate_because_of_the_last_reading_from_before(at: float) -> None:
    result = result_of([a_point(10, at=at), a_point(12, at=-5)], known_before(10, at=-10, abs_delta=1))

    assert [(point.value, point.late, point.classification) for point in result.points] == [
        (10, False, "normal"),
        (12, False, "anomaly"),
    ]
    assert result.duplicates == 0


def test_a_point_that_is_late_later_is_not_measured_against_the_initial_baseline() -> None:
    state = result_of(points(10), known_before(99)).state

    (point,) = classified([a_point(10, at=-5)], known_before(99, abs_delta=1), state)

    assert (point.late, point.classification) == (True, "normal")


def test_a_known_stream_ignores_the_initial_baseline() -> None:
    state = result_of(points(20), constraints()).state

    assert [point.classification for point in classified([a_point(21, 1)], known_before(99, abs_delta=4), state)] == [
        "normal"
    ]


def test_the_last_reading_from_before_counts_towards_no_alarm() -> None:
    result = result_of(points(50), known_before(50, warning_max=40, consecutive_violations_required=2))

    assert result.alarms == []
    assert result.state.alarm.violations == 1


def test_a_stream_without_new_points_stays_as_it_is() -> None:
    assert result_of([], known_before(10)).state == StreamState()


# --- which violation decides -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "classification", "reason"),
    [
        (60.0, Classification.ALERT, Reason.HARD_LIMIT),
        (45.0, Classification.ALERT, Reason.ALERT_ZONE),
        (35.0, Classification.WARNING, Reason.WARNING_ZONE),
        (29.0, Classification.ANOMALY, Reason.RATE_OF_CHANGE),
        (25.5, Classification.NORMAL, Reason.WITHIN_CONSTRAINTS),
    ],
)
def test_the_gravest_violation_decides_and_the_change_is_listed_beside_it(
    after: float, classification: Classification, reason: Reason
) -> None:
    _, point = classified(points(25, after), constraints(**ALL_VALUES, abs_delta=1))

    assert (point.classification, point.reason) == (classification, reason)
    assert bool(point.violated_rate) == (after != 25.5)


@pytest.mark.parametrize(
    ("after", "of_rate", "severity"),
    [
        (29.0, "warning", Severity.WARNING),
        (29.0, "critical", Severity.CRITICAL),
        (35.0, "warning", Severity.WARNING),
        (35.0, "critical", Severity.CRITICAL),
        (45.0, "warning", Severity.ALERT),
        (45.0, "critical", Severity.CRITICAL),
        (60.0, "warning", Severity.CRITICAL),
    ],
)
def test_the_severity_is_the_gravest_of_value_and_change(after: float, of_rate: str, severity: Severity) -> None:
    _, point = classified(points(25, after), constraints(**ALL_VALUES, abs_delta=1, severity=Severity(of_rate)))

    assert point.severity is severity


def test_the_severity_of_a_change_counts_only_where_the_change_is_violated() -> None:
    (point,) = classified([a_point(35)], constraints(**ALL_VALUES, abs_delta=1, severity=Severity.CRITICAL))

    assert point.severity is Severity.WARNING


def test_a_stream_without_constraints_is_normal_with_the_reason() -> None:
    found = classified(points(1, 1e300, -1e300), None)

    assert {(point.classification, point.reason) for point in found} == {("normal", "no_constraints")}
    assert {(point.severity, point.config_version) for point in found} == {(None, None)}


def test_constraints_that_bound_nothing_are_constraints() -> None:
    (point,) = classified([a_point(1e300)], constraints(version=7))

    assert (point.reason, point.config_version) == (Reason.WITHIN_CONSTRAINTS, 7)


def test_each_constraints_have_their_own_rule_set_however_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "_MAX_COMPILED", 3)
    kept = [constraints(version=number, max_value=number) for number in range(8)]

    for found in [*kept, *reversed(kept)]:
        limit = found.config.value_constraints.max_value or 0
        at, beyond = classified([a_point(limit), a_point(limit + 1, at=1)], found)

        assert (at.classification, beyond.classification) == ("normal", "alert")
        assert beyond.config_version == found.version


def test_reasons_are_a_closed_set() -> None:
    assert set(Reason) == {
        "hard_limit",
        "alert_zone",
        "warning_zone",
        "rate_of_change",
        "rate_unjudged",
        "within_constraints",
        "no_constraints",
    }


def test_a_classified_point_carries_all_of_the_point() -> None:
    fields: dict[str, Any] = {"stream_type": "thermocouple", "sequence": 7, "metadata": {"batch": "b-1"}}
    point = a_point(20, ingested_at=NOW - 1, **fields)

    (found,) = classified([point], constraints(version=3, warning_max=9))

    assert {name: getattr(found, name) for name in fields} == fields
    assert (found.domain, found.source_id, found.stream_id) == ("iot", "furnace-1", "temperature")
    assert (found.value, found.timestamp) == (20.0, point.timestamp)
    assert (found.ingested_at, found.processed_at, found.config_version) == (NOW - 1, NOW, 3)


# --- order, late points ----------------------------------------------------------------------------------------------


def test_points_are_ordered_by_time_then_sequence_and_one_without_comes_first() -> None:
    in_order = [
        a_point(5, at=-1, sequence=9),
        a_point(1, at=0),
        a_point(2, at=0, sequence=0),
        a_point(3, at=0, sequence=1),
        a_point(4, at=1),
    ]

    assert all(in_stream_order(shuffled) == in_order for shuffled in permutations(in_order))


def test_points_of_one_time_and_sequence_keep_the_order_in_which_they_arrived() -> None:
    arrived = [a_point(3), a_point(1), a_point(2)]

    assert in_stream_order(arrived) == arrived


@pytest.mark.parametrize(
    ("at", "sequence", "late"),
    [(10, None, True), (10, 4, True), (10, 5, True), (10, 6, False), (11, None, False), (9, 9, True)],
)
def test_a_point_not_newer_than_the_newest_seen_is_late(at: float, sequence: int | None, *, late: bool) -> None:
    _, point = classified([a_point(1, at=10, sequence=5), a_point(2, at=at, sequence=sequence)], None)

    assert point.late is late


def test_the_value_of_a_late_point_is_classified_as_ever() -> None:
    _, point = classified([a_point(20, at=10), a_point(99, at=5)], constraints(max_value=50))

    assert (point.late, point.reason) == (True, Reason.HARD_LIMIT)


def test_the_change_of_a_late_point_is_measured_against_the_newest_point_older_than_it() -> None:
    stream = [a_point(10, at=0), a_point(20, at=10), a_point(40, at=20), a_point(22, at=15)]

    found = classified(stream, constraints(abs_delta=1, abs_slope=0.3))

    assert found[3].late
    assert found[3].violated_rate == {
        "abs_delta": RateViolation(1, 2),
        "abs_slope": RateViolation(0.3, 0.4),
    }


def test_a_late_point_older_than_all_in_the_window_is_measured_against_the_oldest_of_them() -> None:
    stream = [a_point(10, at=10), a_point(10.5, at=20), a_point(14, at=5)]

    found = classified(stream, constraints(abs_delta=1, abs_slope=0.5))

    assert found[2].late
    assert found[2].violated_rate == {"abs_delta": RateViolation(1, 4), "abs_slope": RateViolation(0.5, 0.8)}


def test_history_that_comes_newest_first_is_measured_each_point_by_its_neighbour() -> None:
    newest_first = [a_point(50, at=100), *(a_point(value, at=50 - value) for value in (10, 11, 12, 30, 31))]

    found = classified(newest_first, constraints(abs_delta=45, abs_slope=2))

    assert [point.classification for point in found] == ["normal", *["normal"] * 5]
    assert [list(point.violated_rate) for point in classified(newest_first, constraints(abs_delta=5))] == [
        [],
        ["abs_delta"],
        [],
        [],
        ["abs_delta"],
        [],
    ]


def test_of_equally_old_points_a_late_one_older_than_all_is_measured_against_the_first_classified() -> None:
    stream = [a_point(10, at=10), a_point(90, at=10), a_point(11, at=5)]

    assert [point.classification for point in classified(stream, constraints(abs_delta=5))] == [
        "normal",
        "anomaly",
        "normal",
    ]


def test_points_of_one_time_are_measured_against_the_first_of_them() -> None:
    stream = [a_point(20), a_point(5), a_point(30)]

    found = classified(stream, constraints(abs_delta=10, abs_slope=0))

    assert [dict(point.violated_rate) for point in found] == [{}, {"abs_delta": RateViolation(10, 15)}, {}]


def test_a_late_value_whose_change_cannot_be_measured_is_no_normal_one() -> None:
    only_beyond = [a_point(999, at=10), a_point(20, at=5)]

    _, point = classified(only_beyond, constraints(max_value=100, abs_slope=1, severity=Severity.CRITICAL))

    assert (point.classification, point.reason, point.severity) == ("anomaly", "rate_unjudged", "critical")
    assert (dict(point.violated_constraints), dict(point.violated_rate)) == ({}, {})


def test_a_late_value_that_violates_a_bound_has_the_reason_of_that_bound() -> None:
    only_beyond = [a_point(999, at=10), a_point(50, at=5)]

    _, point = classified(only_beyond, constraints(max_value=100, warning_max=40, abs_delta=1))

    assert (point.classification, point.reason, point.severity) == ("warning", "warning_zone", "warning")


def test_a_late_value_is_normal_without_a_reference_where_no_change_is_bounded() -> None:
    only_beyond = [a_point(999, at=10), a_point(20, at=5)]

    assert [point.reason for point in classified(only_beyond, constraints(max_value=100))] == [
        "hard_limit",
        "within_constraints",
    ]


def test_an_anomaly_that_is_sent_again_after_the_window_is_an_anomaly_again() -> None:
    stream = [a_point(10, at=0), a_point(90, at=1), *(a_point(10, at=2 + step) for step in range(40))]

    again = classified([*stream, stream[1]], constraints(abs_delta=5))[-1]

    assert (again.late, again.classification) == (True, "anomaly")


def test_a_late_point_is_not_measured_against_one_beyond_a_hard_limit() -> None:
    stream = [a_point(10, at=0), a_point(999, at=10), a_point(12, at=20), a_point(11, at=15)]

    found = classified(stream, constraints(max_value=100, abs_delta=5))

    assert (found[3].late, found[3].classification) == (True, Classification.NORMAL)


def test_a_late_point_is_measured_against_a_late_one_that_was_classified_before_it() -> None:
    stream = [a_point(10, at=0), a_point(10, at=20), a_point(30, at=10), a_point(31, at=11)]

    found = classified(stream, constraints(abs_delta=5))

    assert [point.classification for point in found] == ["normal", "normal", "anomaly", "normal"]


def test_of_equally_new_points_a_late_one_is_measured_against_the_last_classified() -> None:
    stream = [a_point(10, at=0), a_point(90, at=20), a_point(50, at=0), a_point(51, at=10)]

    found = classified(stream, constraints(abs_delta=5))

    assert (found[3].late, found[3].classification) == (True, Classification.NORMAL)


def test_a_late_point_of_the_same_time_is_measured_by_its_sequence_and_has_no_slope() -> None:
    stream = [a_point(10, at=0, sequence=1), a_point(10, at=9), a_point(20, at=0, sequence=2)]

    found = classified(stream, constraints(abs_delta=1, abs_slope=0))

    assert found[2].violated_rate == {"abs_delta": RateViolation(1, 10)}


def test_a_late_point_is_measured_against_the_window_and_no_older_point() -> None:
    def class_after(points_after: int) -> Classification:
        stream = [a_point(10, at=0), *(a_point(50, at=100 + step) for step in range(points_after)), a_point(50, at=1)]
        return classified(stream, constraints(abs_delta=5))[-1].classification

    assert class_after(points_after=WINDOW - 1) == Classification.ANOMALY
    assert class_after(points_after=WINDOW) == Classification.NORMAL


def test_a_late_point_leaves_the_baseline_as_it_is() -> None:
    stream = [a_point(10, at=10), a_point(90, at=5), a_point(12, at=11)]

    found = classified(stream, constraints(abs_delta=5))

    assert found[2].classification == Classification.NORMAL


def test_a_late_point_leaves_the_alarm_as_it_is() -> None:
    late_violations = [a_point(99, at=-step) for step in range(1, 10)]

    result = result_of(
        [a_point(99, at=0), *late_violations, a_point(99, at=1)],
        constraints(max_value=50, consecutive_violations_required=3),
    )

    assert result.alarms == []
    assert result.state.alarm.violations == 2


def test_late_normal_points_do_not_clear_an_alarm() -> None:
    result = result_of(
        [a_point(99, at=0), *(a_point(1, at=-step) for step in range(1, 10))],
        constraints(max_value=50, consecutive_violations_required=1),
    )

    assert [event.state for event in result.alarms] == [AlarmChange.RAISED]


# --- duplicates ------------------------------------------------------------------------------------------------------


def test_a_repeated_point_is_counted_and_not_written() -> None:
    stream = points(1, 2, 3)

    result = result_of([*stream, stream[1], stream[2]], None)

    assert [point.value for point in result.points] == [1, 2, 3]
    assert result.duplicates == 2


@pytest.mark.parametrize(
    "changed", [{"value": 2.0}, {"at": 1.0}, {"sequence": 0}], ids=["value", "timestamp", "sequence"]
)
def test_a_point_that_differs_in_time_sequence_or_value_is_another(changed: dict[str, Any]) -> None:
    result = result_of([a_point(1.0), a_point(**{"value": 1.0} | changed)], None)

    assert (len(result.points), result.duplicates) == (2, 0)


def test_a_point_that_differs_in_type_or_metadata_alone_is_a_duplicate() -> None:
    result = result_of([a_point(1.0), a_point(1.0, stream_type="other", metadata={"a": 1})], None)

    assert (len(result.points), result.duplicates) == (1, 1)


def test_negative_zero_is_a_duplicate_of_zero_and_has_its_id() -> None:
    assert result_of([a_point(0.0), a_point(-0.0)], None).duplicates == 1
    (plus,) = classified([a_point(0.0, timestamp=0.0)], None)
    (minus,) = classified([a_point(-0.0, timestamp=-0.0)], None)
    assert plus.point_id == minus.point_id


def test_a_duplicate_is_recognised_within_the_window_and_no_further_back() -> None:
    def duplicates(points_after: int) -> int:
        first = a_point(1.0)
        return result_of([first, *(a_point(1.0, at=1 + step) for step in range(points_after)), first], None).duplicates

    assert duplicates(points_after=WINDOW - 1) == 1
    assert duplicates(points_after=WINDOW) == 0


def test_a_duplicate_takes_no_place_in_the_window() -> None:
    first, second = a_point(1.0), a_point(1.0, at=1)
    others = [a_point(1.0, at=2 + step) for step in range(WINDOW - 2)]

    result = result_of([first, second, *[second] * 50, *others, first], None)

    assert result.duplicates == 51


def test_a_duplicate_leaves_the_state_as_it_is() -> None:
    stream = points(10, 99)
    its_constraints = constraints(max_value=50, abs_delta=5)
    before = result_of(stream, its_constraints).state

    result = result_of([stream[1], stream[0]], its_constraints, before)

    assert result == ClassificationResult(before, [], 2, [])


# --- ids -------------------------------------------------------------------------------------------------------------


def test_a_point_has_the_same_id_however_often_and_whenever_it_is_classified() -> None:
    (first,) = classify([a_point(1, ingested_at=1.0)], None, StreamState(), processed_at=NOW).points
    (again,) = classify([a_point(1, ingested_at=2.0)], constraints(max_value=0), StreamState(), NOW + 9).points

    assert first.point_id == again.point_id
    # Written down once: consumers keep ids longer than a release lives.
    assert first.point_id == "12a1a3b7657d7ae0cd50963ba7f2d023"


@pytest.mark.parametrize(
    "changed",
    [
        {"value": 2.0},
        {"at": 1.0},
        {"sequence": 0},
        {"stream_id": "pressure"},
        {"source_id": "furnace-2"},
        {"domain": "health"},
    ],
)
def test_another_point_has_another_id(changed: dict[str, Any]) -> None:
    (first,) = classified([a_point(1)], None)
    (other,) = classified([a_point(**{"value": 1.0} | changed)], None)

    assert first.point_id != other.point_id


# --- state -----------------------------------------------------------------------------------------------------------


def test_no_points_change_nothing() -> None:
    state = result_of(points(1, 2, 3), None).state

    assert result_of([], constraints(max_value=1), state) == ClassificationResult(state, [], 0, [])


def test_a_state_holds_the_newest_point_the_baseline_and_the_last_32_points() -> None:
    stream = [*(a_point(float(step), at=step) for step in range(40)), a_point(999, at=40), a_point(5.5, at=5.5)]

    state = result_of(stream, constraints(max_value=100)).state

    assert state.newest == (a_point(at=40).timestamp, -1)
    assert state.baseline is not None
    assert state.baseline.value == 39
    assert [point.value for point in state.window.opened().points()] == [*map(float, range(10, 40)), 999, 5.5]
    assert [point.within_hard_limits for point in state.window.opened().points()] == [True] * 30 + [False, True]


def test_new_constraints_go_on_with_the_state_under_the_old_ones() -> None:
    state = result_of([a_point(10)], None).state

    (point,) = classified([a_point(20, at=1)], constraints(version=2, abs_delta=5), state)

    assert (point.classification, point.config_version) == (Classification.ANOMALY, 2)


def test_an_alarm_event_names_the_point_that_changed_the_alarm() -> None:
    result = result_of(
        points(60, 61, 20, 21), constraints(max_value=50, consecutive_violations_required=2, cooldown_seconds=0)
    )

    raised, cleared = result.alarms
    start = a_point().timestamp
    assert (raised.state, raised.domain, raised.source_id, raised.stream_id) == (
        "raised",
        "iot",
        "furnace-1",
        "temperature",
    )
    assert (raised.classification, raised.severity, raised.reason) == ("alert", "critical", "hard_limit")
    assert (raised.value, raised.timestamp, raised.count, raised.raised_at) == (61, start + 1, 2, start + 1)
    assert (cleared.state, cleared.alarm_id) == ("cleared", raised.alarm_id)
    assert (cleared.classification, cleared.severity, cleared.reason) == ("normal", "critical", "within_constraints")
    assert (cleared.value, cleared.timestamp, cleared.count, cleared.raised_at) == (21, start + 3, 2, start + 1)


def test_an_alarm_event_carries_the_violations_and_the_constraints_of_its_point() -> None:
    stream = [a_point(20, stream_type="celsius"), a_point(60, at=1, stream_type="celsius", sequence=4)]
    found = VersionedConfig(
        constraints(max_value=50, abs_delta=5, consecutive_violations_required=1).config, 7, key="iot#celsius"
    )

    ((raised,), point) = (result_of(stream, found).alarms, classified(stream, found)[1])

    assert (raised.kind, raised.transition, raised.transitions_omitted) == ("violation", 1, None)
    assert (raised.point_id, raised.sequence, raised.stream_type) == (point.point_id, 4, "celsius")
    assert raised.violated_constraints == {"max_value": 50}
    assert raised.violated_rate == {"abs_delta": RateViolation(5, 40)}
    assert (raised.config_version, raised.config_key) == (7, "iot#celsius")
    assert (point.config_version, point.config_key) == (7, "iot#celsius")


def test_three_points_of_one_time_are_three_events_and_the_alarm_that_stands_is_the_second() -> None:
    stream = [a_point(value, sequence=place) for place, value in enumerate((20, 5, 30))]

    result = result_of(stream, constraints(max_value=10, consecutive_violations_required=1, cooldown_seconds=0))

    first, cleared, second = result.alarms
    assert [event.state.value for event in result.alarms] == ["raised", "cleared", "raised"]
    assert [event.transition for event in result.alarms] == [1, 2, 1]
    assert first.alarm_id == cleared.alarm_id != second.alarm_id
    assert len({event.identity for event in result.alarms}) == 3
    assert result.state.alarm.standing is not None
    assert result.state.alarm.standing.alarm_id == second.alarm_id


# --- budget of transitions -------------------------------------------------------------------------------------------

EACH_ONE_RAISES: dict[str, Any] = {"max_value": 50, "consecutive_violations_required": 1, "cooldown_seconds": 0}


def violations(number: int, *, begin: int = 0, ingested_at: float = NOW) -> list[DataPoint]:
    return [a_point(99, at=begin + step, ingested_at=ingested_at) for step in range(number)]


def test_a_burst_of_transitions_is_published_up_to_the_budget_and_its_last_one() -> None:
    result = result_of(violations(BUDGET + 500), constraints(**EACH_ONE_RAISES))

    assert [event.transition for event in result.alarms] == [*range(1, BUDGET + 1), BUDGET + 500]
    assert [event.transitions_omitted for event in result.alarms] == [*[None] * BUDGET, 499]


def test_a_burst_of_as_many_transitions_as_the_budget_omits_none() -> None:
    result = result_of(violations(BUDGET), constraints(**EACH_ONE_RAISES))

    assert len(result.alarms) == BUDGET
    assert {event.transitions_omitted for event in result.alarms} == {None}


def test_beyond_the_budget_each_pack_publishes_its_last_transition() -> None:
    state = result_of(violations(BUDGET), constraints(**EACH_ONE_RAISES)).state

    first = result_of(violations(5, begin=9_000), constraints(**EACH_ONE_RAISES), state)
    second = result_of(violations(1, begin=9_100), constraints(**EACH_ONE_RAISES), first.state)

    assert [(event.transition, event.transitions_omitted) for event in first.alarms] == [(BUDGET + 5, 4)]
    assert [(event.transition, event.transitions_omitted) for event in second.alarms] == [(BUDGET + 6, None)]


@pytest.mark.parametrize(("seconds", "published"), [(9, 1), (10, 1), (20, 2), (25, 2), (30, 3), (10**6, 5)])
def test_one_more_transition_is_published_every_ten_seconds_of_arrival(seconds: int, published: int) -> None:
    state = result_of(violations(BUDGET), constraints(**EACH_ONE_RAISES)).state

    later = violations(5, begin=9_000, ingested_at=NOW + seconds)
    result = result_of(later, constraints(**EACH_ONE_RAISES), state)

    # And the last one, which is published in any case.
    assert len(result.alarms) == min(published + (seconds >= 10), 5)


def test_beyond_the_budget_the_alarm_goes_on_as_it_would() -> None:
    state = result_of(violations(BUDGET), constraints(**EACH_ONE_RAISES)).state
    changing = [a_point(99 * (step % 2), at=9_000 + step, ingested_at=NOW) for step in range(6)]

    result = result_of(changing, constraints(**EACH_ONE_RAISES), state)

    assert [(event.state.value, event.transition) for event in result.alarms] == [("raised", 1)]
    assert result.alarms[0].transitions_omitted == 5
    assert result.state.alarm.standing is not None
    assert result.state.alarm.standing.alarm_id == result.alarms[0].alarm_id


@given(
    st.lists(st.tuples(st.integers(1, 12), st.floats(min_value=0, max_value=60)), max_size=40),
    st.integers(min_value=BUDGET - 10, max_value=BUDGET),
)
@settings(max_examples=100)
def test_published_transitions_stay_within_the_budget_and_a_pack_that_comes_again_publishes_the_same(
    packs: list[tuple[int, float]], spent: int
) -> None:
    found, now, published, at = constraints(**EACH_ONE_RAISES), NOW, 0, 0
    state = StreamState(alarm=AlarmState(budget_restored_at=int(NOW) + spent * BUDGET_SECONDS))
    for number, pause in packs:
        now += pause
        its_points = violations(number, begin=at, ingested_at=now)
        result = result_of(its_points, found, state)
        assert result_of(its_points, found, state) == result
        assert result.alarms[-1].transition == at + number
        assert len(result.alarms) + sum(event.transitions_omitted or 0 for event in result.alarms) == number
        published += len(result.alarms)
        state, at = result.state, at + number

    # What was left, one every ten seconds, and the last of each pack.
    assert published <= (BUDGET - spent) + (now - NOW) / BUDGET_SECONDS + 1 + len(packs)


# --- repeats and order of events -------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), max_size=30))
def test_events_are_put_in_the_order_of_their_transitions_each_once(reported: list[tuple[str, int]]) -> None:
    events = [an_alarm_event(alarm_id=alarm_id, transition=transition) for alarm_id, transition in reported]

    ordered = [(event.alarm_id, event.transition) for event in in_order(events, lambda event: event)]

    assert Counter(ordered) == Counter(set(reported))
    for alarm_id in "abc":
        of_alarm = [transition for its, transition in ordered if its == alarm_id]
        assert of_alarm == sorted(of_alarm)
    # Alarms keep the places that they had.
    assert [alarm_id for alarm_id, _ in ordered] == [alarm_id for alarm_id, _ in dict.fromkeys(reported)]


def test_events_of_releases_that_did_not_count_transitions_are_told_apart_by_state_and_time() -> None:
    events = [
        an_alarm_event(),
        an_alarm_event(state=AlarmChange.CLEARED),
        an_alarm_event(timestamp=NOW + 1),
        an_alarm_event(),
    ]

    assert in_order(events, lambda event: event) == events[:3]
