"""Alarms: raised by violating points in a row, cleared by normal ones, with a cooldown in data time."""

from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from afluente.domain.constraints import Severity, StreamConfig


class StandingAlarm(msgspec.Struct, frozen=True):
    """A raised alarm that is not cleared.

    Attributes:
        alarm_id: the same from the first raise to the clearing.
        raised_at: timestamp of the point that raised it first, in Unix seconds.
        severity: of the point that raised it last.
    """

    alarm_id: str
    raised_at: float
    severity: Severity


class AlarmState(msgspec.Struct, frozen=True):
    """Progress of one stream's alarm.

    Attributes:
        violations: violating points in a row so far.
        normals: normal points in a row so far, counted while an alarm stands.
        last_raise: timestamp of the point that raised an alarm last, in Unix seconds; clearing it leaves it.
        standing: the raised alarm, if any.
    """

    violations: int = 0
    normals: int = 0
    last_raise: float | None = None
    standing: StandingAlarm | None = None


class AlarmChange(StrEnum):
    """The kind of an alarm event."""

    RAISED = "raised"
    CLEARED = "cleared"


class AlarmEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm was raised, raised again after its cooldown, or cleared: the detail of the EventBridge event.

    Attributes:
        alarm_id: the same from the first raise to the clearing; with `state` and `timestamp` it drops repeats.
        state: raised or cleared.
        domain, source_id, stream_id: the stream.
        classification: class of the point that changed the alarm.
        severity: severity of the point that raised it last.
        reason: why the point is of that class.
        value, timestamp: of the point that changed the alarm.
        count: points in a row that brought it about: violating ones for a raise, normal ones for a clearing.
        raised_at: timestamp of the point that raised the alarm first.
    """

    alarm_id: str
    state: AlarmChange
    domain: str
    source_id: str
    stream_id: str
    classification: str
    severity: Severity
    reason: str
    value: float
    timestamp: float
    count: int
    raised_at: float


class AlarmTransition(NamedTuple):
    """A change of an alarm: its kind, the alarm, and the points in a row that brought it about."""

    change: AlarmChange
    alarm: StandingAlarm
    in_a_row: int


QUIET = AlarmState()
"""No alarm, and no point that counts towards one."""


def advance(
    state: AlarmState, stream: str, timestamp: float, violation: Severity | None, config: StreamConfig
) -> tuple[AlarmState, AlarmTransition | None]:
    """Take one point that is not late into account.

    Args:
        state: the alarm's state before the point.
        stream: the key of the stream, from which the id of a new alarm is made.
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
        alarm = msgspec.structs.replace(state.standing, severity=violation)
    else:
        alarm = StandingAlarm(_alarm_id(stream, timestamp), timestamp, violation)
    raised = AlarmState(violations=violations, last_raise=timestamp, standing=alarm)
    return raised, AlarmTransition(AlarmChange.RAISED, alarm, violations)


def _count_normal(state: AlarmState, config: StreamConfig) -> tuple[AlarmState, AlarmTransition | None]:
    if state.standing is None:
        return (state, None) if state.violations == 0 else (AlarmState(last_raise=state.last_raise), None)
    normals = state.normals + 1
    if normals < config.consecutive_violations_required:
        return msgspec.structs.replace(state, violations=0, normals=normals), None
    cleared = AlarmTransition(AlarmChange.CLEARED, state.standing, normals)
    return AlarmState(last_raise=state.last_raise), cleared


def _alarm_id(stream: str, timestamp: float) -> str:
    """The same at each classification of a point, so that a repeat does not look like a new alarm."""
    return blake2b(f"{stream}@{timestamp!r}".encode(), digest_size=12).hexdigest()
