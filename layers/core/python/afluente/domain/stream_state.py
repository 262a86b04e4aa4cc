"""Stream state: a stream's newest point, baseline, window and alarm, carried from pack to pack."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, Self

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


class Window(Protocol):
    """The last points taken of a stream, at most 32, in the order in which they were taken."""

    def __len__(self) -> int: ...

    def opened(self) -> "OpenWindow":
        """The window with its points at hand."""
        ...

    def with_taken(self, taken: Sequence[WindowPoint]) -> "Window":
        """The window once some more points are taken."""
        ...


class OpenWindow(msgspec.Struct, frozen=True):
    """A window in columns.

    Columns, since most packs only add to them: a tuple a point would cost more than the classification of the points.

    Attributes:
        timestamps, sequences, values: of the points; the columns have one length, at most 32.
        beyond_hard_limits: a bit a point, the lowest for the first; set if it violated a hard limit.
    """

    timestamps: tuple[float, ...] = ()
    sequences: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    beyond_hard_limits: int = 0

    @classmethod
    def of(cls, points: Iterable[WindowPoint]) -> Self:
        """The window of some points, at most 32, in the order in which they were taken."""
        its = list(points)
        return cls(
            timestamps=tuple(point.timestamp for point in its),
            sequences=tuple(point.sequence for point in its),
            values=tuple(point.value for point in its),
            beyond_hard_limits=sum(1 << place for place, point in enumerate(its) if not point.within_hard_limits),
        )

    def __len__(self) -> int:
        return len(self.values)

    def opened(self) -> "OpenWindow":
        return self

    def points(self) -> list[WindowPoint]:
        """The points, in the order in which they were taken."""
        beyond = self.beyond_hard_limits
        return [
            WindowPoint(timestamp, sequence, value, not beyond >> place & 1)
            for place, (timestamp, sequence, value) in enumerate(
                zip(self.timestamps, self.sequences, self.values, strict=True)
            )
        ]

    def last_with(self, taken: Sequence[WindowPoint]) -> Sequence[WindowPoint]:
        """The last 32 points, once some more are taken."""
        if len(taken) >= WINDOW:
            return taken[-WINDOW:]
        return [*self.points(), *taken][-WINDOW:]

    def with_taken(self, taken: Sequence[WindowPoint]) -> "OpenWindow":
        if not taken:
            return self
        last = taken[-WINDOW:]
        timestamps, sequences, values, are_within = zip(*last, strict=True)
        dropped = max(0, len(self.values) + len(last) - WINDOW)
        beyond = self.beyond_hard_limits >> dropped
        if not all(are_within):
            kept = len(self.values) - dropped
            beyond |= sum(1 << place for place, is_within in enumerate(are_within, start=kept) if not is_within)
        return OpenWindow(
            (*self.timestamps[dropped:], *timestamps),
            (*self.sequences[dropped:], *sequences),
            (*self.values[dropped:], *values),
            beyond,
        )


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
    window: Window = OpenWindow()
    alarm: AlarmState = QUIET


def order_of(point: DataPoint) -> tuple[float, int]:
    """(timestamp, sequence): the order of points in their stream."""
    return point.timestamp, NO_SEQUENCE if point.sequence is None else point.sequence


def is_among(window: Iterable[WindowPoint], timestamp: float, sequence: int, value: float) -> bool:
    """Tell whether a point is one of a window."""
    identity = (timestamp, sequence, value)
    return any(point[:3] == identity for point in window)


def reference_of_late(order: tuple[float, int], window: Iterable[WindowPoint]) -> WindowPoint | None:
    """The reference of a late point among the points of a window that are within hard limits.

    The newest of those older than it, the last taken of equals; without any, the oldest of the others, the first taken
    of equals: history that comes in newest first is measured point by point as well.

    Args:
        order: (timestamp, sequence) of the late point.
        window: points in the order in which they were taken.
    """
    older: WindowPoint | None = None
    other: WindowPoint | None = None
    for point in window:
        if not point.within_hard_limits:
            continue
        if point[:2] < order:
            if older is None or point[:2] >= older[:2]:
                older = point
        elif other is None or point[:2] < other[:2]:
            other = point
    return older or other
