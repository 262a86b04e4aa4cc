"""Stream state: a stream's newest point, baseline, window and alarm, carried from pack to pack."""

from typing import NamedTuple

import msgspec

from afluente.domain.alarms import QUIET, AlarmState
from afluente.domain.datapoints import DataPoint

WINDOW = 32
"""Points that a stream's window holds, to recognise duplicates and to measure late points against."""

NO_SEQUENCE = -1
"""Rank of a point without a sequence among those of its timestamp."""


class WindowPoint(NamedTuple):
    """A classified point, as far as later ones are compared with it."""

    timestamp: float
    sequence: int
    value: float
    within_hard_limits: bool


class StreamState(msgspec.Struct, frozen=True):
    """The state of a stream between packs.

    Attributes:
        newest: (timestamp, sequence) of the newest point seen.
        baseline: the newest point that violated no hard limit and was not late.
        window: the last 32 points classified, in that order.
        alarm: progress of its alarm.
    """

    newest: tuple[float, int] | None = None
    baseline: WindowPoint | None = None
    window: tuple[WindowPoint, ...] = ()
    alarm: AlarmState = QUIET


def order_of(point: DataPoint) -> tuple[float, int]:
    """(timestamp, sequence): the order of points in their stream."""
    return point.timestamp, NO_SEQUENCE if point.sequence is None else point.sequence


def newest_before(order: tuple[float, int], window: list[WindowPoint]) -> WindowPoint | None:
    """The newest point of a window older than `order` and within hard limits; the last of equals."""
    newest: WindowPoint | None = None
    for point in window:
        if point.within_hard_limits and point[:2] < order and (newest is None or point[:2] >= newest[:2]):
            newest = point
    return newest
