"""Twins in memory of all that is outside: for tests, and to try classification on history."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from afluente.adapters.csv_job_codec import decode_head, decode_part, encode_head, encode_part
from afluente.adapters.pack_codec import encode_pack
from afluente.application.alarm_history import ReportedAlarm
from afluente.application.api_keys import ApiKey, StaleKeyError
from afluente.application.connections import Connection
from afluente.application.constraint_history import ChangeKind, ConstraintsChange
from afluente.application.constraint_scopes import domain_of
from afluente.application.csv_jobs import CsvJob, JobStatus, PartProgress, StaleJobError
from afluente.application.csv_uploads import MultipartUpload, part_bytes_of
from afluente.application.migration.ports import Orphan, StaleRunError
from afluente.application.migration.records import DualWrite, KeptConflict, RunProgress, SensorRecord, is_in_force
from afluente.application.migration.sensors import SensorName, canonical_uuid
from afluente.application.migration.trial import (
    DifferenceCause,
    NotedDifference,
    TrialCounts,
    TrialEvent,
    TrialSettings,
)
from afluente.application.packs import Pack, ReceivedPack, SeriesPack
from afluente.application.ports import Delivery, StaleConstraintsError, StaleStateError, StreamMemory, UnavailableError
from afluente.application.quarantine import QuarantinedRecord
from afluente.application.redaction import redacted_record
from afluente.application.tenants import Tenant
from afluente.domain.alarms import AlarmEvent
from afluente.domain.classification import Baseline, Classification, ClassifiedDataPoint, VersionedConfig
from afluente.domain.constraints import StreamConfig
from afluente.domain.keys import MISSING_SOURCE, StreamKey
from afluente.legacy.thresholds import DOMAIN, AlertThresholds, DeltaThresholds, Sensor, SensorThresholds


class MemoryPackQueue:
    """Keeps packs as `ReceivedPack`s, numbered as they come, and drops those it has seen."""

    def __init__(self) -> None:
        self.packs: list[ReceivedPack] = []
        self._seen: set[tuple[str, str]] = set()

    def send(self, packs: Sequence[Pack]) -> None:
        """See `PackQueue.send`."""
        for pack in packs:
            identity = (pack.group, encode_pack(pack.points).deduplication_id)
            if identity not in self._seen:
                self._seen.add(identity)
                number = len(self.packs)
                self.packs.append(ReceivedPack(str(number), pack.group, number, pack.points))

    def send_series(self, pack: SeriesPack) -> None:
        """See `SeriesQueue.send_series`."""
        self.send([Pack(pack.group, tuple(pack.points()))])


class MemoryStreams:
    """Keeps the points of each class in the order in which they were put."""

    def __init__(self) -> None:
        self.points: dict[Classification, list[ClassifiedDataPoint]] = {name: [] for name in Classification}

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """See `ClassifiedStreams.put`."""
        for delivery in deliveries:
            self.points[delivery.classification] += delivery.points


class MemoryStates:
    """Keeps states of streams, with a version a stream."""

    def __init__(self) -> None:
        self.memories: dict[StreamKey, tuple[str, StreamMemory]] = {}

    def load(self, groups: Mapping[StreamKey, str]) -> "_LoadedMemory":
        """See `StateStore.load`."""
        return _LoadedMemory(self, groups, {key: self.memories.get(key) for key in groups})


class _LoadedMemory:
    def __init__(
        self,
        store: MemoryStates,
        groups: Mapping[StreamKey, str],
        read: Mapping[StreamKey, tuple[str, StreamMemory] | None],
    ) -> None:
        self._store = store
        self._groups = groups
        self._read = read

    def of(self, key: StreamKey) -> StreamMemory:
        """See `LoadedStates.of`."""
        group, memory = self._read[key] or (self._groups[key], StreamMemory())
        comparable = group == self._groups[key]
        return memory if comparable else msgspec.structs.replace(memory, last_pack=StreamMemory().last_pack)

    def save(self, changed: Mapping[StreamKey, StreamMemory]) -> Mapping[str, StaleStateError | UnavailableError]:
        """See `LoadedStates.save`."""
        unsaved: dict[str, StaleStateError | UnavailableError] = {}
        for key, memory in changed.items():
            if self._store.memories.get(key) is self._read[key]:
                self._store.memories[key] = (self._groups[key], memory)
            else:
                unsaved[key.source] = StaleStateError(f"another writer saved {key}")
        return unsaved


class MemoryConstraints:
    """Keeps constraints by scope, and their history.

    Args:
        clock: gives the time in Unix seconds.
        by: who writes.
    """

    def __init__(self, clock: Callable[[], float] = time.time, by: str = "memory") -> None:
        self._configs: dict[str, VersionedConfig] = {}
        self._changed_at: dict[str, float] = {}
        self._changes: dict[str, list[ConstraintsChange]] = {}
        self._lock = threading.RLock()
        self._clock = clock
        self._by = by

    def written_by(self, by: str) -> "MemoryConstraints":
        """The same constraints, for another who writes."""
        other = MemoryConstraints(self._clock, by)
        other._configs, other._changed_at, other._changes = self._configs, self._changed_at, self._changes
        other._lock = self._lock
        return other

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        """See `ConstraintsStore.fetch`."""
        return {scope: self._configs[scope] for scope in scopes if scope in self._configs}

    def put(
        self,
        scope: str,
        config: StreamConfig,
        *,
        baseline: Baseline | None = None,
        expected_version: int | None = None,
        restored: int | None = None,
    ) -> int:
        """See `ConstraintsCatalogue.put`."""
        with self._lock:
            before = self._configs.get(scope)
            if expected_version not in {None, before.version if before else 0}:
                raise StaleConstraintsError(scope)
            kind = ChangeKind.PUT if restored is None else ChangeKind.ROLL_BACK
            version = self._enter(scope, kind, msgspec.to_builtins(config), restored)
            self._configs[scope] = VersionedConfig(config, version, baseline or (before.baseline if before else None))
            self._changed_at[scope] = self._clock()
            return version

    def put_all(self, configs: Sequence[tuple[str, StreamConfig]]) -> Sequence[int]:
        """See `ConstraintsCatalogue.put_all`."""
        return [self.put(scope, config) for scope, config in configs]

    def changed_at(self, scope: str) -> float | None:
        """See `ConstraintsCatalogue.changed_at`."""
        return self._changed_at.get(scope)

    def delete(self, scope: str, *, expected_version: int | None = None) -> bool:
        """See `ConstraintsCatalogue.delete`."""
        with self._lock:
            found = self._configs.get(scope)
            if found is None:
                return False
            if expected_version not in {None, found.version}:
                raise StaleConstraintsError(scope)
            self._enter(scope, ChangeKind.DELETE, None, None)
            del self._configs[scope], self._changed_at[scope]
            return True

    def list(self) -> Iterator[tuple[str, VersionedConfig]]:
        """See `ConstraintsCatalogue.list`."""
        return iter(list(self._configs.items()))

    def scopes(self, domain: str, *, start: str, end: str, limit: int) -> Sequence[str]:
        """See `ConstraintsCatalogue.scopes`."""
        found = (scope for scope in self._configs if domain_of(scope) == domain and start <= scope < end)
        return sorted(found)[:limit]

    def history(self, scope: str, *, before: int | None = None, limit: int) -> Sequence[ConstraintsChange]:
        """See `ConstraintsCatalogue.history`."""
        newest_first = reversed(self._changes.get(scope, []))
        return [change for change in newest_first if before is None or change.version < before][:limit]

    def _enter(self, scope: str, kind: ChangeKind, config: dict[str, Any] | None, restored: int | None) -> int:
        changes = self._changes.setdefault(scope, [])
        version = len(changes) + 1
        changes.append(
            ConstraintsChange(
                version=version, kind=kind, at=self._clock(), by=self._by, config=config, restored=restored
            )
        )
        return version


class MemoryAlarms:
    """Keeps alarm events in the order in which they were published."""

    def __init__(self) -> None:
        self.events: list[AlarmEvent] = []

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        """See `AlarmSink.publish`."""
        self.events += events


class MemoryAlarmLog:
    """Keeps reported alarms, and gives them back a few at a time."""

    def __init__(self, *, page: int = 3) -> None:
        self._reported: list[ReportedAlarm] = []
        self._page = page

    def report(self, *reported: ReportedAlarm) -> None:
        """Keep alarms."""
        self._reported = sorted((*self._reported, *reported), key=lambda its: its.reported_ms)

    def pages(self, since_ms: int, until_ms: int) -> Iterator[Sequence[ReportedAlarm]]:
        """See `AlarmLog.pages`."""
        found = [reported for reported in self._reported if since_ms <= reported.reported_ms < until_ms]
        return (found[start : start + self._page] for start in range(0, len(found), self._page))


class MemoryQuarantine:
    """Keeps quarantined records by id."""

    def __init__(self) -> None:
        self.records: dict[str, QuarantinedRecord] = {}

    def put(self, record: QuarantinedRecord) -> None:
        """See `Quarantine.put`."""
        self.records[record.record_id] = redacted_record(record)


class MemoryApiKeys:
    """Keeps API keys by id."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}

    def find(self, key_id: str) -> ApiKey | None:
        """See `ApiKeyStore.find`."""
        return self._keys.get(key_id)

    def put(self, key: ApiKey, *, replacing: ApiKey | None = None) -> None:
        """See `ApiKeyStore.put`."""
        found = self._keys.get(key.key_id)
        if _without_use(found) != _without_use(replacing):
            raise StaleKeyError(key.key_id)
        last_used_at = found.last_used_at if found else None
        self._keys[key.key_id] = msgspec.structs.replace(key, last_used_at=last_used_at)

    def used(self, key_id: str, now: float) -> None:
        """See `ApiKeyStore.used`."""
        self._keys[key_id] = msgspec.structs.replace(self._keys[key_id], last_used_at=now)

    def list(self) -> Iterator[ApiKey]:
        """See `ApiKeyStore.list`."""
        return iter(list(self._keys.values()))


def _without_use(key: ApiKey | None) -> ApiKey | None:
    return msgspec.structs.replace(key, last_used_at=None) if key else None


class MemoryTenants:
    """Keeps tenants by name."""

    def __init__(self) -> None:
        self._tenants: dict[str, Tenant] = {}

    def find(self, name: str) -> Tenant | None:
        """See `TenantStore.find`."""
        return self._tenants.get(name)

    def put(self, tenant: Tenant) -> None:
        """See `TenantStore.put`."""
        self._tenants[tenant.name] = tenant

    def remove(self, name: str) -> None:
        """See `TenantStore.remove`."""
        self._tenants.pop(name, None)

    def list(self) -> Iterator[Tenant]:
        """See `TenantStore.list`."""
        return iter(list(self._tenants.values()))


class MemoryConnections:
    """Keeps connections by id, and the last acknowledged sequence by source."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._sequences: dict[str, int] = {}

    def find(self, connection_id: str) -> Connection | None:
        """See `ConnectionStore.find`."""
        return self._connections.get(connection_id)

    def open(self, connection: Connection) -> None:
        """See `ConnectionStore.open`."""
        self._connections[connection.connection_id] = connection

    def close(self, connection_id: str) -> None:
        """See `ConnectionStore.close`."""
        self._connections.pop(connection_id, None)

    def last_sequence(self, source: str) -> int | None:
        """See `ConnectionStore.last_sequence`."""
        return self._sequences.get(source)

    def acknowledged(self, source: str, sequence: int, now: float) -> None:
        """See `ConnectionStore.acknowledged`; the twin forgets nothing, whatever the time."""
        del now
        self._sequences[source] = sequence


class MemoryCsvJobs:
    """Keeps CSV jobs by id, and which job has which content."""

    def __init__(self) -> None:
        self._jobs: dict[str, CsvJob] = {}
        self._owners: dict[str, str] = {}

    def create(self, job: CsvJob) -> CsvJob:
        """See `CsvJobStore.create`."""
        return self._jobs.setdefault(job.job_id, _as_kept(job))

    def find(self, job_id: str) -> CsvJob | None:
        """See `CsvJobStore.find`."""
        return self._jobs.get(job_id)

    def change(self, job: CsvJob) -> CsvJob:
        """See `CsvJobStore.change`."""
        kept = self._jobs.get(job.job_id)
        if kept is None or kept.version != job.version:
            raise StaleJobError(f"job {job.job_id} was changed meanwhile")
        parts = kept.parts + job.parts[len(kept.parts) :]
        changed = msgspec.structs.replace(job, parts=parts, version=job.version + 1)
        self._jobs[job.job_id] = _as_kept(changed)
        return self._jobs[job.job_id]

    def save_part(self, job: CsvJob, number: int, part: PartProgress) -> PartProgress:
        """See `CsvJobStore.save_part`."""
        kept = self._jobs.get(job.job_id)
        is_read = kept is not None and kept.status is JobStatus.READING and number < len(kept.parts)
        if kept is None or not is_read or kept.parts[number].version != part.version:
            raise StaleJobError(f"job {job.job_id} was changed meanwhile")
        saved = msgspec.structs.replace(part, version=part.version + 1)
        parts = (*kept.parts[:number], saved, *kept.parts[number + 1 :])
        self._jobs[job.job_id] = _as_kept(msgspec.structs.replace(kept, parts=parts))
        return saved

    def newest(self, domain: str, *, before: float | None, limit: int) -> Sequence[CsvJob]:
        """See `CsvJobStore.newest`."""
        found = [
            job for job in self._jobs.values() if job.domain == domain and (before is None or job.created_at < before)
        ]
        return sorted(found, key=lambda job: (-job.created_at, job.job_id))[:limit]

    def claim(self, content_id: str, job_id: str, now: float) -> str:
        """See `CsvJobStore.claim`; the twin forgets nothing, whatever the time."""
        del now
        return self._owners.setdefault(content_id, job_id)

    def release(self, content_id: str, job_id: str) -> None:
        """See `CsvJobStore.release`."""
        if self._owners.get(content_id) == job_id:
            del self._owners[content_id]


def _as_kept(job: CsvJob) -> CsvJob:
    """A job as it comes back from a store that keeps text."""
    parts = tuple(decode_part(encode_part(part)) for part in job.parts)
    return msgspec.structs.replace(decode_head(encode_head(job)), parts=parts)


class MemoryCsvUploads:
    """Keeps uploaded files by key; its URLs lead nowhere."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        """See `CsvUploads.put`."""
        self.files[key] = body

    def presign_put(self, key: str, size: int | None) -> str:
        """See `CsvUploads.presign_put`."""
        return f"memory:put/{key}?size={size}"

    def begin_multipart(self, key: str, size: int) -> MultipartUpload:
        """See `CsvUploads.begin_multipart`."""
        return self.go_on_with(key, size, "upload-1")

    def go_on_with(self, key: str, size: int, upload_id: str) -> MultipartUpload:
        """See `CsvUploads.go_on_with`."""
        part_bytes = part_bytes_of(size)
        urls = tuple(f"memory:part/{key}?number={number + 1}" for number in range(-(-size // part_bytes)))
        return MultipartUpload(upload_id, part_bytes, urls, f"memory:complete/{key}", f"memory:abort/{key}")

    def presign_rejects(self, key: str) -> str:
        """See `CsvUploads.presign_rejects`."""
        return f"memory:get/{key}"


class MemoryOldTables:
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
        found = {key: by_name.get(key.stream_id.lower()) for key in streams if key.domain == DOMAIN}
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
