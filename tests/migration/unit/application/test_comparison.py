"""Results by thresholds and by constraints, compared: differences and their causes."""

from typing import Any

import pytest

from afluente.domain.classification import ClassificationResult, classify
from afluente.domain.constraints import Baseline, Severity, StreamConfig, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_state import StreamState, WindowPoint
from afluente.migration.application.comparison import Configs, Results, compare
from tests.factories import NOW, a_config, a_key, a_point, points

REFERENCE = WindowPoint(NOW - 3600, -1, 20, within_hard_limits=True)


def result(config: StreamConfig | None, its_points: list[DataPoint]) -> ClassificationResult:
    return classify(its_points, VersionedConfig(config, 1) if config else None, StreamState(), NOW)


def causes(
    legacy: dict[str, Any], migrated: dict[str, Any], *values: float, same_config: bool = True
) -> list[tuple[str, float]]:
    """Cause and value of each difference; with `same_config` the configs are equal, as with a defect."""
    before, after = a_config(**legacy), a_config(**migrated)
    configs = Configs(before, before if same_config else after)
    results = Results(result(before, points(*values)), result(after, points(*values)))
    references = [None, *[REFERENCE] * len(values)][: len(values)]
    return [(found.cause.value, found.value) for found in compare(a_key(), results, configs, references)]


@pytest.mark.parametrize(
    ("legacy", "migrated", "expected"),
    [
        ({"max_value": 30}, {"max_value": 30}, []),
        ({"max_value": 30}, {"max_value": 40}, [("value_zone", 35)]),
        ({"alert_max": 30}, {"warning_max": 30}, [("value_zone", 35)]),
        ({"max_value": 30}, {"alert_max": 30}, []),
        ({"abs_delta": 10}, {"abs_delta": 20}, [("rate", 35)]),
        ({"abs_delta": 10}, {"abs_delta": 10, "warning_max": 30}, [("value_zone", 35)]),
        ({}, {}, []),
    ],
)
def test_points_of_another_class_are_differences(
    legacy: dict[str, Any], migrated: dict[str, Any], expected: list[tuple[str, float]]
) -> None:
    assert causes(legacy, migrated, 20, 35) == expected


@pytest.mark.parametrize(
    ("legacy", "migrated", "cause"),
    [
        ({"max_value": 30}, {"max_value": 40}, "thresholds_differ"),
        ({"max_value": 30}, {}, "no_constraints"),
        ({}, {"max_value": 30}, "no_constraints"),
    ],
)
def test_a_difference_of_the_constraints_is_the_first_cause(
    legacy: dict[str, Any], migrated: dict[str, Any], cause: str
) -> None:
    assert causes(legacy, migrated, 20, 35, same_config=False) == [(cause, 35)]


def test_an_alarm_that_only_one_side_raises_is_a_difference_of_its_own() -> None:
    legacy, migrated = ({"warning_max": 30, "consecutive_violations_required": needed} for needed in (2, 3))

    assert causes(legacy, migrated, 20, 35, 36, 37) == [("alarm", 36)]
    assert causes(legacy, migrated, 20, 35, 36, 37, same_config=False) == [("thresholds_differ", 36)]


def test_an_alarm_of_another_severity_is_a_difference() -> None:
    legacy, migrated = (
        {"abs_delta": 5, "severity": severity, "consecutive_violations_required": 1}
        for severity in (Severity.WARNING, Severity.CRITICAL)
    )

    assert causes(legacy, migrated, 20, 35) == [("alarm", 35)]


def test_an_alarm_that_follows_from_a_class_is_no_further_difference() -> None:
    legacy, migrated = ({"warning_max": bound, "consecutive_violations_required": 1} for bound in (30, 40))

    assert causes(legacy, migrated, 20, 35) == [("value_zone", 35)]


def test_the_point_of_an_alarm_is_the_one_in_time() -> None:
    its_points = [a_point(10, 2), a_point(35, 3), a_point(36, 3)]
    configs = [a_config(warning_max=30, consecutive_violations_required=needed) for needed in (1, 2)]
    results = Results(result(configs[0], its_points), result(configs[1], its_points))

    (found,) = compare(a_key(), results, Configs(configs[0], configs[0]), [None, REFERENCE, None])

    assert (found.value, found.baseline) == (35, Baseline(NOW - 3600, 20))


def test_results_of_different_points_cannot_be_compared() -> None:
    results = Results(result(None, points(1, 2)), result(None, points(1)))

    with pytest.raises(ValueError, match="shorter"):
        compare(a_key(), results, Configs(None, None), [None, None])
