"""What moving needs of the old service's database; `afluente.adapters` keeps the promises."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from afluente.domain.keys import StreamKey
from afluente.legacy.thresholds import SensorThresholds


class Orphan(msgspec.Struct, frozen=True):
    """A row of thresholds whose sensor is not there."""

    table: str
    row_id: int
    sensor_id: int


class OldTables(Protocol):
    """The tables of the old service.

    Every method raises `UnavailableError` where the database does not answer.
    """

    def find(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, SensorThresholds]:
        """What the tables hold of the sensors of those streams, where there is such a sensor.

        A stream `iot/{device}/{sensor}` is the sensor of that id, or of that UUID, if it is part of that device, or if
        the device is `_`.
        """
        ...

    def count(self) -> int:
        """How many sensors there are."""
        ...

    def sensors(self, *, after: int | None = None, limit: int = 500) -> Sequence[SensorThresholds]:
        """A page of the sensors with all that the tables hold of them, by ascending id, beginning after `after`."""
        ...

    def orphans(self) -> Sequence[Orphan]:
        """Rows of thresholds, active ones, that no sensor has."""
        ...

    def write(self, thresholds: SensorThresholds) -> None:
        """Make the rows in force of a sensor those of `thresholds`, in one transaction.

        The row in force is changed where there is one, else one is added; where `thresholds` has none in force, the
        sensor's active rows become inactive. Its `updated_at` is written as it is given.
        """
        ...
