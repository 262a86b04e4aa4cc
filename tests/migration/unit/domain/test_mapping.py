"""Thresholds as constraints and back: no reading gets another class, and what has no equivalent is named."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from afluente.domain.classification import classify
from afluente.domain.constraints import Severity, StreamConfig, VersionedConfig
from afluente.domain.evaluation import Classification
from afluente.domain.faults import FaultCode, FaultyError
from afluente.domain.stream_state import StreamState, WindowPoint
from afluente.migration.domain.mapping import (
    Mapped,
    class_of,
    classify_alike,
    effect_of,
    to_constraints,
    to_thresholds,
)
from afluente.migration.domain.rules import (
    Cause,
    LegacyClass,
    LegacyEvaluation,
    evaluate,
)
from afluente.migration.domain.thresholds import LatestReading, SensorThresholds
from tests.factories import NOW, a_config, a_point, fields_and_codes
from tests.migration.thresholds import DEVICE, UUID, a_delta, a_sensor, all_thresholds, an_alert, readings, thresholds


def mapped(its: SensorThresholds) -> Mapped:
    found = to_constraints(its)
    assert found is not None
    return found


def faults_of(its: SensorThresholds) -> list[tuple[str, FaultCode]]:
    with pytest.raises(FaultyError) as refused:
        to_constraints(its)
    return fields_and_codes(refused.value.faults)


# --- thresholds as constraints ---------------------------------------------------------------------------------------


def test_every_column_has_its_place() -> None:
    its = thresholds(
        physical_min=-40,
        physical_max=125,
        threshold_min=0,
        threshold_max=90,
        warning_min=10,
        warning_max=80,
        consecutive_violations=5,
        cooldown_seconds=60,
        abs_delta=6,
        rel_delta=50,
        abs_slope=0.5,
        rel_slope=4,
    )

    assert mapped(its) == Mapped(
        a_config(
            stream_id="42",
            source_id=DEVICE,
            stream_type="temperature",
            min_value=-40,
            max_value=125,
            alert_min=0,
            alert_max=90,
            warning_min=10,
            warning_max=80,
            consecutive_violations_required=5,
            cooldown_seconds=60,
            abs_delta=6,
            rel_delta=50,
            abs_slope=0.5,
            rel_slope=4,
            metadata={"legacy": {"sensor_uuid": UUID, "alert_threshold_id": 84, "delta_threshold_id": 85}},
        )
    )


def test_a_sensor_without_thresholds_in_force_has_no_constraints() -> None:
    assert to_constraints(thresholds()) is None


def test_bounds_that_no_reading_can_violate_are_adjusted_with_a_sentence() -> None:
    its = thresholds(
        physical_min=0,
        physical_max=100,
        threshold_min=-5,
        threshold_max=100.5,
        warning_min=-6,
        warning_max=math.inf,
        consecutive_violations=0,
        cooldown_seconds=-1,
        abs_delta=math.nan,
        rel_delta=5,
        sensor_type="a/b",
    )

    found = mapped(its)

    assert found.adjusted == (
        "warning_max inf bounds nothing: it is left out",
        "abs_delta nan bounds nothing: it is left out",
        "threshold_min -5 is raised to physical_min 0",
        "warning_min -6 is raised to physical_min 0",
        "threshold_max 100.5 is lowered to physical_max 100",
        "consecutive_violations 0 is raised to 1",
        "cooldown_seconds -1 is raised to 0",
        "sensor_type 'a/b' cannot be a stream type: it is left out",
    )
    assert (
        found.config.value_constraints
        == a_config(min_value=0, max_value=100, alert_min=0, warning_min=0, alert_max=100).value_constraints
    )


@pytest.mark.parametrize(
    ("text", "severity", "is_told"),
    [
        (None, Severity.WARNING, False),
        ("", Severity.WARNING, False),
        (" Major ", Severity.ALERT, False),
        ("CRITICAL", Severity.CRITICAL, False),
        ("panic", Severity.WARNING, True),
    ],
)
def test_severities_in_the_operators_words_are_understood(text: str | None, severity: Severity, is_told: bool) -> None:
    found = mapped(SensorThresholds(sensor=a_sensor(), deltas=(a_delta(abs_delta=1, severity=text),)))

    assert (found.config.rate_constraints.severity, bool(found.adjusted)) == (severity, is_told)


@pytest.mark.parametrize(
    ("columns", "faulty"),
    [
        ({"physical_min": 2, "physical_max": 1}, ["alert_thresholds.physical_min"]),
        ({"threshold_min": 2, "threshold_max": 1}, ["alert_thresholds.threshold_min"]),
        ({"warning_min": 2, "warning_max": 1}, ["alert_thresholds.warning_min"]),
        ({"physical_min": 5, "threshold_max": 4}, ["alert_thresholds.physical_min"]),
        ({"physical_min": 5, "warning_max": 4}, ["alert_thresholds.physical_min"]),
        ({"physical_max": 5, "threshold_min": 6}, ["alert_thresholds.threshold_min"]),
        ({"physical_max": 5, "warning_min": 6}, ["alert_thresholds.warning_min"]),
        ({"threshold_max": -math.inf}, ["alert_thresholds.threshold_max"]),
        ({"abs_delta": -1, "rel_slope": -2}, ["delta_thresholds.abs_delta", "delta_thresholds.rel_slope"]),
    ],
)
def test_thresholds_that_contradict_each_other_are_named_by_their_columns(
    columns: dict[str, Any], faulty: list[str]
) -> None:
    assert faults_of(thresholds(**columns)) == [(column, FaultCode.IMPOSSIBLE) for column in faulty]


def test_all_that_is_wrong_is_named_at_once() -> None:
    its = thresholds(physical_min=2, physical_max=1, cooldown_seconds=math.nan, abs_delta=-1)

    assert faults_of(its) == [
        ("alert_thresholds.physical_min", FaultCode.IMPOSSIBLE),
        ("alert_thresholds.cooldown_seconds", FaultCode.NOT_FINITE),
        ("delta_thresholds.abs_delta", FaultCode.IMPOSSIBLE),
    ]


def test_a_bound_may_be_equal_to_the_other() -> None:
    its = thresholds(physical_min=1, physical_max=1, threshold_min=1, threshold_max=1, warning_min=1, warning_max=1)

    assert mapped(its).adjusted == ()


def test_a_threshold_without_any_bound_equals_none() -> None:
    found = mapped(SensorThresholds(sensor=a_sensor(), alerts=(an_alert(cooldown_seconds=9),)))

    assert effect_of(found.config) == effect_of(None) == ()


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (LegacyEvaluation(LegacyClass.ALERT, Cause.PHYSICAL_RANGE), Classification.ALERT),
        (LegacyEvaluation(LegacyClass.ALERT, Cause.ALERT_ZONE), Classification.ALERT),
        (LegacyEvaluation(LegacyClass.WARNING, Cause.WARNING_ZONE), Classification.WARNING),
        (LegacyEvaluation(LegacyClass.WARNING, Cause.DELTA_SPIKE), Classification.ANOMALY),
        (LegacyEvaluation(LegacyClass.ML_PREDICTION, Cause.NONE), Classification.NORMAL),
    ],
)
def test_every_legacy_class_has_a_class(verdict: LegacyEvaluation, expected: Classification) -> None:
    assert class_of(verdict) is expected


@given(
    its=all_thresholds,
    value=readings,
    before=st.none() | readings,
    seconds=st.integers(min_value=0, max_value=3).map(float),
)
def test_every_reading_gets_its_corresponding_class(
    its: SensorThresholds, value: float, before: float | None, seconds: float
) -> None:
    try:
        found = to_constraints(its)
    except FaultyError:
        assume(False)
    constraints = VersionedConfig(found.config, 1) if found else None
    point = a_point(value)
    baseline = None if before is None else WindowPoint(point.timestamp - seconds, -1, before, within_hard_limits=True)
    newest = None if baseline is None else (baseline.timestamp, baseline.sequence - 1)

    outcome = classify([point], constraints, StreamState(newest=newest, baseline=baseline), processed_at=NOW)

    latest = None if baseline is None else LatestReading(baseline.value, baseline.timestamp)
    assert outcome.points[0].classification is class_of(evaluate(value, point.timestamp, latest=latest, thresholds=its))


@given(all_thresholds)
def test_whatever_the_tables_hold_is_mapped_or_named(its: SensorThresholds) -> None:
    tables = {"alert_thresholds", "delta_thresholds"}
    try:
        found = to_constraints(its)
    except FaultyError as error:
        named = {fault.field.partition(".")[0] for fault in error.faults}
    else:
        named = {"alert_thresholds"} if found or (its.alert is None and its.delta is None) else set()
    assert named
    assert named <= tables


# --- constraints as thresholds ---------------------------------------------------------------------------------------


def test_columns_that_say_the_same_already_keep_what_they_have() -> None:
    its = SensorThresholds(
        sensor=a_sensor(),
        alerts=(an_alert(physical_min=0, threshold_min=-5, warning_max=80, severity="MAJOR"),),
        deltas=(a_delta(abs_delta=1, severity="Severe"),),
    )
    config = mapped(its).config

    changed = msgspec.structs.replace(
        config, value_constraints=msgspec.structs.replace(config.value_constraints, warning_max=70)
    )

    assert to_thresholds(changed, its).thresholds == msgspec.structs.replace(
        its, alerts=(msgspec.structs.replace(its.alerts[0], warning_max=70),)
    )


def test_a_bound_beyond_the_former_range_is_written_anew_for_another_range() -> None:
    its = thresholds(physical_min=5, threshold_min=-10)
    config = a_config(min_value=0, alert_min=5)

    written = to_thresholds(config, its).thresholds

    assert written.alert is not None
    assert (written.alert.physical_min, written.alert.threshold_min) == (0, 5)


def test_a_severity_is_written_where_it_is_another() -> None:
    its = thresholds(abs_delta=1)

    written = to_thresholds(a_config(abs_delta=1, severity=Severity.CRITICAL), its).thresholds

    assert [row.severity for row in written.deltas] == ["critical"]


def test_rows_that_contradict_each_other_are_written_anew() -> None:
    its = thresholds(physical_min=2, physical_max=1)

    written = to_thresholds(a_config(max_value=9), its).thresholds

    assert [(row.row_id, row.physical_min, row.physical_max) for row in written.alerts] == [(84, None, 9)]


def test_constraints_without_bounds_leave_nothing_in_force() -> None:
    written = to_thresholds(a_config(cooldown_seconds=5), thresholds(physical_max=1, abs_delta=1)).thresholds

    assert (written.alerts, written.deltas) == ((), ())


def test_an_alarm_of_rates_alone_needs_a_row_without_bounds() -> None:
    config = a_config(abs_delta=1, consecutive_violations_required=7)

    written = to_thresholds(config, thresholds()).thresholds

    assert [row.consecutive_violations for row in written.alerts] == [7]
    assert classify_alike(written, config)


def test_fields_that_the_legacy_tables_cannot_hold_are_named() -> None:
    config = a_config(max_value=1, stream_type="pressure", metadata={"legacy": {}, "owner": "plant 7"})

    assert to_thresholds(config, thresholds()).no_room == ("metadata.owner", "stream_type")
    assert to_thresholds(a_config(stream_type="temperature"), thresholds()).no_room == ()


def test_contradictory_thresholds_are_equivalent_to_no_constraints() -> None:
    assert not classify_alike(thresholds(physical_min=2, physical_max=1), None)
    assert classify_alike(thresholds(), None)


@st.composite
def configs(draw: st.DrawFn) -> StreamConfig:
    """Constraints of any form: what sound thresholds come to."""
    try:
        found = to_constraints(draw(all_thresholds))
    except FaultyError:
        assume(False)
    return found.config if found else a_config(metadata={"owner": "plant 7"})


@given(configs(), all_thresholds)
def test_thresholds_that_are_written_back_are_equivalent_to_the_constraints(
    config: StreamConfig, before: SensorThresholds
) -> None:
    assert classify_alike(to_thresholds(config, before).thresholds, config)
