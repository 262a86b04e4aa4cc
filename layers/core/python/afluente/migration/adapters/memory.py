"""In-memory twins of the ports of the migration."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from afluente.domain.stream_keys import MISSING_SOURCE, StreamKey
from afluente.migration.application.ports import Orphan, StaleRunError
from afluente.migration.application.records import DualWrite, KeptConflict, RunProgress, SensorRecord, is_in_force
from afluente.migration.application.sensors import SensorName, canonical_uuid
from afluente.migration.application.trial import (
    DifferenceCause,
    NotedDifference,
    TrialCounts,
    TrialEvent,
    TrialSettings,
)
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from afluente.migration.domain.thresholds import (
    AlertThresholds,
    DeltaThresholds,
    Sensor,
    SensorThresholds,
)


class MemoryLegacyTables:
    """Keeps the old service's sensors by id.

    Args:
        sensors: with all that the tables hold of them.
        orphans: rows of thresholds without a sensor.
    """

    def __init__(self, sensors: Iterable[SensorThresholds] = (), orphans: Sequence[Orphan] = ()) -> None:
        self._sensors: dict[int, SensorThresholds] = {}
        self._orphans = orphans
        for thresholds in sensors:
            self.put(thresholds)

    def put(self, thresholds: SensorThresholds) -> None:
        """Add a sensor, or replace all that there is of it."""
        self._sensors[thresholds.sensor.sensor_id] = thresholds

    def remove(self, sensor_id: int) -> None:
        """Take a sensor away."""
        del self._sensors[sensor_id]

    def find(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, SensorThresholds]:
        """See `OldTables.find`."""
        by_name = {name: its for its in self._sensors.values() for name in (its.sensor.uuid, str(its.sensor.sensor_id))}
        found = {key: by_name.get(key.stream_id.lower()) for key in streams if key.domain == LEGACY_DOMAIN}
        return {
            key: its
            for key, its in found.items()
            if its and key.source_id.lower() in {MISSING_SOURCE, its.sensor.device_uuid}
        }

    def count(self) -> int:
        """See `OldTables.count`."""
        return len(self._sensors)

    def sensors(self, *, after: int | None = None, limit: int = 500) -> Sequence[SensorThresholds]:
        """See `OldTables.sensors`."""
        ids = sorted(sensor_id for sensor_id in self._sensors if after is None or sensor_id > after)
        return [self._sensors[sensor_id] for sensor_id in ids[:limit]]

    def orphans(self) -> Sequence[Orphan]:
        """See `OldTables.orphans`."""
        return self._orphans

    def write(self, thresholds: SensorThresholds, *, expected: SensorThresholds | None = None) -> bool:
        """See `OldTables.write`."""
        before = self._sensors[thresholds.sensor.sensor_id]
        if expected is not None and not is_in_force(expected, before):
            return False
        alerts = _written(before.alerts, before.alert, thresholds.alert)
        deltas = _written(before.deltas, before.delta, thresholds.delta)
        self.put(msgspec.structs.replace(before, alerts=alerts, deltas=deltas))
        return True


_ThresholdsRow = TypeVar("_ThresholdsRow", AlertThresholds, DeltaThresholds)


def _written(
    rows: tuple[_ThresholdsRow, ...], in_force: _ThresholdsRow | None, row: _ThresholdsRow | None
) -> tuple[_ThresholdsRow, ...]:
    """The rows with `row` in force, or none of them."""
    if row is None:
        return tuple(msgspec.structs.replace(its, active=False) for its in rows)
    place = rows.index(in_force) if in_force else len(rows)
    row_id = in_force.row_id if in_force else max((its.row_id for its in rows), default=0) + 1
    # Another active row might be newer than what is written, and would be in force instead of it.
    others = tuple(msgspec.structs.replace(its, active=False) for its in rows)
    return others[:place] + (msgspec.structs.replace(row, row_id=row_id),) + others[place + 1 :]  # noqa: RUF005 - mypy


class MemoryMigrationRecords:
    """Keeps what is remembered of moving, as it comes back from a store that keeps text."""

    def __init__(self) -> None:
        self._records: dict[int, SensorRecord] = {}
        self._conflicts: dict[tuple[int, float], KeptConflict] = {}
        self._run: RunProgress | None = None
        self._dual_write = DualWrite()

    def fetch(self, sensor_ids: Iterable[int]) -> Mapping[int, SensorRecord]:
        """See `MigrationRecords.fetch`."""
        return {sensor_id: self._records[sensor_id] for sensor_id in sensor_ids if sensor_id in self._records}

    def put_many(self, records: Sequence[SensorRecord]) -> None:
        """See `MigrationRecords.put_many`."""
        self._records |= {record.sensor_id: _as_text(record) for record in records}

    def list(self) -> Iterator[SensorRecord]:
        """See `MigrationRecords.list`."""
        return iter(list(self._records.values()))

    def find_run(self) -> RunProgress | None:
        """See `MigrationRecords.find_run`."""
        return self._run

    def save_run(self, progress: RunProgress) -> RunProgress:
        """See `MigrationRecords.save_run`."""
        if progress.version != (self._run.version if self._run else 0):
            raise StaleRunError("another run has gone on meanwhile")
        self._run = _as_text(msgspec.structs.replace(progress, version=progress.version + 1))
        return self._run

    def keep_conflict(self, conflict: KeptConflict) -> None:
        """See `MigrationRecords.keep_conflict`; the twin forgets nothing."""
        self._conflicts[conflict.sensor_id, conflict.at] = _as_text(conflict)

    def conflicts(self) -> Iterator[KeptConflict]:
        """See `MigrationRecords.conflicts`."""
        return iter(list(self._conflicts.values()))

    def find_dual_write(self) -> DualWrite:
        """See `MigrationRecords.find_dual_write`."""
        return self._dual_write

    def save_dual_write(self, dual_write: DualWrite) -> None:
        """See `MigrationRecords.save_dual_write`."""
        self._dual_write = _as_text(dual_write)


_Remembered = TypeVar("_Remembered", bound=msgspec.Struct)


def _as_text(thing: _Remembered) -> _Remembered:
    return msgspec.json.decode(msgspec.json.encode(thing), type=type(thing))


class MemoryTrial:
    """Keeps what the trial keeps."""

    def __init__(self) -> None:
        self._settings = TrialSettings()
        self._events: list[TrialEvent] = []
        self._counts: dict[int, TrialCounts] = {}
        self._differences: dict[int, dict[tuple[str, DifferenceCause], NotedDifference]] = {}

    def settings(self) -> TrialSettings:
        """See `TrialStore.settings`."""
        return self._settings

    def save(self, settings: TrialSettings, event: TrialEvent) -> bool:
        """See `TrialStore.save`."""
        if settings.version != self._settings.version + 1:
            return False
        self._settings = _as_text(settings)
        self._events.insert(0, _as_text(event))
        return True

    def counts(self, step: int) -> TrialCounts:
        """See `TrialStore.counts`."""
        return self._counts.get(step, TrialCounts())

    def add(self, counts: TrialCounts, *, step: int) -> TrialCounts:
        """See `TrialStore.add`."""
        self._counts[step] = self.counts(step).plus(counts)
        return self._counts[step]

    def note(self, differences: Sequence[NotedDifference], *, step: int) -> None:
        """See `TrialStore.note`."""
        kept = self._differences.setdefault(step, {})
        for noted in differences:
            place = (noted.example.stream, noted.example.cause)
            before = kept.get(place, NotedDifference(0, noted.example))
            kept[place] = NotedDifference(before.count + noted.count, before.example)

    def differences(self, step: int) -> Iterator[NotedDifference]:
        """See `TrialStore.differences`."""
        return iter(list(self._differences.get(step, {}).values()))

    def events(self) -> Iterator[TrialEvent]:
        """See `TrialStore.events`."""
        return iter(list(self._events))


class MemorySensors:
    """Keeps the sensor directory."""

    def __init__(self, sensors: Sequence[Sensor] = ()) -> None:
        self._sensors: dict[SensorName, Sensor] = {}
        self.put_many(sensors)

    @property
    def entries(self) -> Mapping[int, Sensor]:
        """All entries, by the id of their sensor."""
        return {name: sensor for name, sensor in self._sensors.items() if isinstance(name, int)}

    def resolve(self, names: Collection[SensorName]) -> Mapping[SensorName, Sensor]:
        """See `SensorDirectory.resolve`."""
        return {name: self._sensors[name] for name in names if name in self._sensors}

    def fetch(self, sensor_ids: Iterable[int]) -> Mapping[int, Sensor]:
        """See `WritableSensorDirectory.fetch`."""
        return {sensor_id: self._sensors[sensor_id] for sensor_id in sensor_ids if sensor_id in self._sensors}

    def put_many(self, sensors: Sequence[Sensor]) -> None:
        """See `WritableSensorDirectory.put_many`."""
        for sensor in sensors:
            self._sensors[sensor.sensor_id] = sensor
            if sensor.uuid:
                self._sensors[canonical_uuid(sensor.uuid) or sensor.uuid] = sensor
