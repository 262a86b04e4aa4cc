"""Dual write: a change of the thresholds reaches the constraints, and a change of the constraints the thresholds.

Of each sensor it is remembered what both sides held when they were last the same. A side that holds something else has
changed, whoever changed it and whatever its clock said; what was carried over is the same on both sides, so nothing
goes round in circles.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from afluente.application.constraints.ports import ConstraintsCatalogue, StaleConstraintsError
from afluente.domain.constraints import StreamConfig, VersionedConfig
from afluente.domain.faults import FaultyError
from afluente.migration.application.assess import PAGE, baseline_of, pages, scope_of, with_metadata_of
from afluente.migration.application.differences import differences
from afluente.migration.application.ports import LegacyTables, MigrationRecords, RowRejectedError
from afluente.migration.application.records import (
    MAX_TOLD,
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
from afluente.migration.domain.mapping import judgement, judges_as, to_constraints, to_thresholds
from afluente.migration.domain.thresholds import AlertThresholds, DeltaThresholds, SensorThresholds

_Row = TypeVar("_Row", AlertThresholds, DeltaThresholds)

SUSPICIOUS = 10
"""So many sensors may be gone from the old tables at once; more, and more than a twentieth, are taken for a mistake."""


class TooManyDeletedError(Exception):
    """So many sensors are gone from the old tables that they rather are not the right tables.

    Attributes:
        gone: how many.
        known: of how many that were moved.
    """

    def __init__(self, gone: int, known: int) -> None:
        super().__init__(f"{gone} of {known} moved sensors are gone from the old tables")
        self.gone = gone
        self.known = known


class _Sides(msgspec.Struct, frozen=True):
    """A sensor as both sides have it now, and as it was remembered; no thresholds for a sensor that is gone."""

    record: SensorRecord
    thresholds: SensorThresholds | None
    present: VersionedConfig | None

    @property
    def config(self) -> StreamConfig | None:
        return self.present.config if self.present else None

    @property
    def tables_changed(self) -> bool:
        return self.record.rows_hash != hash_of_rows(self.thresholds)

    @property
    def constraints_changed(self) -> bool:
        return self.record.constraints_hash != hash_of_constraints(self.config)


class DualWriting:
    """Carries changes over.

    Args:
        tables: of the old service.
        constraints: of afluente.
        records: what both sides held when they were last the same.
        clock: gives the time in Unix seconds.
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
            allow_removals: take away the constraints of however many sensors are gone from the old tables.

        Yields:
            How the pass goes, after each page; the last one has its end.

        Raises:
            UnavailableError: the database or a table does not answer; what was carried over is remembered.
            TooManyDeletedError: see there; the changes of the other sensors are carried over.
        """
        done = _Told(self._clock())
        seen: set[int] = set()
        for page in pages(self._tables, Selection()):
            seen.update(its.sensor.sensor_id for its in page.sensors)
            self._carry_over(page.sensors, done)
            yield done.of_pass
        self._let_go(seen, done, allow_removals=allow_removals)
        yield done.end(self._clock())

    def _carry_over(self, sensors: Sequence[SensorThresholds], done: "_Told") -> None:
        known = self._records.fetch(its.sensor.sensor_id for its in sensors)
        moved = {number: record for number, record in known.items() if record.status is Status.MIGRATED}
        present = self._constraints.fetch({record.scope for record in moved.values()})
        records = []
        for its in sensors:
            record = moved.get(its.sensor.sensor_id)
            done.add(sensors=1, without_record=record is None)
            if record is not None:
                sides = _Sides(record, its, present.get(record.scope))
                records += self._settle(sides, done)
        if records:
            self._records.put_many(records)

    def _let_go(self, seen: set[int], done: "_Told", *, allow_removals: bool) -> None:
        """Sensors that the old tables have no longer have no thresholds either."""
        known = [record for record in self._records.list() if record.status is Status.MIGRATED]
        gone = [record for record in known if record.sensor_id not in seen and record.rows_hash != NOTHING_THERE]
        if len(gone) > max(SUSPICIOUS, len(known) // 20) and not allow_removals:
            raise TooManyDeletedError(len(gone), len(known))
        for start in range(0, len(gone), PAGE):
            page = gone[start : start + PAGE]
            present = self._constraints.fetch(record.scope for record in page)
            records = [
                settled
                for record in page
                for settled in self._settle(_Sides(record, None, present.get(record.scope)), done)
            ]
            self._records.put_many(records)

    def _settle(self, sides: _Sides, done: "_Told") -> list[SensorRecord]:
        """Make both sides the same; gives back the new record, where there is something new to remember."""
        if not sides.constraints_changed:
            return self._to_constraints(sides, done) if sides.tables_changed else []
        if _agree(sides):
            done.add(settled=1)
            return [self._remembered(sides, sides.thresholds, sides.present, Origin.CONSTRAINTS)]
        if sides.thresholds is not None and not sides.tables_changed:
            return self._to_tables(sides, sides.thresholds, done)
        return self._resolve(sides, done)

    def _resolve(self, sides: _Sides, done: "_Told") -> list[SensorRecord]:
        """Both sides changed, and differently: the later change wins, the other is kept."""
        written = self._constraints.changed_at(sides.record.scope)
        in_tables = sides.thresholds.changed_at if sides.thresholds else 0.0
        is_later = written is not None and 0 < in_tables < written
        winner = Origin.CONSTRAINTS if is_later else Origin.OLD_TABLES
        if winner is Origin.OLD_TABLES and _contradicts(sides.thresholds):
            # Nothing is overwritten, at this pass and at the next ones: there is nothing to keep.
            return self._to_constraints(sides, done)
        is_known = written is not None and in_tables not in {0.0, written}
        reason = "it was changed later" if is_known else "which was changed later is not known"
        # Kept before it is overwritten.
        self._records.keep_conflict(
            KeptConflict(
                sensor_id=sides.record.sensor_id,
                scope=sides.record.scope,
                at=self._clock(),
                winner=winner,
                reason=reason,
                lost=_rows_of(sides.thresholds) if is_later else msgspec.to_builtins(sides.config),
            )
        )
        done.add(conflicts=1)
        done.tell(sides, f"changed on both sides, and differently; {_NAMES[winner]} won: {reason}")
        if sides.thresholds is not None and is_later:
            return self._to_tables(sides, sides.thresholds, done)
        return self._to_constraints(sides, done)

    def _to_constraints(self, sides: _Sides, done: "_Told") -> list[SensorRecord]:
        """What the thresholds say becomes the constraints; where none are in force, they are taken away."""
        scope, present = sides.record.scope, sides.present
        config, now_in = None, scope
        try:
            if sides.thresholds is not None:
                now_in = scope_of(sides.thresholds)
                mapped = to_constraints(sides.thresholds)
                config = with_metadata_of(mapped.config, present) if mapped else None
        except FaultyError as error:
            done.add(impossible=1)
            done.tell(sides, f"its thresholds were changed and contradict each other: {error}")
            return []
        if now_in != scope and self._constraints.fetch([now_in]):
            done.add(conflicts=1)
            done.tell(sides, f"it is {now_in} now, and there are constraints already; a run says how they differ")
            return []
        try:
            after = self._written(sides, config, now_in)
        except StaleConstraintsError:
            done.add(postponed=1)
            return []
        done.add(to_constraints=1)
        return [self._remembered(sides, sides.thresholds, after, Origin.OLD_TABLES, scope=now_in)]

    def _written(self, sides: _Sides, config: StreamConfig | None, now_in: str) -> VersionedConfig | None:
        """Write the constraints to their scope and take those of another scope away; gives back what is there then."""
        scope, present, after = sides.record.scope, sides.present, None
        found = present.version if present else 0
        if config is not None and sides.thresholds is not None:
            baseline = present.baseline if present else baseline_of(sides.thresholds.latest)
            expected = found if now_in == scope else 0
            version = self._constraints.put(now_in, config, baseline=baseline, expected_version=expected)
            after = VersionedConfig(config, version, baseline)
        if present and (after is None or now_in != scope):
            self._constraints.delete(scope, expected_version=found)
        return after

    def _to_tables(self, sides: _Sides, thresholds: SensorThresholds, done: "_Told") -> list[SensorRecord]:
        """What the constraints say becomes the thresholds in force; without constraints none are."""
        config = sides.config or StreamConfig()
        written = to_thresholds(config, thresholds)
        # Never older than what it replaces, or another of the sensor's rows would be in force.
        changed_at = max(self._clock(), thresholds.changed_at)
        rows = msgspec.structs.replace(
            written.thresholds,
            alerts=tuple(_changed(row, changed_at) for row in written.thresholds.alerts),
            deltas=tuple(_changed(row, changed_at) for row in written.thresholds.deltas),
        )
        try:
            is_written = self._tables.write(rows, expected=thresholds)
        except RowRejectedError as error:
            done.add(not_taken=1)
            done.tell(sides, f"the old tables do not take what its constraints say: {error}")
            # Tried again at each pass. Where the thresholds had changed too, that is settled, and what lost is kept.
            found = hash_of_rows(thresholds)
            return [msgspec.structs.replace(sides.record, rows_hash=found)] if sides.tables_changed else []
        if not is_written:
            done.add(postponed=1)
            return []
        sensor_id = thresholds.sensor.sensor_id
        kept = self._tables.sensors(after=sensor_id - 1, limit=1)[0]
        done.add(to_tables=1)
        # A column may be narrower than a double.
        for lost in (*written.no_room, *_not_kept(config, kept)):
            done.tell(sides, f"the old tables have no room for {lost}")
        return [self._remembered(sides, kept, sides.present, Origin.CONSTRAINTS)]

    def _remembered(
        self,
        sides: _Sides,
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


_NAMES = {Origin.OLD_TABLES: "the old tables", Origin.CONSTRAINTS: "the constraints"}


class _Told:
    """How a pass goes."""

    def __init__(self, started_at: float) -> None:
        self.of_pass = SyncPass(started_at=started_at)

    def add(self, **counts: int) -> None:
        sums = {name: getattr(self.of_pass, name) + count for name, count in counts.items()}
        self.of_pass = msgspec.structs.replace(self.of_pass, **sums)

    def tell(self, sides: _Sides, sentence: str) -> None:
        told = (*self.of_pass.told, f"sensor {sides.record.sensor_id}: {sentence}")
        self.of_pass = msgspec.structs.replace(self.of_pass, told=told[:MAX_TOLD])

    def end(self, now: float) -> SyncPass:
        return msgspec.structs.replace(self.of_pass, finished_at=now)


def _contradicts(thresholds: SensorThresholds | None) -> bool:
    if thresholds is None:
        return False
    try:
        scope_of(thresholds)
        to_constraints(thresholds)
    except FaultyError:
        return True
    return False


def _agree(sides: _Sides) -> bool:
    if sides.thresholds is None:
        return judgement(sides.config) == judgement(None)
    return judges_as(sides.thresholds, sides.config)


def _changed(row: _Row, at: float) -> _Row:
    return msgspec.structs.replace(row, updated_at=at)


def _not_kept(config: StreamConfig, kept: SensorThresholds) -> Iterator[str]:
    """The fields that came back from the tables otherwise than they were written."""
    if judges_as(kept, config):
        return
    try:
        mapped = to_constraints(kept)
    except FaultyError as error:
        yield str(error)
    else:
        found = mapped.config if mapped else None
        yield from (
            f"{its.field} {its.expected}: it is {its.found} there" for its in differences(config, found, strict=False)
        )


def _rows_of(thresholds: SensorThresholds | None) -> Any:
    alert, delta = (thresholds.alert, thresholds.delta) if thresholds else (None, None)
    rows = {"alert_thresholds": msgspec.to_builtins(alert), "delta_thresholds": msgspec.to_builtins(delta)}
    return {table: row for table, row in rows.items() if row is not None}
