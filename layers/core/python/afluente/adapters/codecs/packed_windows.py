"""Windows of streams as packed columns, to which points are added without unpacking."""

from collections.abc import Sequence

import msgspec

from afluente.adapters.codecs.columns import (
    Column,
    check,
    extend,
    floats_of,
    integers_of,
    last_float,
    last_integer,
    pack_floats,
    pack_integers,
)
from afluente.domain.stream_state import WINDOW, OpenWindow, Window, WindowPoint

# Milliseconds for most clocks; microseconds.
_SCALES_OF_TIMES = (3, 6)
_SCALES_OF_VALUES = (0, 1, 2, 3, 4, 5, 6)


class PackedWindow(msgspec.Struct, array_like=True, frozen=True):
    """A window whose points are unpacked for late points alone.

    Attributes:
        length: how many points it has.
        timestamps, sequences, values: of the points.
        beyond_hard_limits: a bit a point, the lowest for the first; set if it violated a hard limit.
    """

    length: int
    timestamps: Column
    sequences: Column
    values: Column
    beyond_hard_limits: int

    def __len__(self) -> int:
        return self.length

    def __eq__(self, other: object) -> bool:
        """Windows are equal that have the same points, packed or not."""
        return isinstance(other, PackedWindow | OpenWindow) and self.opened() == other.opened()

    __hash__ = None  # type: ignore[assignment]

    def opened(self) -> OpenWindow:
        return OpenWindow(
            tuple(floats_of(self.timestamps, self.length)),
            tuple(integers_of(self.sequences, self.length)),
            tuple(floats_of(self.values, self.length)),
            self.beyond_hard_limits,
        )

    def with_taken(self, taken: Sequence[WindowPoint]) -> Window:
        if not taken:
            return self
        points = taken[-WINDOW:]
        length, dropped = self.length, max(0, self.length + len(points) - WINDOW)
        if dropped >= length:
            return OpenWindow.of(points)
        beyond = self.beyond_hard_limits >> dropped
        for place, point in enumerate(points, start=length - dropped):
            if not point.within_hard_limits:
                beyond |= 1 << place
        timestamps = [point.timestamp for point in points]
        sequences = [point.sequence for point in points]
        values = [point.value for point in points]
        return PackedWindow(
            length - dropped + len(points),
            extend(self.timestamps, length, dropped, timestamps)
            or pack_floats([*floats_of(self.timestamps, length)[dropped:], *timestamps], _SCALES_OF_TIMES),
            extend(self.sequences, length, dropped, sequences)
            or pack_integers([*integers_of(self.sequences, length)[dropped:], *sequences]),
            extend(self.values, length, dropped, values)
            or pack_floats([*floats_of(self.values, length)[dropped:], *values], _SCALES_OF_VALUES),
            beyond,
        )

    def last(self) -> WindowPoint | None:
        """The last point."""
        if not self.length:
            return None
        return WindowPoint(
            last_float(self.timestamps, self.length),
            last_integer(self.sequences, self.length),
            last_float(self.values, self.length),
            not self.beyond_hard_limits >> self.length - 1 & 1,
        )

    def check(self) -> None:
        """Refuse columns that do not fit together.

        Raises:
            ValueError: they do not.
        """
        if not 0 <= self.length <= WINDOW or not 0 <= self.beyond_hard_limits < 1 << self.length:
            raise ValueError(f"a window of {self.length} points")
        check(self.timestamps, self.length, integers=False)
        check(self.sequences, self.length, integers=True)
        check(self.values, self.length, integers=False)


def packed(window: Window) -> PackedWindow:
    """A window, packed if it is not yet."""
    if isinstance(window, PackedWindow):
        return window
    its = window.opened()
    return PackedWindow(
        len(its),
        pack_floats(its.timestamps, _SCALES_OF_TIMES),
        pack_integers(its.sequences),
        pack_floats(its.values, _SCALES_OF_VALUES),
        its.beyond_hard_limits,
    )
