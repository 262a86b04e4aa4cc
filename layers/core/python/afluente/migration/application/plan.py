"""The plan: the change that a run would make to each sensor; writes nothing."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from afluente.migration.application.assess import Assessment, Assessor, Choice
from afluente.migration.application.pages import pages
from afluente.migration.application.ports import LegacyTables, Orphan
from afluente.migration.application.records import Prospect
from afluente.migration.application.selection import Selection

COLUMNS = (
    "sensor_id",
    "sensor_uuid",
    "device_uuid",
    "key",
    "prospect",
    "faults",
    "adjusted",
    "duplicates",
    "notes",
)
"""Fields of a line of the report, in order."""


class PlannedSensor(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the report.

    Attributes:
        sensor_id, sensor_uuid, device_uuid: the sensor's names in the legacy service.
        key: of its stream; empty if it cannot have one.
        prospect: the change that a run would make.
        faults: contradictions in its thresholds, by column.
        adjusted: each difference from the tables, in a sentence; no reading gets another class for it.
        duplicates: active rows that a newer one supersedes, as `table:id`.
        notes: the differences of a conflict, the template that applies instead.
    """

    sensor_id: int
    sensor_uuid: str | None
    device_uuid: str | None
    key: str
    prospect: Prospect
    faults: tuple[str, ...]
    adjusted: tuple[str, ...]
    duplicates: tuple[str, ...]
    notes: tuple[str, ...]


class Totals:
    """The counts of a plan.

    Attributes:
        prospects: sensors by prospect.
        adjusted: sensors whose constraints differ from the tables.
        with_duplicates: sensors with active rows that a newer one supersedes.
        duplicate_rows: such rows.
        same_uuid: sensors that have the UUID of one before.
        orphans: active rows without a sensor.
    """

    def __init__(self, orphans: tuple[Orphan, ...] = ()) -> None:
        self.prospects: Counter[Prospect] = Counter()
        self.adjusted = 0
        self.with_duplicates = 0
        self.duplicate_rows = 0
        self.same_uuid = 0
        self._uuids: set[str] = set()
        self.orphans = orphans

    def add(self, line: PlannedSensor) -> None:
        """Count a sensor."""
        self.prospects[line.prospect] += 1
        self.adjusted += bool(line.adjusted)
        self.with_duplicates += bool(line.duplicates)
        self.duplicate_rows += len(line.duplicates)
        if line.sensor_uuid is not None:
            self.same_uuid += line.sensor_uuid in self._uuids
            self._uuids.add(line.sensor_uuid)

    @property
    def sensors(self) -> int:
        """The number of sensors."""
        return self.prospects.total()


def plan(
    tables: LegacyTables, assessor: Assessor, selection: Selection, choice: Choice
) -> Iterator[tuple[int, list[PlannedSensor]]]:
    """Plan a run, a page at a time.

    Yields:
        The number of sensors that were looked at, and a line for each of those that are selected.

    Raises:
        UnavailableError: the database or a table does not answer.
    """
    first: dict[str, int] = {}
    for page in pages(tables, selection):
        lines = [planned(assessment) for assessment in assessor.assess(page.sensors, choice)]
        yield page.looked_at, [_with_note_on_twin(line, first) for line in lines]


def _with_note_on_twin(line: PlannedSensor, first: dict[str, int]) -> PlannedSensor:
    """The line, with a note if an earlier sensor has the same UUID; `first` has the first sensor of each UUID."""
    if line.sensor_uuid is None:
        return line
    twin = first.setdefault(line.sensor_uuid, line.sensor_id)
    if twin == line.sensor_id:
        return line
    note = (
        f"sensor {twin} has the same UUID: a reading that names its sensor by it goes to one of them; give each its own"
    )
    return msgspec.structs.replace(line, notes=(*line.notes, note))


def planned(assessment: Assessment) -> PlannedSensor:
    """The line of an assessment."""
    sensor = assessment.thresholds.sensor
    return PlannedSensor(
        sensor_id=sensor.sensor_id,
        sensor_uuid=sensor.uuid,
        device_uuid=sensor.device_uuid,
        key=assessment.scope,
        prospect=assessment.prospect,
        faults=tuple(f"{fault.field}: {fault.message}" for fault in assessment.faults),
        adjusted=assessment.adjusted,
        duplicates=assessment.thresholds.duplicates,
        notes=assessment.notes,
    )
