"""In-memory twins of the ports of the migration."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from afluente.domain.stream_keys import MISSING_SOURCE, StreamKey
from afluente.migration.application.ports import Orphan, StaleRunError
from afluente.migration.application.records import (
    DualWriteSwitch,
    KeptConflict,
    RunProgress,
    SensorRecord,
    is_in_force,
)
from afluente.migration.application.sensors import canonical_uuid
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
    SensorName,
    SensorThresholds,
)


class MemoryLegacyTables:
    """Keeps the legacy service's sensors by id.

    Args:
        sensors: with all their rows.
        orphans: rows of thresholds without a sensor.
    """

    def __init__(self, sensors: Iterable[SensorThresholds] = (), orphans: Sequence[Orphan] = ()) -> None:
        self._sensors: dict[int, SensorThresholds] = {}
        self._orphans = orphans
        for thresholds in sensors:
            self.put(thresholds)

    def put(self, thresholds: SensorThresholds) -> None:
        """Add a sensor, or replace it with all its rows."""
        self._sensors[thresholds.sensor.sensor_id] = thresholds

    def remove(self, sensor_id: int) -> None:
        """Delete a sensor."""
        del self._sensors[sensor_id]

    def find(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, SensorThresholds]:
        by_name = {name: its for its in self._sensors.values() for name in (its.sensor.uuid, str(its.sensor.sensor_id))}
        found = {key: by_name.get(key.stream_id.lower()) for key in streams if key.domain == LEGACY_DOMAIN}
        return {
            key: its
            for key, its in found.items()
            if its and key.source_id.lower() in {MISSING_SOURCE, its.sensor.device_uuid}
        }

    def count(self) -> int:
        return len(self._sensors)

    def sensors(self, *, after: int | None = None, limit: int = 500) -> Sequence[SensorThresholds]:
        ids = sorted(sensor_id for sensor_id in self._sensors if after is None or sensor_id > after)
        return [self._sensors[sensor_id] for sensor_id in ids[:limit]]

    def orphans(self) -> Sequence[Orphan]:
        return self._orphans

    def write(self, thresholds: SensorThresholds, *, expected: SensorThresholds | None = None) -> bool:
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
    """The rows with `row` in force, or none in force."""
    if row is None:
        return tuple(msgspec.structs.replace(its, active=False) for its in rows)
    place = rows.index(in_force) if in_force else len(rows)
    row_id = in_force.row_id if in_force else max((its.row_id for its in rows), default=0) + 1
    # Another active row might be newer than what is written, and would be in force instead of it.
    others = tuple(msgspec.structs.replace(its, active=False) for its in rows)
    return others[:place] + (msgspec.structs.replace(row, row_id=row_id),) + others[place + 1 :]  # noqa: RUF005 - mypy


class MemoryMigrationRecords:
    """Keeps the records of the migration, decoded from text as a real store returns them; conflicts never expire."""

    def __init__(self) -> None:
        self._records: dict[int, SensorRecord] = {}
        self._conflicts: dict[tuple[int, float], KeptConflict] = {}
        self._run: RunProgress | None = None
        self._dual_write = DualWriteSwitch()

    def fetch(self, sensor_ids: Iterable[int]) -> Mapping[int, SensorRecord]:
        return {sensor_id: self._records[sensor_id] for sensor_id in sensor_ids if sensor_id in self._records}

    def put_many(self, records: Sequence[SensorRecord]) -> None:
        self._records |= {record.sensor_id: _as_text(record) for record in records}

    def list(self) -> Iterator[SensorRecord]:
        return iter(list(self._records.values()))

    def find_run(self) -> RunProgress | None:
        return self._run

    def save_run(self, progress: RunProgress) -> RunProgress:
        if progress.version != (self._run.version if self._run else 0):
            raise StaleRunError("another run has gone on meanwhile")
        self._run = _as_text(msgspec.structs.replace(progress, version=progress.version + 1))
        return self._run

    def keep_conflict(self, conflict: KeptConflict) -> None:
        self._conflicts[conflict.sensor_id, conflict.at] = _as_text(conflict)

    def conflicts(self) -> Iterator[KeptConflict]:
        return iter(list(self._conflicts.values()))

    def find_dual_write(self) -> DualWriteSwitch:
        return self._dual_write

    def save_dual_write(self, switch: DualWriteSwitch) -> None:
        self._dual_write = _as_text(switch)


_Record = TypeVar("_Record", bound=msgspec.Struct)


def _as_text(record: _Record) -> _Record:
    return msgspec.json.decode(msgspec.json.encode(record), type=type(record))


class MemoryTrial:
    """Keeps the trial."""

    def __init__(self) -> None:
        self._settings = TrialSettings()
        self._events: list[TrialEvent] = []
        self._counts: dict[int, TrialCounts] = {}
        self._differences: dict[int, dict[tuple[str, DifferenceCause], NotedDifference]] = {}

    def settings(self) -> TrialSettings:
        return self._settings

    def save(self, settings: TrialSettings, event: TrialEvent) -> bool:
        if settings.version != self._settings.version + 1:
            return False
        self._settings = _as_text(settings)
        self._events.insert(0, _as_text(event))
        return True

    def counts(self, step: int) -> TrialCounts:
        return self._counts.get(step, TrialCounts())

    def add(self, counts: TrialCounts, *, step: int) -> TrialCounts:
        self._counts[step] = self.counts(step).plus(counts)
        return self._counts[step]

    def note(self, differences: Sequence[NotedDifference], *, step: int) -> None:
        kept = self._differences.setdefault(step, {})
        for noted in differences:
            place = (noted.example.stream, noted.example.cause)
            before = kept.get(place, NotedDifference(0, noted.example))
            kept[place] = NotedDifference(before.count + noted.count, before.example)

    def differences(self, step: int) -> Iterator[NotedDifference]:
        return iter(list(self._differences.get(step, {}).values()))

    def events(self) -> Iterator[TrialEvent]:
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
        return {name: self._sensors[name] for name in names if name in self._sensors}

    def fetch(self, sensor_ids: Iterable[int]) -> Mapping[int, Sensor]:
        return {sensor_id: self._sensors[sensor_id] for sensor_id in sensor_ids if sensor_id in self._sensors}

    def put_many(self, sensors: Sequence[Sensor]) -> None:
        for sensor in sensors:
            self._sensors[sensor.sensor_id] = sensor
            if sensor.uuid:
                self._sensors[canonical_uuid(sensor.uuid) or sensor.uuid] = sensor
