"""A migration in memory: legacy tables, constraints, records, directory, and the use cases over them."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

import msgspec

from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.constraints.ports import StaleConstraintsError
from afluente.domain.constraints import StreamConfig
from afluente.migration.adapters.memory import MemoryLegacyTables, MemoryMigrationRecords, MemorySensors
from afluente.migration.application.assess import Assessment, Assessor, Choice
from afluente.migration.application.dual_write import DualWriting
from afluente.migration.application.plan import PlannedSensor, plan
from afluente.migration.application.ports import Orphan
from afluente.migration.application.records import Prospect, RunProgress, SensorRecord, SyncPass
from afluente.migration.application.rollback import Rollback, RolledBack
from afluente.migration.application.run import Migration
from afluente.migration.application.selection import Selection
from afluente.migration.application.verify import Verification, Verified
from afluente.migration.domain.thresholds import LatestReading, SensorThresholds
from tests.factories import NOW, Clock
from tests.migration.thresholds import DEVICE, thresholds

ALL = Selection()
LATEST = LatestReading(21.5, NOW - 60)

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class AtOnce(Executor):
    """Does what it is given before it gives it back."""

    def submit(
        self, call: Callable[Arguments, Result], /, *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> "Future[Result]":
        done: Future[Result] = Future()
        try:
            done.set_result(call(*arguments, **named))
        except StaleConstraintsError as error:
            # Told where the result is asked for; whatever else is raised ends the test's run as a signal would.
            done.set_exception(error)
        return done


class Moving:
    """All that a migration works with."""

    def __init__(self, *sensors: SensorThresholds, orphans: Sequence[Orphan] = ()) -> None:
        self.clock = Clock(NOW)
        self.tables = MemoryLegacyTables(sensors, orphans)
        self.constraints = MemoryConstraints(self.clock)
        self.records = MemoryMigrationRecords()
        self.directory = MemorySensors()
        self.migration = Migration(
            tables=self.tables,
            constraints=self.constraints,
            records=self.records,
            directory=self.directory,
            executor=AtOnce(),
            clock=self.clock,
        )
        self._runs = 0

    # --- the use cases -----------------------------------------------------------------------------------------------

    def plan(self, selection: Selection = ALL, **choice: bool) -> list[PlannedSensor]:
        assessor = Assessor(constraints=self.constraints, records=self.records)
        return [line for _, lines in plan(self.tables, assessor, selection, Choice(**choice)) for line in lines]

    def begin(self, selection: Selection = ALL, *, anew: bool = False, **choice: bool) -> RunProgress:
        self._runs += 1
        return self.migration.begin(selection, Choice(**choice), run_id=f"run-{self._runs}", anew=anew)

    def run(self, selection: Selection = ALL, **choice: bool) -> RunProgress:
        """All of a run."""
        begun = self.begin(selection, **choice)
        *_, (last, _) = self.migration.go_on(begun, selection, Choice(**choice))
        return last

    def verify(self, selection: Selection = ALL) -> list[Verified]:
        verification = Verification(
            tables=self.tables, constraints=self.constraints, records=self.records, directory=self.directory
        )
        return [found for _, page in verification.verify(selection) for found in page]

    def sync(self, *, allow_removals: bool = False) -> SyncPass:
        """All of a pass of dual write, a second later."""
        self.clock.now += 1
        dual = DualWriting(tables=self.tables, constraints=self.constraints, records=self.records, clock=self.clock)
        *_, last = dual.sync(allow_removals=allow_removals)
        return last

    def roll_back(self, selection: Selection = ALL, *, overwrite_conflicts: bool = False) -> list[RolledBack]:
        rollback = Rollback(constraints=self.constraints, records=self.records, executor=AtOnce(), clock=self.clock)
        pages = rollback.take_back(rollback.moved(selection), overwrite_conflicts=overwrite_conflicts)
        return [its for page in pages for its in page]

    # --- what is there -----------------------------------------------------------------------------------------------

    def scope(self, sensor_id: int = 42, device: str = DEVICE) -> str:
        return f"iot/{device}/{sensor_id}"

    def config(self, sensor_id: int = 42) -> StreamConfig | None:
        found = self.constraints.fetch([self.scope(sensor_id)]).get(self.scope(sensor_id))
        return found.config if found else None

    def record(self, sensor_id: int = 42) -> SensorRecord:
        return self.records.fetch([sensor_id])[sensor_id]

    def of_sensor(self, sensor_id: int = 42) -> SensorThresholds:
        return self.tables.sensors(after=sensor_id - 1, limit=1)[0]

    def everything(self) -> dict[str, Any]:
        """All that is written, but for how far the run got."""
        return {
            "constraints": dict(self.constraints.list()),
            "records": {record.sensor_id: record for record in self.records.list()},
            "directory": dict(self.directory.entries),
        }

    # --- what people do to it ----------------------------------------------------------------------------------------

    def change_thresholds(self, sensor_id: int = 42, *, at: float = NOW, **columns: Any) -> None:
        """Set columns of the legacy tables; none of them, and the sensor has no thresholds."""
        before = self.of_sensor(sensor_id).sensor
        self.tables.put(
            thresholds(
                sensor_id,
                updated_at=at,
                uuid=before.uuid,
                device_uuid=before.device_uuid,
                sensor_type=before.sensor_type,
                **columns,
            )
        )

    def change_constraints(self, sensor_id: int = 42, **bounds: Any) -> None:
        """Set bounds of the values of a stream, as `afluente constraints get` and `apply` would."""
        config = self.config(sensor_id) or StreamConfig(stream_id=str(sensor_id), source_id=DEVICE)
        values = msgspec.structs.replace(config.value_constraints, **bounds)
        self.constraints.put(self.scope(sensor_id), msgspec.structs.replace(config, value_constraints=values))


def prospects(lines: Iterable[PlannedSensor | Assessment]) -> list[Prospect]:
    return [line.prospect for line in lines]
