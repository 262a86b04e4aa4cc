"""Constraints: what may be written, and what is refused because it could never hold."""

from math import inf, nan
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.domain.constraints import RateConstraints, Severity, StreamConfig, ValueConstraints, no_normal_value
from afluente.domain.faults import FaultCode, FaultyError
from tests import strategies
from tests.factories import fields_and_codes

VALUE_BOUNDS = ValueConstraints.__struct_fields__
RATE_BOUNDS = ("abs_delta", "rel_delta", "abs_slope", "rel_slope")


def faults_of_values(**bounds: float) -> list[tuple[str, FaultCode]]:
    with pytest.raises(FaultyError) as error:
        ValueConstraints(**bounds)
    return fields_and_codes(error.value.faults)


def test_constraints_that_say_nothing_bound_nothing() -> None:
    config = StreamConfig()

    assert all(getattr(config.value_constraints, name) is None for name in VALUE_BOUNDS)
    assert all(getattr(config.rate_constraints, name) is None for name in RATE_BOUNDS)
    assert config.rate_constraints.severity is Severity.WARNING
    assert (config.consecutive_violations_required, config.cooldown_seconds) == (3, 300)


@pytest.mark.parametrize(
    "bounds",
    [
        {"min_value": 0.0, "max_value": 0.0},
        {"warning_min": 5.0, "warning_max": 5.0},
        {"alert_min": -5.0, "alert_max": -5.0},
        {
            "min_value": 0.0,
            "warning_min": 0.0,
            "alert_min": 0.0,
            "max_value": 9.0,
            "warning_max": 9.0,
            "alert_max": 9.0,
        },
        {
            "min_value": 0.0,
            "alert_min": 1.0,
            "warning_min": 2.0,
            "warning_max": 7.0,
            "alert_max": 8.0,
            "max_value": 9.0,
        },
        # A warning that lies in the alert zone never decides, and does no harm.
        {"alert_min": 5.0, "warning_min": 1.0},
        {"max_value": 9.0, "warning_min": 9.0},
    ],
)
def test_bounds_may_touch(bounds: dict[str, float]) -> None:
    assert ValueConstraints(**bounds) == msgspec.convert(bounds, ValueConstraints)


@pytest.mark.parametrize(
    ("bounds", "field"),
    [
        ({"min_value": 1.0, "max_value": 0.0}, "min_value"),
        ({"warning_min": 1.0, "warning_max": 0.0}, "warning_min"),
        ({"alert_min": 1.0, "alert_max": 0.0}, "alert_min"),
        ({"min_value": 0.0, "warning_min": -1.0}, "min_value"),
        ({"min_value": 0.0, "alert_min": -1.0}, "min_value"),
        ({"min_value": 0.0, "warning_max": -1.0}, "min_value"),
        ({"min_value": 0.0, "alert_max": -1.0}, "min_value"),
        ({"max_value": 0.0, "warning_min": 1.0}, "warning_min"),
        ({"max_value": 0.0, "alert_min": 1.0}, "alert_min"),
        ({"max_value": 0.0, "warning_max": 1.0}, "warning_max"),
        ({"max_value": 0.0, "alert_max": 1.0}, "alert_max"),
    ],
)
def test_a_bound_that_no_value_could_meet_or_reach_is_refused(bounds: dict[str, float], field: str) -> None:
    assert faults_of_values(**bounds) == [(f"value_constraints.{field}", FaultCode.IMPOSSIBLE)]


@pytest.mark.parametrize(
    ("bounds", "field"),
    [
        ({"warning_min": 2.0, "alert_max": 1.0}, "warning_min"),
        ({"alert_min": 2.0, "warning_max": 1.0}, "alert_min"),
    ],
)
def test_bands_with_no_value_in_common_leave_none_that_is_normal(bounds: dict[str, float], field: str) -> None:
    faults = no_normal_value(ValueConstraints(**bounds))

    assert fields_and_codes(faults) == [(f"value_constraints.{field}", FaultCode.IMPOSSIBLE)]


@given(st.dictionaries(st.sampled_from(VALUE_BOUNDS), strategies.finite))
def test_some_value_is_normal_exactly_when_the_bands_have_one_in_common(bounds: dict[str, float]) -> None:
    try:
        values = ValueConstraints(**bounds)
    except FaultyError:
        return
    low = max((bounds[name] for name in VALUE_BOUNDS if name in bounds and "min" in name), default=-inf)
    high = min((bounds[name] for name in VALUE_BOUNDS if name in bounds and "max" in name), default=inf)

    assert (no_normal_value(values) == ()) == (low <= high)


def test_the_fault_of_a_bound_has_all_its_digits() -> None:
    with pytest.raises(FaultyError, match="min_value 1000001 is above max_value 1000000;"):
        ValueConstraints(min_value=1_000_001, max_value=1_000_000)


def test_the_fault_of_an_impossible_bound_says_what_to_change() -> None:
    with pytest.raises(FaultyError, match="min_value 10 is above max_value 5; lower the one or raise the other"):
        ValueConstraints(min_value=10, max_value=5)


@pytest.mark.parametrize("bound", [inf, -inf, nan])
@pytest.mark.parametrize("name", VALUE_BOUNDS)
def test_a_bound_of_a_value_is_finite(name: str, bound: float) -> None:
    assert faults_of_values(**{name: bound}) == [(f"value_constraints.{name}", FaultCode.NOT_FINITE)]


def test_a_bound_that_is_no_number_is_above_no_other() -> None:
    assert faults_of_values(min_value=nan, max_value=5.0) == [("value_constraints.min_value", FaultCode.NOT_FINITE)]


def test_every_impossible_bound_is_named() -> None:
    assert faults_of_values(min_value=2, max_value=1, warning_min=4, warning_max=3, alert_max=inf) == [
        ("value_constraints.alert_max", FaultCode.NOT_FINITE),
        ("value_constraints.min_value", FaultCode.IMPOSSIBLE),
        ("value_constraints.warning_min", FaultCode.IMPOSSIBLE),
    ]


@pytest.mark.parametrize("name", RATE_BOUNDS)
def test_a_change_may_be_bounded_by_zero_and_not_by_less(name: str) -> None:
    assert getattr(RateConstraints(**{name: 0.0}), name) == 0  # type: ignore[arg-type] # a name of a bound

    with pytest.raises(FaultyError) as error:
        RateConstraints(**{name: -0.1})  # type: ignore[arg-type] # a name of a bound
    assert fields_and_codes(error.value.faults) == [(f"rate_constraints.{name}", FaultCode.IMPOSSIBLE)]


@pytest.mark.parametrize("bound", [inf, nan])
@pytest.mark.parametrize("name", RATE_BOUNDS)
def test_a_bound_of_a_change_is_finite(name: str, bound: float) -> None:
    with pytest.raises(FaultyError) as error:
        RateConstraints(**{name: bound})  # type: ignore[arg-type] # a name of a bound

    assert fields_and_codes(error.value.faults) == [(f"rate_constraints.{name}", FaultCode.NOT_FINITE)]


def test_severities_have_an_order() -> None:
    assert sorted(Severity, key=lambda severity: severity.rank) == [
        Severity.WARNING,
        Severity.ALERT,
        Severity.CRITICAL,
    ]


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"stream_id": "a/b"}, "stream_id", FaultCode.FORBIDDEN_CHARACTER),
        ({"stream_type": ""}, "stream_type", FaultCode.EMPTY),
        ({"source_id": ""}, "source_id", FaultCode.EMPTY),
        ({"consecutive_violations_required": 0}, "consecutive_violations_required", FaultCode.OUT_OF_RANGE),
        ({"cooldown_seconds": -1}, "cooldown_seconds", FaultCode.OUT_OF_RANGE),
        ({"cooldown_seconds": nan}, "cooldown_seconds", FaultCode.OUT_OF_RANGE),
        ({"cooldown_seconds": inf}, "cooldown_seconds", FaultCode.OUT_OF_RANGE),
        ({"cooldown_seconds": 10**400}, "cooldown_seconds", FaultCode.OUT_OF_RANGE),
    ],
)
def test_a_setting_out_of_its_range_is_refused(fields: dict[str, Any], field: str, code: FaultCode) -> None:
    with pytest.raises(FaultyError) as error:
        StreamConfig(**fields)

    assert fields_and_codes(error.value.faults) == [(field, code)]


def test_the_faults_of_all_settings_are_named() -> None:
    with pytest.raises(FaultyError) as error:
        StreamConfig(source_id="", stream_id="", stream_type="", consecutive_violations_required=0, cooldown_seconds=-1)

    assert [fault.field for fault in error.value.faults] == [
        "source_id",
        "stream_id",
        "stream_type",
        "consecutive_violations_required",
        "cooldown_seconds",
    ]


@given(st.dictionaries(st.sampled_from(VALUE_BOUNDS), strategies.finite))
def test_bounds_are_accepted_exactly_when_some_value_could_meet_the_hard_ones_and_every_band(
    bounds: dict[str, float],
) -> None:
    low, high = bounds.get("min_value", -inf), bounds.get("max_value", inf)
    bands = [(bounds.get(f"{zone}_min"), bounds.get(f"{zone}_max")) for zone in ("warning", "alert")]
    possible = low <= high and all(
        all(low <= bound <= high for bound in band if bound is not None)
        and (band[0] is None or band[1] is None or band[0] <= band[1])
        for band in bands
    )

    try:
        ValueConstraints(**bounds)
    except FaultyError:
        assert not possible
    else:
        assert possible
