"""Ports of the migration: the legacy tables, the records of moved sensors, and the store of the trial."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from afluente.domain.stream_keys import StreamKey
from afluente.migration.application.records import DualWriteSwitch, KeptConflict, RunProgress, SensorRecord
from afluente.migration.application.trial import NotedDifference, TrialCounts, TrialEvent, TrialSettings
from afluente.migration.domain.thresholds import SensorThresholds


class Orphan(msgspec.Struct, frozen=True):
    """A row of thresholds whose sensor does not exist."""

    table: str
    row_id: int
    sensor_id: int


class RowRejectedError(Exception):
    """The database rejects the values of a row, such as a number that its column cannot hold.

    Nothing of this sensor is written; other sensors are not affected. The message is the database's own.
    """


class LegacyTables(Protocol):
    """The tables of the legacy service.

    Every method raises `UnavailableError` if the database does not answer.
    """

    def find(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, SensorThresholds]:
        """The thresholds of those streams that are of a sensor.

        A stream `iot/{device}/{sensor}` is the sensor of that id, or of that UUID, if it is part of that device, or if
        the device is `_`.
        """
        ...

    def count(self) -> int:
        """The number of sensors."""
        ...

    def sensors(self, *, after: int | None = None, limit: int = 500) -> Sequence[SensorThresholds]:
        """A page of the sensors with all their rows, by ascending id, beginning after `after`."""
        ...

    def orphans(self) -> Sequence[Orphan]:
        """Active rows of thresholds without a sensor."""
        ...

    def write(self, thresholds: SensorThresholds, *, expected: SensorThresholds | None = None) -> bool:
        """Replace the rows in force of a sensor by those of `thresholds`, in one transaction.

        The row in force is changed if there is one, else one is added; if `thresholds` has none in force, the sensor's
        active rows become inactive. `updated_at` is written as it is given.

        Args:
            thresholds: of an existing sensor.
            expected: the sensor as it was read; if its rows in force have changed since, nothing is written.

        Returns:
            Whether it was written.

        Raises:
            RowRejectedError: the tables cannot hold the values; nothing is written.
        """
        ...


class StaleRunError(Exception):
    """Another run has progressed since this one was read; nothing is saved."""


class MigrationRecords(Protocol):
    """The records of the migration.

    Every method raises `UnavailableError` if the store does not answer.
    """

    def fetch(self, sensor_ids: Iterable[int]) -> Mapping[int, SensorRecord]:
        """The records of those sensors that have one, as they were last put."""
        ...

    def put_many(self, records: Sequence[SensorRecord]) -> None:
        """Save the records, each in place of the sensor's last one; repeating it changes nothing."""
        ...

    def list(self) -> Iterable[SensorRecord]:
        """Every record, in no order."""
        ...

    def find_run(self) -> RunProgress | None:
        """The progress of the last run; None before the first."""
        ...

    def save_run(self, progress: RunProgress) -> RunProgress:
        """Save the progress of a run.

        Returns:
            The progress in its next version.

        Raises:
            StaleRunError: the saved progress is of another version.
        """
        ...

    def keep_conflict(self, conflict: KeptConflict) -> None:
        """Keep a conflict for a year."""
        ...

    def conflicts(self) -> Iterable[KeptConflict]:
        """Every conflict that is kept, in no order."""
        ...

    def find_dual_write(self) -> DualWriteSwitch:
        """The switch of dual write; off before it was ever set."""
        ...

    def save_dual_write(self, switch: DualWriteSwitch) -> None:
        """Save the switch of dual write."""
        ...


class TrialStore(Protocol):
    """The settings, counts, differences and events of the trial.

    Every method raises `UnavailableError` if the store does not answer.
    """

    def settings(self) -> TrialSettings:
        """The settings as they were last saved; those of an idle canary before."""
        ...

    def save(self, settings: TrialSettings, event: TrialEvent) -> bool:
        """Save settings and the event that led to them, together.

        Returns:
            Whether they are of the version after the saved one; else nothing is saved.
        """
        ...

    def counts(self, step: int) -> TrialCounts:
        """The counts of a step."""
        ...

    def add(self, counts: TrialCounts, *, step: int) -> TrialCounts:
        """Add to the counts of a step.

        Returns:
            The new total.
        """
        ...

    def note(self, differences: Sequence[NotedDifference], *, step: int) -> None:
        """Add differences to those of a step, each under its stream and cause; the first example of them stays."""
        ...

    def differences(self, step: int) -> Iterable[NotedDifference]:
        """The differences of a step, in no order."""
        ...

    def events(self) -> Iterable[TrialEvent]:
        """All events, the latest first."""
        ...
