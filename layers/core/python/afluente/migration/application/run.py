"""Move sensors: their thresholds become constraints, their last readings baselines, their names the sensor directory.

A run is a walk over all sensors in pages. Of each page the constraints are written first, then what is remembered of
the sensors, then how far the run got: whoever is killed between two of them finds, when it goes on, that what it wrote
is as it should be.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor

import msgspec

from afluente.application.constraints.ports import ConstraintsCatalogue, StaleConstraintsError
from afluente.domain.faults import FaultyError
from afluente.migration.application.assess import Assessment, Assessor, Choice, pages
from afluente.migration.application.ports import LegacyTables, MigrationRecords
from afluente.migration.application.records import (
    MAX_TOLD,
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
"""What a run leaves as it is."""


class Migration:
    """Moves sensors.

    Args:
        tables: of the old service.
        constraints: where they go.
        records: what is remembered of it.
        directory: of sensors, by which readings find their streams.
        executor: writes constraints in parallel.
        clock: gives the time in Unix seconds.
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
        """The run that was broken off, if it was for the same sensors in the same way; else a new one.

        Args:
            selection: which sensors.
            choice: how they are moved.
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
        """Move the sensors that are not done yet, a page at a time; a caller that stops asking loses nothing.

        Args:
            progress: how far the run got.
            selection: which sensors.
            choice: how they are moved.
            pace: called before each write; waits where it is too early for one.

        Yields:
            How far it is now, with what became of each sensor of the page.

        Raises:
            UnavailableError: the database or a table does not answer; the same run can go on later.
            StaleRunError: another run has gone on meanwhile.
        """
        # Said before the first page, so that of two runs at once one ends here.
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
                    passed_over=(*progress.passed_over, *_passed_over(assessments))[:MAX_TOLD],
                    directory_writes=progress.directory_writes + written,
                )
            )
            yield progress, assessments
        progress = self._records.save_run(msgspec.structs.replace(progress, finished_at=self._clock()))
        yield progress, ()

    def _move(self, assessments: Sequence[Assessment], run_id: str, pace: Callable[[], None]) -> list[Assessment]:
        """Write what is to be written; gives back what became of the sensors."""
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
            if its.remembers
        ]
        if records:
            self._records.put_many(records)
        return moved

    def _write(self, assessment: Assessment) -> int:
        """Write the constraints of a sensor, or take them away; gives back their version."""
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
        """Enter the sensors that are not there as they are; those without thresholds too: readings come of them."""
        sensors = [directory_entry(its.thresholds.sensor) for its in assessments if can_be_found(its.thresholds.sensor)]
        there = self._directory.fetch(sensor.sensor_id for sensor in sensors)
        new = [sensor for sensor in sensors if there.get(sensor.sensor_id) != sensor]
        for _ in new:
            pace()
        if new:
            self._directory.put_many(new)
        return len(new)


def can_be_found(sensor: Sensor) -> bool:
    """Whether a sensor has a stream that its readings could go to."""
    try:
        return bool(sensor.key)
    except FaultyError:
        return False


def directory_entry(sensor: Sensor) -> Sensor:
    """A sensor as the directory has it."""
    return msgspec.structs.replace(sensor, sensor_type=None)


def _overtaken(assessment: Assessment) -> Assessment:
    """Somebody wrote the constraints while the run had the sensor in hand: theirs stay."""
    note = "its constraints were changed at this very moment; another run says how they differ"
    notes = (*assessment.notes, note)
    return msgspec.structs.replace(assessment, prospect=Prospect.CONFLICT, remembers=False, notes=notes)


def _passed_over(assessments: Sequence[Assessment]) -> Iterator[PassedOver]:
    for its in assessments:
        if its.prospect in PASSED_OVER:
            yield PassedOver(its.thresholds.sensor.sensor_id, its.prospect, its.reasons)


def _counted_as(assessment: Assessment, run_id: str) -> Prospect:
    """What becomes of a sensor; what became of it, where this very run had it in hand before it was broken off."""
    record = assessment.record
    is_done = record is not None and record.run_id == run_id and not assessment.remembers
    return record.prospect if record is not None and is_done else assessment.prospect


def _record_of(assessment: Assessment, version: int | None, *, run_id: str, now: float) -> SensorRecord:
    """What is remembered of a sensor.

    Args:
        assessment: of the sensor.
        version: of its constraints, if they were written.
        run_id: of the run.
        now: in Unix seconds.
    """
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
