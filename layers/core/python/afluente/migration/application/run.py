"""Move sensors: their thresholds become constraints, their last readings baselines, their names the sensor directory.

A run walks over all sensors in pages. Of each page it writes the constraints first, then the records, then its
progress. A run that is killed in between starts that page again, and finds that the constraints are as they should be.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor

import msgspec

from afluente.application.constraints.ports import ConstraintsCatalogue, StaleConstraintsError
from afluente.domain.faults import FaultyError
from afluente.migration.application.assess import Assessment, Assessor, Choice
from afluente.migration.application.pages import pages
from afluente.migration.application.ports import LegacyTables, MigrationRecords
from afluente.migration.application.records import (
    MAX_NAMED,
    PassedOver,
    Prospect,
    RunProgress,
    SensorRecord,
    Status,
    hash_of_constraints,
    hash_of_rows,
)
from afluente.migration.application.selection import Selection
from afluente.migration.application.sensors import WritableSensorDirectory
from afluente.migration.domain.thresholds import Sensor

PASSED_OVER = frozenset({Prospect.CONFLICT, Prospect.IMPOSSIBLE})
"""Prospects of sensors that a run does not move."""


class Migration:
    """Moves sensors.

    Args:
        tables: of the legacy service.
        constraints: of afluente.
        records: of moved sensors.
        directory: of sensors, by which readings find their streams.
        executor: writes constraints in parallel.
        clock: in Unix seconds.
    """

    def __init__(
        self,
        *,
        tables: LegacyTables,
        constraints: ConstraintsCatalogue,
        records: MigrationRecords,
        directory: WritableSensorDirectory,
        executor: Executor,
        clock: Callable[[], float],
    ) -> None:
        self._tables = tables
        self._constraints = constraints
        self._records = records
        self._directory = directory
        self._executor = executor
        self._clock = clock
        self._assessor = Assessor(constraints=constraints, records=records)

    def begin(self, selection: Selection, choice: Choice, *, run_id: str, anew: bool = False) -> RunProgress:
        """The interrupted run, if it has the same selection and options; else a new one.

        Args:
            selection: of sensors.
            choice: the options of the run.
            run_id: of a new run.
            anew: begin a new run in any case.

        Raises:
            UnavailableError: the records cannot be read.
        """
        last = self._records.find_run()
        chosen = f"{selection} {choice}"
        if last and last.finished_at is None and last.choice == chosen and not anew:
            return last
        version = last.version if last else 0
        return RunProgress(run_id=run_id, choice=chosen, started_at=self._clock(), version=version)

    def go_on(
        self, progress: RunProgress, selection: Selection, choice: Choice, *, pace: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[RunProgress, Sequence[Assessment]]]:
        """Move the sensors that are not done yet, a page at a time; a caller may stop after any page.

        Args:
            progress: of the run.
            selection: of sensors.
            choice: the options of the run.
            pace: called before each write; waits until the write may be made.

        Yields:
            The progress, with the assessment of each sensor of the page.

        Raises:
            UnavailableError: the database or a table does not answer; the same run can go on later.
            StaleRunError: another run has progressed meanwhile.
        """
        # Before the first page, so that of two concurrent runs one ends here.
        progress = self._records.save_run(progress)
        for page in pages(self._tables, selection, after=progress.after):
            assessments = self._move(self._assessor.assess(page.sensors, choice), progress.run_id, pace)
            counts = Counter(_counted_as(its, progress.run_id) for its in assessments)
            written = self._fill_directory(assessments, pace)
            progress = self._records.save_run(
                msgspec.structs.replace(
                    progress,
                    after=page.last_id,
                    counts=Counter(progress.counts) + counts,
                    passed_over=(*progress.passed_over, *_passed_over(assessments))[:MAX_NAMED],
                    directory_writes=progress.directory_writes + written,
                )
            )
            yield progress, assessments
        progress = self._records.save_run(msgspec.structs.replace(progress, finished_at=self._clock()))
        yield progress, ()

    def _move(self, assessments: Sequence[Assessment], run_id: str, pace: Callable[[], None]) -> list[Assessment]:
        """Write constraints and records; returns the assessments, changed where a write came too late."""
        writing = []
        for assessment in assessments:
            if assessment.writes or assessment.leaves is not None:
                pace()
                writing.append((assessment, self._executor.submit(self._write, assessment)))
        versions: dict[int, int] = {}
        overtaken: dict[int, Assessment] = {}
        for assessment, written in writing:
            sensor_id = assessment.thresholds.sensor.sensor_id
            try:
                versions[sensor_id] = written.result()
            except StaleConstraintsError:
                overtaken[sensor_id] = _overtaken(assessment)
        moved = [overtaken.get(its.thresholds.sensor.sensor_id, its) for its in assessments]
        now = self._clock()
        records = [
            _record_of(its, versions.get(its.thresholds.sensor.sensor_id), run_id=run_id, now=now)
            for its in moved
            if its.records
        ]
        if records:
            self._records.put_many(records)
        return moved

    def _write(self, assessment: Assessment) -> int:
        """Write or delete the constraints of a sensor; returns their version."""
        version = assessment.present.version if assessment.present else 0
        if assessment.writes and assessment.config is None:
            self._constraints.delete(assessment.scope, expected_version=version)
            version = 0
        elif assessment.writes and assessment.config is not None:
            version = self._constraints.put(
                assessment.scope, assessment.config, baseline=assessment.baseline, expected_version=version
            )
        if assessment.leaves is not None:
            self._constraints.delete(assessment.leaves)
        return version

    def _fill_directory(self, assessments: Sequence[Assessment], pace: Callable[[], None]) -> int:
        """Enter new and changed sensors, also without thresholds: they send readings; returns the number of entries."""
        sensors = [directory_entry(its.thresholds.sensor) for its in assessments if can_be_found(its.thresholds.sensor)]
        present = self._directory.fetch(sensor.sensor_id for sensor in sensors)
        changed = [sensor for sensor in sensors if present.get(sensor.sensor_id) != sensor]
        for _ in changed:
            pace()
        if changed:
            self._directory.put_many(changed)
        return len(changed)


def can_be_found(sensor: Sensor) -> bool:
    """True if a sensor can have a stream."""
    try:
        return bool(sensor.key)
    except FaultyError:
        return False


def directory_entry(sensor: Sensor) -> Sensor:
    """The entry of a sensor in the directory."""
    return msgspec.structs.replace(sensor, sensor_type=None)


def _overtaken(assessment: Assessment) -> Assessment:
    """The assessment of a sensor whose constraints were changed by another writer meanwhile: they stay."""
    note = "its constraints were changed at this very moment; another run says how they differ"
    notes = (*assessment.notes, note)
    return msgspec.structs.replace(assessment, prospect=Prospect.CONFLICT, records=False, notes=notes)


def _passed_over(assessments: Sequence[Assessment]) -> Iterator[PassedOver]:
    for its in assessments:
        if its.prospect in PASSED_OVER:
            yield PassedOver(its.thresholds.sensor.sensor_id, its.prospect, its.reasons)


def _counted_as(assessment: Assessment, run_id: str) -> Prospect:
    """The prospect of a sensor; that of its record if the same run moved it before it was interrupted."""
    record = assessment.record
    is_done = record is not None and record.run_id == run_id and not assessment.records
    return record.prospect if record is not None and is_done else assessment.prospect


def _record_of(assessment: Assessment, version: int | None, *, run_id: str, now: float) -> SensorRecord:
    """The record of a sensor; `version` is that of its constraints if they were written."""
    present = assessment.present.version if assessment.present and assessment.config is not None else 0
    sensor = assessment.thresholds.sensor
    return SensorRecord(
        sensor_id=sensor.sensor_id,
        uuid=sensor.uuid,
        device_uuid=sensor.device_uuid,
        scope=assessment.scope,
        status=Status.MIGRATED,
        origin=assessment.origin,
        constraints_hash=hash_of_constraints(assessment.config),
        rows_hash=hash_of_rows(assessment.thresholds),
        version=present if version is None else version,
        baseline=assessment.baseline,
        run_id=run_id,
        prospect=assessment.prospect,
        written_at=now,
    )
