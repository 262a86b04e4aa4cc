"""What moving needs of the outside: the old database, and a memory; `afluente.adapters` keeps the promises."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from afluente.domain.stream_keys import StreamKey
from afluente.migration.application.records import DualWrite, KeptConflict, RunProgress, SensorRecord
from afluente.migration.domain.thresholds import SensorThresholds


class Orphan(msgspec.Struct, frozen=True):
    """A row of thresholds whose sensor is not there."""

    table: str
    row_id: int
    sensor_id: int


class RowRejectedError(Exception):
    """The database does not take the values that were to be written, such as a number that its column cannot hold.

    It answers, and takes others: nothing of this one sensor is written. The message is the database's own.
    """


class LegacyTables(Protocol):
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

    def write(self, thresholds: SensorThresholds, *, expected: SensorThresholds | None = None) -> bool:
        """Make the rows in force of a sensor those of `thresholds`, in one transaction.

        The row in force is changed where there is one, else one is added; where `thresholds` has none in force, the
        sensor's active rows become inactive. Its `updated_at` is written as it is given.

        Args:
            thresholds: of a sensor that is there.
            expected: the sensor as it was read; where its rows in force say something else now, nothing is written.

        Returns:
            Whether it was written.

        Raises:
            RowRejectedError: the tables cannot hold what it says; nothing is written.
        """
        ...


class StaleRunError(Exception):
    """Another run has gone on since this one looked; nothing of this save has replaced the other's."""


class MigrationRecords(Protocol):
    """What is remembered of moving.

    Every method raises `UnavailableError` where the store does not answer.
    """

    def fetch(self, sensor_ids: Iterable[int]) -> Mapping[int, SensorRecord]:
        """The records of those of the sensors that have one, as they were last put."""
        ...

    def put_many(self, records: Sequence[SensorRecord]) -> None:
        """Keep the records, each in the place of the sensor's last one; repeating it changes nothing."""
        ...

    def list(self) -> Iterable[SensorRecord]:
        """Every record, in no order."""
        ...

    def find_run(self) -> RunProgress | None:
        """How far the last run got; None before the first."""
        ...

    def save_run(self, progress: RunProgress) -> RunProgress:
        """Keep how far a run got.

        Returns:
            It, in its next version.

        Raises:
            StaleRunError: it is not of the version that is kept.
        """
        ...

    def keep_conflict(self, conflict: KeptConflict) -> None:
        """Keep what lost, for a year."""
        ...

    def conflicts(self) -> Iterable[KeptConflict]:
        """Every conflict that is kept, in no order."""
        ...

    def find_dual_write(self) -> DualWrite:
        """The switch, and how its last pass went; off before it was ever set."""
        ...

    def save_dual_write(self, dual_write: DualWrite) -> None:
        """Keep the switch and how the last pass went."""
        ...
