"""The legacy rules: a table of readings with their classes."""

from typing import Any

import pytest

from afluente.migration.domain.rules import (
    Cause,
    LegacyClass,
    LegacyEvaluation,
    evaluate,
)
from afluente.migration.domain.thresholds import LatestReading, SensorThresholds
from tests.migration.thresholds import thresholds

NORMAL = LegacyEvaluation(LegacyClass.ML_PREDICTION, Cause.NONE)
SPIKE = LegacyEvaluation(LegacyClass.WARNING, Cause.DELTA_SPIKE)

ZONES = thresholds(
    physical_min=0, physical_max=100, threshold_min=10, threshold_max=90, warning_min=20, warning_max=80, abs_delta=5
)


def of(value: float, its: SensorThresholds, latest: LatestReading | None = None, at: float = 110.0) -> LegacyEvaluation:
    return evaluate(value, at, latest=latest, thresholds=its)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (-1, LegacyEvaluation(LegacyClass.ALERT, Cause.PHYSICAL_RANGE)),
        (101, LegacyEvaluation(LegacyClass.ALERT, Cause.PHYSICAL_RANGE)),
        (0, LegacyEvaluation(LegacyClass.ALERT, Cause.ALERT_ZONE)),
        (9.9, LegacyEvaluation(LegacyClass.ALERT, Cause.ALERT_ZONE)),
        (90.1, LegacyEvaluation(LegacyClass.ALERT, Cause.ALERT_ZONE)),
        (10, LegacyEvaluation(LegacyClass.WARNING, Cause.WARNING_ZONE)),
        (80.1, LegacyEvaluation(LegacyClass.WARNING, Cause.WARNING_ZONE)),
        (20, NORMAL),
        (50, NORMAL),
        (80, NORMAL),
    ],
)
def test_the_gravest_zone_decides_and_a_bound_itself_is_allowed(value: float, verdict: LegacyEvaluation) -> None:
    assert of(value, ZONES) == verdict


@pytest.mark.parametrize(
    ("bounds", "value", "at", "verdict"),
    [
        ({"abs_delta": 5}, 55, 110, NORMAL),
        ({"abs_delta": 5}, 55.1, 110, SPIKE),
        ({"abs_delta": 5}, 44.9, 110, SPIKE),
        ({"rel_delta": 10}, 55, 110, NORMAL),
        ({"rel_delta": 10}, 55.1, 110, SPIKE),
        ({"abs_slope": 0.5}, 55, 110, NORMAL),
        ({"abs_slope": 0.5}, 55.1, 110, SPIKE),
        ({"abs_slope": 0.5}, 99, 100, NORMAL),
        ({"rel_slope": 1}, 55, 110, NORMAL),
        ({"rel_slope": 1}, 55.1, 110, SPIKE),
        ({"rel_slope": 1}, 99, 100, NORMAL),
        ({"rel_slope": 1, "rel_delta": 50}, 99, 100, SPIKE),
    ],
)
def test_any_one_change_that_is_too_large_is_a_spike(
    bounds: dict[str, Any], value: float, at: float, verdict: LegacyEvaluation
) -> None:
    assert of(value, thresholds(**bounds), LatestReading(50, 100), at) == verdict


def test_relative_changes_do_not_apply_to_a_last_reading_of_zero() -> None:
    assert of(9, thresholds(rel_delta=1, rel_slope=1), LatestReading(0, 100)) == NORMAL
    assert of(9, thresholds(abs_delta=1), LatestReading(0, 100)) == SPIKE


def test_without_a_last_reading_there_is_no_spike() -> None:
    assert of(99, thresholds(abs_delta=1)) == NORMAL


def test_a_zone_goes_before_a_spike() -> None:
    assert of(85, ZONES, LatestReading(50, 100)) == LegacyEvaluation(LegacyClass.WARNING, Cause.WARNING_ZONE)
    assert of(70, ZONES, LatestReading(50, 100)) == SPIKE


def test_a_sensor_without_thresholds_is_left_to_the_model() -> None:
    assert of(1e9, thresholds(), LatestReading(0, 100)) == NORMAL
