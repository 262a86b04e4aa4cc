"""Alarms: raised by violations in a row, raised again after a cooldown, cleared by normal points in a row."""

from dataclasses import dataclass
from typing import Any

import pytest

from afluente.domain.alarms import QUIET, AlarmState, AlarmTransition, advance
from afluente.domain.constraints import Severity
from tests.factories import a_config


@dataclass
class Story:
    """A stream written as `"xx.x"`: one point a second, `x` violates, `.` is normal."""

    state: AlarmState
    changes: list[tuple[int, str]]
    transitions: list[AlarmTransition]


def run(story: str, *, step: float = 1.0, **settings: Any) -> Story:
    config = a_config(**{"consecutive_violations_required": 3, "cooldown_seconds": 10} | settings)
    state, changes, transitions = QUIET, [], []
    for place, point in enumerate(story):
        violation = None if point == "." else Severity.WARNING
        state, transition = advance(state, f"point-{place}", place * step, violation, config)
        if transition:
            changes.append((place, transition.change.value))
            transitions.append(transition)
    return Story(state, changes, transitions)


@pytest.mark.parametrize(
    ("story", "changes"),
    [
        ("", []),
        (".....", []),
        ("xx", []),
        ("xx.xx.xx", []),
        ("xxx", [(2, "raised")]),
        ("xxxxxxx", [(2, "raised")]),
        (".x.xxx", [(5, "raised")]),
        ("xxx..", [(2, "raised")]),
        ("xxx...", [(2, "raised"), (5, "cleared")]),
        ("xxx......", [(2, "raised"), (5, "cleared")]),
        ("xxx..x..x..", [(2, "raised")]),
        ("xxx.x...", [(2, "raised"), (7, "cleared")]),
    ],
)
def test_violations_in_a_row_raise_an_alarm_and_as_many_normal_points_clear_it(
    story: str, changes: list[tuple[int, str]]
) -> None:
    assert run(story).changes == changes


@pytest.mark.parametrize(
    ("story", "changes"),
    [
        ("x" * 12, [(2, "raised")]),
        ("x" * 13, [(2, "raised"), (12, "raised")]),
        ("x" * 23, [(2, "raised"), (12, "raised"), (22, "raised")]),
        # Three in a row are needed for each raise.
        ("xxx..........xxx", [(2, "raised"), (5, "cleared"), (15, "raised")]),
        ("xxx..x..x..x..xxx", [(2, "raised"), (16, "raised")]),
    ],
)
def test_a_standing_alarm_is_raised_again_after_each_cooldown(story: str, changes: list[tuple[int, str]]) -> None:
    assert run(story).changes == changes


@pytest.mark.parametrize(
    ("story", "changes"),
    [
        ("xxx...xxx", [(2, "raised"), (5, "cleared")]),
        ("xxx...xxx...", [(2, "raised"), (5, "cleared")]),
        ("xxx...xxxxxx", [(2, "raised"), (5, "cleared")]),
        ("xxx...x.xxxx", [(2, "raised"), (5, "cleared")]),
        ("xxx...xxxxxxx", [(2, "raised"), (5, "cleared"), (12, "raised")]),
    ],
)
def test_an_alarm_that_was_cleared_is_not_raised_again_within_the_cooldown(
    story: str, changes: list[tuple[int, str]]
) -> None:
    assert run(story).changes == changes


def test_the_cooldown_is_over_when_as_much_data_time_has_passed() -> None:
    assert run("xx", consecutive_violations_required=1, step=9.999).changes == [(0, "raised")]
    assert run("xx", consecutive_violations_required=1, step=10).changes == [(0, "raised"), (1, "raised")]


def test_without_a_cooldown_every_further_violation_raises() -> None:
    assert run("xxxxx", cooldown_seconds=0).changes == [(2, "raised"), (3, "raised"), (4, "raised")]


def test_an_alarm_that_needs_one_violation_is_cleared_by_one_normal_point() -> None:
    assert run("x.", consecutive_violations_required=1).changes == [(0, "raised"), (1, "cleared")]


def test_a_transition_counts_the_points_in_a_row_that_brought_it_about() -> None:
    story = run("x" * 13 + "...")

    assert [transition.in_a_row for transition in story.transitions] == [3, 13, 3]


def test_the_alarm_keeps_its_id_and_its_time_from_the_first_raise_to_the_clearing() -> None:
    story = run("x" * 13 + "...")

    alarms = [transition.alarm for transition in story.transitions]
    assert len(alarms) == 3
    assert {(alarm.alarm_id, alarm.raised_at) for alarm in alarms} == {(alarms[0].alarm_id, 2.0)}


def test_an_alarm_counts_its_transitions_and_the_next_one_begins_anew() -> None:
    story = run("x" * 13 + "..." + "x" * 12)

    assert [(its.change.value, its.alarm.transitions) for its in story.transitions] == [
        ("raised", 1),
        ("raised", 2),
        ("cleared", 3),
        ("raised", 1),
    ]


def test_the_next_alarm_has_another_id() -> None:
    story = run("xxx..........xxx")

    first, _, second = (transition.alarm for transition in story.transitions)
    assert (first.raised_at, second.raised_at) == (2.0, 15.0)
    assert first.alarm_id != second.alarm_id


def test_alarms_raised_by_two_points_have_different_ids() -> None:
    config = a_config(consecutive_violations_required=1)

    ids = set()
    for point_id in ("point-1", "point-2"):
        _, transition = advance(QUIET, point_id, 0.0, Severity.ALERT, config)
        assert transition is not None
        ids.add(transition.alarm.alarm_id)

    assert len(ids) == 2


def test_an_alarm_is_as_grave_as_the_point_that_raised_it_last() -> None:
    config = a_config(consecutive_violations_required=1, cooldown_seconds=10)
    state, severities = QUIET, []
    for timestamp, violation in (
        (0.0, Severity.WARNING),
        (5.0, Severity.CRITICAL),
        (10.0, Severity.ALERT),
        (11.0, None),
    ):
        state, transition = advance(state, f"point-{timestamp}", timestamp, violation, config)
        if transition:
            severities.append((transition.change.value, transition.alarm.severity.value))

    assert severities == [("raised", "warning"), ("raised", "alert"), ("cleared", "alert")]


def test_normal_points_leave_a_quiet_stream_quiet() -> None:
    assert run(".....").state is QUIET
    assert run("xx.").state == QUIET
