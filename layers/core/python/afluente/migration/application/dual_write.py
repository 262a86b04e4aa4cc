"""Dual write: a change of the thresholds reaches the constraints, and a change of the constraints the thresholds.

The record of a sensor has hashes of both sides from when they were last equivalent. A side with another hash has
changed, whoever changed it and whatever its time of change. A change that was carried over is recorded on both sides,
so it is not carried back.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from afluente.application.constraints.ports import ConstraintsCatalogue, StaleConstraintsError
from afluente.domain.constraints import StreamConfig, VersionedConfig
from afluente.domain.faults import FaultyError
from afluente.migration.application.assess import baseline_of, scope_of, with_metadata_of
from afluente.migration.application.field_differences import field_differences
from afluente.migration.application.pages import PAGE, pages
from afluente.migration.application.ports import LegacyTables, MigrationRecords, RowRejectedError
from afluente.migration.application.records import (
    MAX_NAMED,
    NOTHING_THERE,
    KeptConflict,
    Origin,
    SensorRecord,
    Status,
    SyncPass,
    hash_of_constraints,
    hash_of_rows,
)
from afluente.migration.application.selection import Selection
from afluente.migration.application.sides import Sides
from afluente.migration.domain.mapping import (
    classify_alike,
    to_constraints,
    to_thresholds,
)
from afluente.migration.domain.thresholds import AlertThresholds, DeltaThresholds, SensorThresholds

_Row = TypeVar("_Row", AlertThresholds, DeltaThresholds)

SUSPICIOUS = 10
"""Sensors that may be deleted from the legacy tables at once; more than that and than a twentieth is an error."""


_NAMES = {Origin.LEGACY_TABLES: "the legacy tables", Origin.CONSTRAINTS: "the constraints"}


class TooManyDeletedError(Exception):
    """So many sensors are missing from the legacy tables that they may be the wrong tables.

    Attributes:
        deleted: moved sensors that are missing.
        known: moved sensors in all.
    """

    def __init__(self, deleted: int, known: int) -> None:
        super().__init__(f"{deleted} of {known} moved sensors are gone from the legacy tables")
        self.deleted = deleted
        self.known = known


class DualWriting:
    """Carries changes over between legacy tables and constraints.

    Args:
        tables: of the legacy service.
        constraints: of afluente.
        records: of the moved sensors.
        clock: in Unix seconds.
    """

    def __init__(
        self,
        *,
        tables: LegacyTables,
        constraints: ConstraintsCatalogue,
        records: MigrationRecords,
        clock: Callable[[], float],
    ) -> None:
        self._tables = tables
        self._constraints = constraints
        self._records = records
        self._clock = clock

    def sync(self, *, allow_removals: bool = False) -> Iterator[SyncPass]:
        """One pass over all sensors.

        Args:
            allow_removals: delete the constraints of deleted sensors, however many they are.

        Yields:
            The counts so far, after each page; the last ones have the end of the pass.

        Raises:
            UnavailableError: the database or a table does not answer; changes that were carried over are recorded.
            TooManyDeletedError: the changes of the other sensors are carried over.
        """
        tally = _Tally(self._clock())
        seen: set[int] = set()
        for page in pages(self._tables, Selection()):
            seen.update(its.sensor.sensor_id for its in page.sensors)
            self._carry_over(page.sensors, tally)
            yield tally.counts
        self._delete_missing(seen, tally, allow_removals=allow_removals)
        yield tally.end(self._clock())

    def _carry_over(self, sensors: Sequence[SensorThresholds], tally: "_Tally") -> None:
        known = self._records.fetch(its.sensor.sensor_id for its in sensors)
        moved = {number: record for number, record in known.items() if record.status is Status.MIGRATED}
        present = self._constraints.fetch({record.scope for record in moved.values()})
        records = []
        for its in sensors:
            record = moved.get(its.sensor.sensor_id)
            tally.add(sensors=1, without_record=record is None)
            if record is not None:
                sides = Sides(record, its, present.get(record.scope))
                records += self._settle(sides, tally)
        if records:
            self._records.put_many(records)

    def _delete_missing(self, seen: set[int], tally: "_Tally", *, allow_removals: bool) -> None:
        """Settle sensors that were deleted from the legacy tables: they have no thresholds any more."""
        known = [record for record in self._records.list() if record.status is Status.MIGRATED]
        missing = [record for record in known if record.sensor_id not in seen and record.rows_hash != NOTHING_THERE]
        if len(missing) > max(SUSPICIOUS, len(known) // 20) and not allow_removals:
            raise TooManyDeletedError(len(missing), len(known))
        for start in range(0, len(missing), PAGE):
            page = missing[start : start + PAGE]
            present = self._constraints.fetch(record.scope for record in page)
            records = [
                settled
                for record in page
                for settled in self._settle(Sides(record, None, present.get(record.scope)), tally)
            ]
            self._records.put_many(records)

    def _settle(self, sides: Sides, tally: "_Tally") -> list[SensorRecord]:
        """Make both sides equivalent; returns the new record, none if it has not changed."""
        if not sides.constraints_changed:
            return self._to_constraints(sides, tally) if sides.tables_changed else []
        if sides.agree:
            tally.add(settled=1)
            return [self._recorded(sides, sides.thresholds, sides.present, Origin.CONSTRAINTS)]
        if sides.thresholds is not None and not sides.tables_changed:
            return self._to_tables(sides, sides.thresholds, tally)
        return self._resolve(sides, tally)

    def _resolve(self, sides: Sides, tally: "_Tally") -> list[SensorRecord]:
        """Both sides were changed differently: the later change wins, the other is kept as a conflict."""
        written = self._constraints.changed_at(sides.record.scope)
        in_tables = sides.thresholds.changed_at if sides.thresholds else 0.0
        is_later = written is not None and 0 < in_tables < written
        winner = Origin.CONSTRAINTS if is_later else Origin.LEGACY_TABLES
        if winner is Origin.LEGACY_TABLES and sides.thresholds_contradict:
            # Nothing is overwritten, now and at later passes: there is no conflict to keep.
            return self._to_constraints(sides, tally)
        is_known = written is not None and in_tables not in {0.0, written}
        reason = "it was changed later" if is_known else "which was changed later is not known"
        # Before anything is overwritten.
        self._records.keep_conflict(
            KeptConflict(
                sensor_id=sides.record.sensor_id,
                scope=sides.record.scope,
                at=self._clock(),
                winner=winner,
                reason=reason,
                lost=sides.rows() if is_later else msgspec.to_builtins(sides.config),
            )
        )
        tally.add(conflicts=1)
        tally.note(sides, f"changed on both sides, and differently; {_NAMES[winner]} won: {reason}")
        if sides.thresholds is not None and is_later:
            return self._to_tables(sides, sides.thresholds, tally)
        return self._to_constraints(sides, tally)

    def _to_constraints(self, sides: Sides, tally: "_Tally") -> list[SensorRecord]:
        """Write the constraints that are equivalent to the thresholds; delete them if no thresholds are in force."""
        scope, present = sides.record.scope, sides.present
        config, new_scope = None, scope
        try:
            if sides.thresholds is not None:
                new_scope = scope_of(sides.thresholds)
                mapped = to_constraints(sides.thresholds)
                config = with_metadata_of(mapped.config, present) if mapped else None
        except FaultyError as error:
            tally.add(impossible=1)
            tally.note(sides, f"its thresholds were changed and contradict each other: {error}")
            return []
        if new_scope != scope and self._constraints.fetch([new_scope]):
            tally.add(conflicts=1)
            tally.note(sides, f"it is {new_scope} now, and there are constraints already; a run says how they differ")
            return []
        try:
            after = self._written(sides, config, new_scope)
        except StaleConstraintsError:
            tally.add(postponed=1)
            return []
        tally.add(to_constraints=1)
        return [self._recorded(sides, sides.thresholds, after, Origin.LEGACY_TABLES, scope=new_scope)]

    def _written(self, sides: Sides, config: StreamConfig | None, new_scope: str) -> VersionedConfig | None:
        """Write the constraints to their scope, delete those of a former scope; returns the constraints after that."""
        scope, present, after = sides.record.scope, sides.present, None
        found = present.version if present else 0
        if config is not None and sides.thresholds is not None:
            baseline = present.baseline if present else baseline_of(sides.thresholds.latest)
            expected = found if new_scope == scope else 0
            version = self._constraints.put(new_scope, config, baseline=baseline, expected_version=expected)
            after = VersionedConfig(config, version, baseline)
        if present and (after is None or new_scope != scope):
            self._constraints.delete(scope, expected_version=found)
        return after

    def _to_tables(self, sides: Sides, thresholds: SensorThresholds, tally: "_Tally") -> list[SensorRecord]:
        """Write the thresholds that are equivalent to the constraints; without constraints none are in force."""
        config = sides.config or StreamConfig()
        written = to_thresholds(config, thresholds)
        # Never older than the row that it replaces, or another of the sensor's rows would be in force.
        changed_at = max(self._clock(), thresholds.changed_at)
        rows = msgspec.structs.replace(
            written.thresholds,
            alerts=tuple(_changed(row, changed_at) for row in written.thresholds.alerts),
            deltas=tuple(_changed(row, changed_at) for row in written.thresholds.deltas),
        )
        try:
            is_written = self._tables.write(rows, expected=thresholds)
        except RowRejectedError as error:
            tally.add(rejected=1)
            tally.note(sides, f"the legacy tables reject the values of its constraints: {error}")
            # Retried at each pass. If the thresholds had changed too, that conflict is settled and kept.
            found = hash_of_rows(thresholds)
            return [msgspec.structs.replace(sides.record, rows_hash=found)] if sides.tables_changed else []
        if not is_written:
            tally.add(postponed=1)
            return []
        sensor_id = thresholds.sensor.sensor_id
        kept = self._tables.sensors(after=sensor_id - 1, limit=1)[0]
        tally.add(to_tables=1)
        # A column may be narrower than a double.
        for lost in (*written.no_room, *_not_kept(config, kept)):
            tally.note(sides, f"the legacy tables have no room for {lost}")
        return [self._recorded(sides, kept, sides.present, Origin.CONSTRAINTS)]

    def _recorded(
        self,
        sides: Sides,
        thresholds: SensorThresholds | None,
        present: VersionedConfig | None,
        origin: Origin,
        *,
        scope: str | None = None,
    ) -> SensorRecord:
        return msgspec.structs.replace(
            sides.record,
            device_uuid=thresholds.sensor.device_uuid if thresholds else sides.record.device_uuid,
            scope=sides.record.scope if scope is None else scope,
            origin=origin,
            constraints_hash=hash_of_constraints(present.config if present else None),
            rows_hash=hash_of_rows(thresholds),
            version=present.version if present else 0,
            baseline=present.baseline if present else None,
            written_at=self._clock(),
        )


class _Tally:
    """The counts of a pass, while it lasts."""

    def __init__(self, started_at: float) -> None:
        self.counts = SyncPass(started_at=started_at)

    def add(self, **counts: int) -> None:
        sums = {name: getattr(self.counts, name) + count for name, count in counts.items()}
        self.counts = msgspec.structs.replace(self.counts, **sums)

    def note(self, sides: Sides, sentence: str) -> None:
        notes = (*self.counts.notes, f"sensor {sides.record.sensor_id}: {sentence}")
        self.counts = msgspec.structs.replace(self.counts, notes=notes[:MAX_NAMED])

    def end(self, now: float) -> SyncPass:
        return msgspec.structs.replace(self.counts, finished_at=now)


def _changed(row: _Row, at: float) -> _Row:
    return msgspec.structs.replace(row, updated_at=at)


def _not_kept(config: StreamConfig, kept: SensorThresholds) -> Iterator[str]:
    """The fields whose values in the tables differ from those that were written."""
    if classify_alike(kept, config):
        return
    try:
        mapped = to_constraints(kept)
    except FaultyError as error:
        yield str(error)
    else:
        found = mapped.config if mapped else None
        yield from (
            f"{its.field} {its.expected}: it is {its.found} there"
            for its in field_differences(config, found, strict=False)
        )
