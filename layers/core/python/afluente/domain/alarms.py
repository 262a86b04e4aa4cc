"""Alarms: raised by violating points in a row, cleared by normal ones, with a cooldown in data time."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from enum import StrEnum
from hashlib import blake2b
from math import ceil
from typing import NamedTuple, TypeVar

import msgspec

from afluente.domain.constraints import RateViolation, Severity, StreamConfig

Item = TypeVar("Item")

BUDGET = 3_000
"""Transitions of one stream that may be published in a burst."""

BUDGET_SECONDS = 10
"""Seconds, by the arrival of points, after which one more transition may be published."""


class StandingAlarm(msgspec.Struct, frozen=True):
    """A raised alarm that is not cleared.

    Attributes:
        alarm_id: the same from the first raise to the clearing.
        raised_at: timestamp of the point that raised it first, in Unix seconds.
        severity: of the point that raised it last.
        transitions: how many it has had, its first raise included.
    """

    alarm_id: str
    raised_at: float
    severity: Severity
    transitions: int = 1


class AlarmState(msgspec.Struct, frozen=True):
    """Progress of one stream's alarm.

    Attributes:
        violations: violating points in a row so far.
        normals: normal points in a row so far, counted while an alarm stands.
        last_raise: timestamp of the point that raised an alarm last, in Unix seconds; clearing it leaves it.
        standing: the raised alarm, if any.
        budget_restored_at: when the whole budget of transitions is there again, in Unix seconds by the arrival of
            points; 0 if it was never drawn upon.
    """

    violations: int = 0
    normals: int = 0
    last_raise: float | None = None
    standing: StandingAlarm | None = None
    budget_restored_at: int = 0


class AlarmKind(StrEnum):
    """The cause of an alarm."""

    VIOLATION = "violation"


class AlarmChange(StrEnum):
    """The kind of an alarm event."""

    RAISED = "raised"
    CLEARED = "cleared"


class AlarmEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alarm was raised, raised again after its cooldown, or cleared: the detail of the EventBridge event.

    Attributes:
        alarm_id: the same from the first raise to the clearing, and another for each alarm.
        kind: the cause of the alarm.
        state: raised or cleared.
        domain, source_id, stream_id, stream_type: the stream.
        classification: class of the point that changed the alarm.
        severity: severity of the point that raised it last.
        reason: why the point is of that class.
        violated_constraints, violated_rate: every bound that the point violated, by name.
        value, timestamp, sequence, point_id: of the point that changed the alarm.
        count: points in a row that brought it about: violating ones for a raise, normal ones for a clearing.
        raised_at: timestamp of the point that raised the alarm first.
        transition: its place among the events of the alarm, from 1; with `alarm_id` it drops and orders repeats. 0 in
            events of releases that did not count them.
        config_version: version of the constraints that the point was classified by.
        config_key: their scope: `domain/source_id/stream_id`, `domain#stream_type` or `domain`.
        transitions_omitted: transitions of the stream before this one that its budget left unpublished.
    """

    alarm_id: str
    # A factory, so that it is written though events of earlier releases do not have it.
    kind: AlarmKind = msgspec.field(default_factory=lambda: AlarmKind.VIOLATION)
    state: AlarmChange
    domain: str
    source_id: str
    stream_id: str
    stream_type: str | None = None
    classification: str
    severity: Severity
    reason: str
    violated_constraints: Mapping[str, float] = {}
    violated_rate: Mapping[str, RateViolation] = {}
    value: float
    timestamp: float
    sequence: int | None = None
    point_id: str | None = None
    count: int
    raised_at: float
    transition: int = 0
    config_version: int | None = None
    config_key: str | None = None
    transitions_omitted: int | None = None

    @property
    def identity(self) -> Hashable:
        """The same for each repetition of the event, and for no other event."""
        return (self.alarm_id, self.transition) if self.transition else (self.alarm_id, self.state, self.timestamp)


class AlarmTransition(NamedTuple):
    """A change of an alarm: its kind, the alarm after it, and the points in a row that brought it about."""

    change: AlarmChange
    alarm: StandingAlarm
    in_a_row: int


QUIET = AlarmState()
"""No alarm, and no point that counts towards one."""


def advance(
    state: AlarmState, point_id: str, timestamp: float, violation: Severity | None, config: StreamConfig
) -> tuple[AlarmState, AlarmTransition | None]:
    """Take one point that is not late into account.

    Args:
        state: the alarm's state before the point.
        point_id: of the point, from which the id of a new alarm is made.
        timestamp: of the point, in Unix seconds.
        violation: severity of the point's violations; None for a normal point.
        config: points in a row that raise and clear the alarm, and its cooldown.

    Returns:
        The alarm's state after the point, and its change, if any.
    """
    if violation is None:
        return _count_normal(state, config)
    violations = state.violations + 1
    cooling = state.last_raise is not None and timestamp - state.last_raise < config.cooldown_seconds
    if violations < config.consecutive_violations_required or cooling:
        return msgspec.structs.replace(state, violations=violations, normals=0), None
    if state.standing:
        transitions = state.standing.transitions + 1
        alarm = msgspec.structs.replace(state.standing, severity=violation, transitions=transitions)
    else:
        alarm = StandingAlarm(_alarm_id(AlarmKind.VIOLATION, point_id), timestamp, violation)
    raised = AlarmState(violations, 0, timestamp, alarm, state.budget_restored_at)
    return raised, AlarmTransition(AlarmChange.RAISED, alarm, violations)


def draw(restored_at: int, now: float) -> int | None:
    """Draw one transition from a budget.

    Args:
        restored_at: when the whole budget is there again, in Unix seconds.
        now: the arrival of the point that changed the alarm, in Unix seconds.

    Returns:
        When the whole budget is there again; None if nothing is left of it.
    """
    # The generic cell rate algorithm (ITU-T I.371, annex A): one time stands for what is left.
    arrival = ceil(now)
    start = max(restored_at, arrival)
    return None if start - arrival > (BUDGET - 1) * BUDGET_SECONDS else start + BUDGET_SECONDS


def in_order(items: Iterable[Item], event_of: Callable[[Item], AlarmEvent]) -> list[Item]:
    """Items without repeats, those of one alarm in the order of their transitions, at the places that they have.

    Args:
        items: have an event each; several writers may have published them side by side.
        event_of: gives the event of an item.
    """
    distinct = {event_of(item).identity: item for item in items}.values()
    by_alarm: dict[str, list[Item]] = {}
    for item in distinct:
        by_alarm.setdefault(event_of(item).alarm_id, []).append(item)
    ordered = {
        alarm_id: iter(sorted(its, key=lambda item: event_of(item).transition)) for alarm_id, its in by_alarm.items()
    }
    return [next(ordered[event_of(item).alarm_id]) for item in distinct]


def _count_normal(state: AlarmState, config: StreamConfig) -> tuple[AlarmState, AlarmTransition | None]:
    if state.standing is None:
        return (state, None) if state.violations == 0 else (msgspec.structs.replace(state, violations=0), None)
    normals = state.normals + 1
    if normals < config.consecutive_violations_required:
        return msgspec.structs.replace(state, violations=0, normals=normals), None
    alarm = msgspec.structs.replace(state.standing, transitions=state.standing.transitions + 1)
    cleared = AlarmState(last_raise=state.last_raise, budget_restored_at=state.budget_restored_at)
    return cleared, AlarmTransition(AlarmChange.CLEARED, alarm, normals)


def _alarm_id(kind: AlarmKind, point_id: str) -> str:
    """The same at each classification of a point, so that a repeat does not look like a new alarm.

    The point's id stands for its stream as well.
    """
    return blake2b(f"{kind}@{point_id}".encode(), digest_size=12).hexdigest()
