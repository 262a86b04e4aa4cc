"""Classification against a second implementation: slow, without state, and as close to the rules' wording as can be.

It keeps the whole history of a stream, and derives everything anew from it for each point.
"""

from dataclasses import dataclass
from math import inf
from sys import float_info
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from afluente.domain.classification import ClassificationResult, classify
from afluente.domain.constraints import Severity, StreamConfig, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import FaultyError
from afluente.domain.stream_state import StreamState
from tests.factories import NOW, a_point, constraints

RANKS = ["warning", "alert", "critical"]


@dataclass
class Past:
    """A classified point."""

    order: tuple[float, int]
    value: float
    late: bool
    severity: str | None
    hard: bool


# --- by the book -----------------------------------------------------------------------------------------------------


def by_the_book(stream: list[DataPoint], found: VersionedConfig | None) -> dict[str, Any]:
    config = found.config if found else StreamConfig()
    classified: list[Past] = []
    judgements, alarms, duplicates = [], [], 0
    for point in stream:
        order = (point.timestamp, -1 if point.sequence is None else point.sequence)
        if (order, point.value) in [(past.order, past.value) for past in classified[-32:]]:
            duplicates += 1
            continue
        late = bool(classified) and order <= max(past.order for past in classified)
        values = values_violated(point.value, config)
        reference = reference_of(order, classified, late=late)
        rates = rates_violated(point, reference, config)
        limits = config.rate_constraints
        is_limited = any(getattr(limits, name) is not None for name in limits.__struct_fields__ if name != "severity")
        is_unjudged = late and reference is None and is_limited
        severity = severity_of(values, rates, config) or (limits.severity.value if is_unjudged else None)
        classified.append(Past(order, point.value, late, severity, bool({"min_value", "max_value"} & values.keys())))
        judgements.append(
            (point.value, *class_of(values, rates, found, is_unjudged=is_unjudged), values, rates, severity, late)
        )
        if not late:
            alarms += alarms_after([past for past in classified if not past.late], config)
    return {"judgements": judgements, "alarms": alarms, "duplicates": duplicates}


def values_violated(value: float, config: StreamConfig) -> dict[str, float]:
    bounds = {
        name: getattr(config.value_constraints, name)
        for name in config.value_constraints.__struct_fields__
        if getattr(config.value_constraints, name) is not None
    }
    return {name: bound for name, bound in bounds.items() if (value < bound if "min" in name else value > bound)}


def reference_of(order: tuple[float, int], classified: list[Past], *, late: bool) -> Past | None:
    """The baseline; for a late point the newest older one of the last 32, the last classified of equals.

    For a late point that is older than all of them the oldest, the first classified of equals.
    """
    within = [past for past in classified if not past.hard and not past.late]
    others = []
    if late:
        remembered = [past for past in classified[-32:] if not past.hard]
        within = [past for past in remembered if past.order < order]
        others = [past for past in remembered if past.order >= order]
    newest = max(reversed(within), key=lambda past: past.order, default=None)
    return newest or min(others, key=lambda past: past.order, default=None)


def rates_violated(point: DataPoint, reference: Past | None, config: StreamConfig) -> dict[str, tuple[float, float]]:
    if reference is None:
        return {}
    delta, dt = abs(point.value - reference.value), abs(point.timestamp - reference.order[0])
    observed = {"abs_delta": delta}
    if reference.value != 0:
        observed["rel_delta"] = delta / abs(reference.value) * 100
    if dt != 0:
        observed |= {name.replace("delta", "slope"): change / dt for name, change in observed.items()}
    limits = {name: getattr(config.rate_constraints, name) for name in observed}
    return {
        name: (limits[name], min(change, float_info.max))
        for name, change in observed.items()
        if limits[name] is not None and change > limits[name]
    }


def severity_of(values: dict[str, float], rates: dict[str, Any], config: StreamConfig) -> str | None:
    grave = [{"min": "critical", "max": "critical", "ale": "alert", "war": "warning"}[name[:3]] for name in values]
    grave += [config.rate_constraints.severity.value] * bool(rates)
    return max(grave, key=RANKS.index, default=None)


def class_of(
    values: dict[str, float], rates: dict[str, Any], found: VersionedConfig | None, *, is_unjudged: bool
) -> tuple[str, str]:
    if found is None:
        return "normal", "no_constraints"
    for zone, answer in (
        ("_value", ("alert", "hard_limit")),
        ("alert_", ("alert", "alert_zone")),
        ("warning_", ("warning", "warning_zone")),
    ):
        if any(zone in name for name in values):
            return answer
    if rates or is_unjudged:
        return "anomaly", "rate_of_change" if rates else "rate_unjudged"
    return "normal", "within_constraints"


def alarms_after(in_time: list[Past], config: StreamConfig) -> list[tuple[Any, ...]]:
    """Alarm events at the last point that is not late, replayed from the beginning."""
    needed, cooldown = config.consecutive_violations_required, config.cooldown_seconds
    last_raise, standing, events = -inf, None, []
    for place, past in enumerate(in_time):
        row = 0
        for earlier in reversed(in_time[: place + 1]):
            if (earlier.severity is None) != (past.severity is None):
                break
            row += 1
        event = None
        timestamp = past.order[0]
        if past.severity is not None and row >= needed and timestamp - last_raise >= cooldown:
            its_transition = standing[2] + 1 if standing else 1
            raised_by = standing[3] if standing else (past.order, past.value)
            standing = (standing[0] if standing else timestamp, past.severity, its_transition, raised_by)
            last_raise = timestamp
            event = ("raised", timestamp, row, standing[1], standing[0], its_transition, raised_by)
        elif past.severity is None and row == needed and standing:
            event = ("cleared", timestamp, row, standing[1], standing[0], standing[2] + 1, standing[3])
            standing = None
        events.append(event)
    return [events[-1]] if events[-1] else []


# --- the comparison --------------------------------------------------------------------------------------------------


def as_the_book_says_it(result: ClassificationResult) -> dict[str, Any]:
    # An id of an alarm stands for the point that raised it.
    raised_by = {
        event.alarm_id: ((event.timestamp, -1 if event.sequence is None else event.sequence), event.value)
        for event in result.alarms
        if event.transition == 1
    }
    return {
        "judgements": [
            (
                point.value,
                point.classification.value,
                point.reason.value,
                dict(point.violated_constraints),
                {name: (violation.limit, violation.observed) for name, violation in point.violated_rate.items()},
                point.severity.value if point.severity else None,
                point.late,
            )
            for point in result.points
        ],
        "alarms": [
            (
                event.state.value,
                event.timestamp,
                event.count,
                event.severity.value,
                event.raised_at,
                event.transition,
                raised_by[event.alarm_id],
            )
            for event in result.alarms
        ],
        "duplicates": result.duplicates,
    }


# Few different values and times, so that bounds are met exactly, points are late and come again.
_values = st.integers(min_value=-4, max_value=8).map(float) | st.sampled_from([0.5, -0.0, 1e308, -1e308])
_points = st.builds(
    lambda value, at, sequence: a_point(value, at=at, sequence=sequence),
    _values,
    st.integers(min_value=0, max_value=12),
    st.none() | st.integers(min_value=0, max_value=2),
)
_bounds = st.integers(min_value=-2, max_value=6).map(float)
_limits = st.sampled_from([0.0, 0.5, 1.0, 2.0, 50.0, 100.0])


@st.composite
def _constraints(draw: st.DrawFn) -> VersionedConfig | None:
    if draw(st.integers(min_value=0, max_value=9)) == 0:
        return None
    fields: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {
                "severity": st.sampled_from(Severity),
                "consecutive_violations_required": st.integers(min_value=1, max_value=3),
                "cooldown_seconds": st.sampled_from([0, 1, 2.5, 5]),
            },
            optional=dict.fromkeys(("abs_delta", "rel_delta", "abs_slope", "rel_slope"), _limits)
            | dict.fromkeys(("min_value", "alert_min", "warning_min"), _bounds),
        )
    )
    for name in ("max_value", "alert_max", "warning_max"):
        if draw(st.booleans()):
            fields[name] = draw(_bounds)
    try:
        return constraints(**fields)
    except FaultyError:  # a minimum above a maximum: keep what bounds the change
        return constraints(
            **{name: value for name, value in fields.items() if not name.endswith(("min", "max", "_value"))}
        )


@settings(max_examples=400)
@given(st.lists(_points, max_size=80), _constraints())
def test_points_are_classified_as_the_book_says_in_whatever_order_they_come(
    stream: list[DataPoint], found: VersionedConfig | None
) -> None:
    assert as_the_book_says_it(classify(stream, found, StreamState(), NOW)) == by_the_book(stream, found)


@settings(max_examples=100)
@given(st.lists(_points, min_size=40, max_size=90), _constraints(), st.integers(min_value=0, max_value=90))
def test_a_state_holds_all_that_the_history_is_needed_for(
    stream: list[DataPoint], found: VersionedConfig | None, cut: int
) -> None:
    before = classify(stream[:cut], found, StreamState(), NOW)
    after = classify(stream[cut:], found, before.state, NOW)

    whole = ClassificationResult(
        after.state,
        before.points + after.points,
        before.duplicates + after.duplicates,
        before.alarms + after.alarms,
    )
    assert as_the_book_says_it(whole) == by_the_book(stream, found)
