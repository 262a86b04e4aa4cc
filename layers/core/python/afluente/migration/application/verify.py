"""The verification of moved sensors: every sensor is compared anew, field by field, without trusting the run."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from afluente.application.constraints.ports import ConstraintsStore
from afluente.application.constraints.scopes import of_stream
from afluente.domain.constraints import VersionedConfig
from afluente.domain.faults import FaultyError
from afluente.migration.application.assess import baseline_of
from afluente.migration.application.field_differences import FieldDifference, field_differences
from afluente.migration.application.pages import pages
from afluente.migration.application.ports import LegacyTables, MigrationRecords
from afluente.migration.application.records import Origin, SensorRecord, Status
from afluente.migration.application.run import directory_entry
from afluente.migration.application.selection import Selection
from afluente.migration.application.sensors import WritableSensorDirectory
from afluente.migration.domain.mapping import to_constraints
from afluente.migration.domain.thresholds import Sensor, SensorThresholds

COLUMNS = ("sensor_id", "key", "finding", "differences", "faults")
"""Fields of a line of the report, in order."""


class Finding(StrEnum):
    """The finding of a verification for a sensor."""

    EQUAL = "equal"
    DIFFERENT = "different"
    IMPOSSIBLE = "impossible"


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A verified sensor.

    Attributes:
        sensor_id: of the sensor.
        key: of its stream; empty if it cannot have one.
        finding: of the verification.
        differences: fields that are not as they should be.
        faults: contradictions that make it impossible to move, by column.
    """

    sensor_id: int
    key: str
    finding: Finding
    differences: tuple[FieldDifference, ...] = ()
    faults: tuple[str, ...] = ()


class Verification:
    """Verifies sensors.

    Args:
        tables: of the legacy service.
        constraints: of afluente.
        records: of moved sensors.
        directory: of sensors.
    """

    def __init__(
        self,
        *,
        tables: LegacyTables,
        constraints: ConstraintsStore,
        records: MigrationRecords,
        directory: WritableSensorDirectory,
    ) -> None:
        self._tables = tables
        self._constraints = constraints
        self._records = records
        self._directory = directory

    def verify(self, selection: Selection) -> Iterator[tuple[int, list[Verified]]]:
        """Verify the sensors, a page at a time.

        Yields:
            The number of sensors that were looked at, and each of those that are selected.

        Raises:
            UnavailableError: the database or a table does not answer.
        """
        for page in pages(self._tables, selection):
            yield page.looked_at, list(self._page(page.sensors))

    def _page(self, sensors: Sequence[SensorThresholds]) -> Iterator[Verified]:
        ids = [its.sensor.sensor_id for its in sensors]
        records, entries = self._records.fetch(ids), self._directory.fetch(ids)
        keys = {its.sensor.sensor_id: _key_of(its) for its in sensors}
        present = self._constraints.fetch({key for key in keys.values() if key})
        for its in sensors:
            sensor_id = its.sensor.sensor_id
            key = keys[sensor_id]
            yield _verified(its, key, present.get(key), records.get(sensor_id), entries)


def _key_of(thresholds: SensorThresholds) -> str:
    try:
        return of_stream(thresholds.sensor.key)
    except FaultyError:
        return ""


def _verified(
    thresholds: SensorThresholds,
    key: str,
    present: VersionedConfig | None,
    record: SensorRecord | None,
    entries: Mapping[int, Sensor],
) -> Verified:
    sensor = thresholds.sensor
    wrong = list(_in_directory(sensor, entries.get(sensor.sensor_id))) if key else []
    faults: tuple[str, ...] = ()
    finding = Finding.EQUAL
    try:
        mapped = to_constraints(thresholds)
        _ = sensor.key
    except FaultyError as error:
        faults = tuple(f"{fault.field}: {fault.message}" for fault in error.faults)
        finding = Finding.IMPOSSIBLE
    else:
        expected = mapped.config if mapped else None
        is_migrated = record is None or record.origin is Origin.LEGACY_TABLES
        wrong += field_differences(expected, present.config if present else None, strict=is_migrated)
        wrong += _in_record(thresholds, key, present, record)
    if wrong:
        finding = Finding.DIFFERENT
    return Verified(sensor_id=sensor.sensor_id, key=key, finding=finding, differences=tuple(wrong), faults=faults)


def _in_directory(sensor: Sensor, entry: Sensor | None) -> Iterator[FieldDifference]:
    expected = directory_entry(sensor)
    if entry is None:
        yield FieldDifference("directory", "an entry", None)
        return
    for name in ("uuid", "device_uuid"):
        if getattr(expected, name) != getattr(entry, name):
            yield FieldDifference(f"directory.{name}", getattr(expected, name), getattr(entry, name))


def _in_record(
    thresholds: SensorThresholds, key: str, present: VersionedConfig | None, record: SensorRecord | None
) -> Iterator[FieldDifference]:
    if record is None or record.status is not Status.MIGRATED:
        yield FieldDifference("record", Status.MIGRATED, record and record.status)
        return
    if record.scope != key:
        yield FieldDifference("record.scope", key, record.scope)
    found = present.baseline if present else None
    if present and found != record.baseline:
        yield FieldDifference("baseline", record.baseline, found)
    latest = baseline_of(thresholds.latest)
    if latest is None or present is None:
        return
    # The legacy service may have later readings by now; one from before the run has to be here.
    if found is None and latest.timestamp <= record.written_at:
        yield FieldDifference("baseline", latest, None)
    elif found is not None and found.timestamp == latest.timestamp and found.value != latest.value:
        yield FieldDifference("baseline.value", latest.value, found.value)
