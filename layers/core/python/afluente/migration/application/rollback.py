"""Delete migrated constraints that nobody has changed since; directory and records stay, for readings and reports."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from enum import StrEnum

import msgspec

from afluente.application.constraints.ports import ConstraintsCatalogue, StaleConstraintsError
from afluente.domain.constraints import VersionedConfig
from afluente.migration.application.pages import PAGE
from afluente.migration.application.ports import MigrationRecords
from afluente.migration.application.records import (
    NOTHING_THERE,
    Origin,
    SensorRecord,
    Status,
    hash_of_constraints,
)
from afluente.migration.application.selection import Selection

COLUMNS = ("sensor_id", "key", "outcome", "reason")
"""Fields of a line of the report, in order."""


class Reverted(StrEnum):
    """The outcome of a rollback for a sensor."""

    REMOVED = "removed"
    NOTHING = "nothing"
    KEPT = "kept"
    CONFLICT = "conflict"


class RolledBack(msgspec.Struct, frozen=True):
    """A sensor with the outcome and the reason for it."""

    record: SensorRecord
    outcome: Reverted
    reason: str = ""

    @property
    def line(self) -> "RolledBackLine":
        """As a line of the report."""
        return RolledBackLine(self.record.sensor_id, self.record.scope, self.outcome, self.reason)


class RolledBackLine(msgspec.Struct, frozen=True):
    """A line of the report."""

    sensor_id: int
    key: str
    outcome: Reverted
    reason: str


class Rollback:
    """Deletes migrated constraints.

    Args:
        constraints: of afluente.
        records: of moved sensors.
        executor: deletes constraints in parallel.
        clock: in Unix seconds.
    """

    def __init__(
        self,
        *,
        constraints: ConstraintsCatalogue,
        records: MigrationRecords,
        executor: Executor,
        clock: Callable[[], float],
    ) -> None:
        self._constraints = constraints
        self._records = records
        self._executor = executor
        self._clock = clock

    def moved(self, selection: Selection) -> list[SensorRecord]:
        """The records of the selected sensors that are moved, by ascending id.

        Raises:
            UnavailableError: the records cannot be read.
        """
        moved = [record for record in self._records.list() if record.status is Status.MIGRATED]
        selected = [its for its in moved if selection.includes_names(its.sensor_id, its.uuid, its.device_uuid)]
        return sorted(selected, key=lambda record: record.sensor_id)

    def take_back(
        self, records: Sequence[SensorRecord], *, overwrite_conflicts: bool = False
    ) -> Iterator[list[RolledBack]]:
        """Delete the constraints of sensors, a page at a time.

        Args:
            records: of the sensors.
            overwrite_conflicts: also delete constraints that were changed since.

        Yields:
            The outcome for each sensor of the page.

        Raises:
            UnavailableError: a table does not answer; the rollback can be repeated.
        """
        for start in range(0, len(records), PAGE):
            page = records[start : start + PAGE]
            present = self._constraints.fetch(record.scope for record in page)
            configs = [present.get(record.scope) for record in page]
            intended = [
                _intended(record, config, overwrite_conflicts=overwrite_conflicts)
                for record, config in zip(page, configs, strict=True)
            ]
            outcomes = list(self._executor.map(self._delete, intended, configs))
            done = [its.record for its in outcomes if its.outcome in {Reverted.REMOVED, Reverted.NOTHING}]
            now = self._clock()
            if done:
                self._records.put_many([_without_constraints(record, now) for record in done])
            yield outcomes

    def _delete(self, intended: RolledBack, present: VersionedConfig | None) -> RolledBack:
        if intended.outcome is not Reverted.REMOVED or present is None:
            return intended
        try:
            self._constraints.delete(intended.record.scope, expected_version=present.version)
        except StaleConstraintsError:
            return RolledBack(intended.record, Reverted.CONFLICT, "they were changed by hand at this very moment")
        return intended


def _intended(record: SensorRecord, present: VersionedConfig | None, *, overwrite_conflicts: bool) -> RolledBack:
    if present is None:
        return RolledBack(record, Reverted.NOTHING)
    if record.origin is Origin.BEFORE:
        return RolledBack(record, Reverted.KEPT, "they were there before the migration")
    reason = _changed_since(record, present)
    if reason and not overwrite_conflicts:
        return RolledBack(record, Reverted.CONFLICT, reason)
    return RolledBack(record, Reverted.REMOVED, reason)


def _changed_since(record: SensorRecord, present: VersionedConfig) -> str:
    if record.constraints_hash == NOTHING_THERE:
        return "they were written by hand since the migration"
    if record.constraints_hash != hash_of_constraints(present.config):
        return "they were changed by hand since the migration"
    if record.origin is Origin.CONSTRAINTS:
        return "they were changed by hand, and the legacy tables have followed"
    return ""


def _without_constraints(record: SensorRecord, now: float) -> SensorRecord:
    return msgspec.structs.replace(
        record, status=Status.ROLLED_BACK, constraints_hash=NOTHING_THERE, version=0, written_at=now
    )
