"""`afluente migrate` from a real PostgreSQL to the local stack and back, with a run that is killed on its way."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import sqlalchemy as sa

from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue
from afluente.domain.constraints import VersionedConfig
from afluente.migration.adapters.dynamodb_records import DynamoMigrationRecords
from afluente.migration.adapters.sql.engine import legacy_engine
from afluente.migration.adapters.sql.legacy_tables import SqlLegacyTables
from afluente.migration.application.pages import PAGE
from afluente.migration.domain.thresholds import SensorThresholds
from cli import main as command_line
from cli.core.errors import ExitCode
from tests.migration.legacy_service import (
    ALERT_THRESHOLDS,
    IMPOSSIBLE,
    NOTHING_IN_FORCE,
    LegacyService,
    Shape,
    a_legacy_service,
    create_tables,
    fill,
)
from tests.migration.postgres import PostgresServer
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

SENSORS = 2 * PAGE
WRITES_A_SECOND = 500
"""So slow that the run is killed amid a page, not between two."""


class Done(NamedTuple):
    """The result of a command."""

    code: int
    document: Any
    err: str


class Moving:
    """A legacy service in PostgreSQL, a stack, and `afluente migrate` between them."""

    def __init__(self, stack: LocalStack, url: str, run: Callable[[Sequence[str]], Done]) -> None:
        self.engine = legacy_engine(url)
        self.tables = SqlLegacyTables(self.engine)
        client = stack.client("dynamodb")
        tables = stack.target["ConstraintsTable"], stack.target["ConstraintHistoryTable"]
        self.constraints = DynamoConstraintsCatalogue(client, *tables, by="tests")
        self.records = DynamoMigrationRecords(client, stack.target["MigrationTable"])
        self._run = run

    def __call__(self, *arguments: str) -> Done:
        return self._run(arguments)

    def seed(self, service: LegacyService) -> None:
        create_tables(self.engine)
        fill(self.engine, service)

    def sql(self, statement: str, **parameters: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), parameters)

    def found(self, sensors: Sequence[SensorThresholds]) -> dict[str, VersionedConfig]:
        """The constraints of sensors, by scope."""
        return dict(self.constraints.fetch(str(its.sensor.key) for its in sensors))

    def config_of(self, its: SensorThresholds) -> VersionedConfig:
        return self.found([its])[str(its.sensor.key)]

    def thresholds_of(self, its: SensorThresholds) -> SensorThresholds:
        (found,) = self.tables.sensors(after=its.sensor.sensor_id - 1, limit=1)
        return found


@pytest.fixture
def moving(
    local_stack: LocalStack,
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Moving]:
    url = postgres.new_database()
    monkeypatch.setenv("AFLUENTE_STATE_DIR", str(local_stack.target.state.path))
    monkeypatch.setenv("AFLUENTE_SQL_URL", url)

    def run(arguments: Sequence[str]) -> Done:
        monkeypatch.setattr(sys, "argv", ["afluente", "migrate", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        shown = capfd.readouterr()
        return Done(
            int(ended.value.code or 0), json.loads(shown.out) if "--json" in arguments else shown.out, shown.err
        )

    # The stack is everybody's: what others moved on it is none of these sensors.
    forget(local_stack)
    moving = Moving(local_stack, url, run)
    yield moving
    forget(local_stack)
    moving.tables.close()


def test_a_run_that_was_killed_goes_on_to_the_end_and_can_be_rolled_back(
    moving: Moving, local_stack: LocalStack
) -> None:
    service = a_legacy_service(SENSORS, seed=11)
    moving.seed(service)
    impossible, nothing = service.of(*IMPOSSIBLE), service.of(*NOTHING_IN_FORCE)
    movable = service.of(*set(Shape) - IMPOSSIBLE - NOTHING_IN_FORCE)

    planned = moving("plan", "--json")
    assert planned.code == ExitCode.OK
    assert planned.document["prospects"] == {
        "migrate": len(movable),
        "impossible": len(impossible),
        "nothing": len(nothing),
    }
    assert planned.document["with_duplicates"] == len(service.of(Shape.DUPLICATED))
    assert len(planned.document["orphans"]) == len(service.orphans)
    assert moving.found(movable) == {}

    second_page = [its for its in movable if its.sensor.sensor_id > service.sensors[PAGE - 1].sensor.sensor_id]
    killed_once(local_stack, lambda: moving.found(second_page))
    half = moving.found(second_page)
    assert 0 < len(half) < len(second_page)
    progress = moving.records.find_run()
    assert progress is not None
    assert (progress.sensors, progress.finished_at) == (PAGE, None)
    assert moving("verify", "--json").code == ExitCode.FAILED

    went_on = moving("run", "--json")
    assert f"going on after sensor {service.sensors[PAGE - 1].sensor.sensor_id}" in went_on.err
    assert went_on.code == ExitCode.REJECTED
    assert went_on.document["counts"] == planned.document["prospects"]
    assert len(moving.found(movable)) == len(movable)
    # What the killed run had written was not written again.
    assert moving.found(second_page).items() >= half.items()

    verified = moving("verify", "--json")
    assert (verified.code, verified.document["differences"]) == (ExitCode.OK, {})
    assert verified.document["findings"] == {"equal": SENSORS - len(impossible), "impossible": len(impossible)}

    before = moving.found(movable)
    again = moving("run", "--json")
    assert again.document["counts"] == {
        "unchanged": len(movable),
        "impossible": len(impossible),
        "nothing": len(nothing),
    }
    assert again.document["directory_writes"] == 0
    assert moving.found(movable) == before

    taken_back = moving("rollback", "--yes", "--json")
    assert (taken_back.code, taken_back.document["outcomes"]["removed"]) == (ExitCode.OK, len(movable))
    assert moving.found(movable) == {}


def test_changes_of_either_side_reach_the_other_and_the_later_of_two_wins(moving: Moving) -> None:
    service = a_legacy_service(36, seed=12)
    moving.seed(service)
    in_sql, in_constraints, in_both, deactivated, deleted, *_ = service.of(Shape.FULL)
    assert moving("run", "--json").code == ExitCode.REJECTED
    assert moving("dual-write", "on").code == ExitCode.OK
    assert carried_over(moving) == (0, 0, 0)

    set_bound(moving, in_sql, "physical_max", 900)
    moving.sql(
        "UPDATE alert_thresholds SET active = false, updated_at = now() WHERE sensor_id = :its",
        its=deactivated.sensor.sensor_id,
    )
    constrain(moving, in_constraints, max_value=901.0)
    moving.constraints.delete(str(deleted.sensor.key))
    # The times of change in the legacy database are long past.
    set_bound(moving, in_both, "physical_max", 902, updated_at="2026-01-01T00:00:00")
    constrain(moving, in_both, max_value=903.0)

    assert carried_over(moving) == (2, 3, 1)
    assert moving.config_of(in_sql).config.value_constraints.max_value == 900
    zones = moving.config_of(deactivated).config.value_constraints
    assert {getattr(zones, name) for name in zones.__struct_fields__} == {None}
    assert physical_max(moving, in_constraints) == 901
    thresholds = moving.thresholds_of(deleted)
    assert (thresholds.alert, thresholds.delta) == (None, None)
    assert physical_max(moving, in_both) == moving.config_of(in_both).config.value_constraints.max_value == 903

    assert carried_over(moving) == (0, 0, 0)
    kept = moving("dual-write", "status", "--conflicts", "--json").document["conflicts"]
    assert [conflict["sensor_id"] for conflict in kept] == [in_both.sensor.sensor_id]
    assert kept[0]["winner"] == "constraints"
    assert kept[0]["lost"]["alert_thresholds"]["physical_max"] == 902
    assert moving("verify", "--json").code == ExitCode.OK


def killed_once(stack: LocalStack, condition: Callable[[], object]) -> None:
    """Start a run as people do, and kill it as soon as a condition holds."""
    command = [str(Path(sys.executable).with_name("afluente")), "migrate", "run", "--rate", str(WRITES_A_SECOND)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ)) as process:
        try:
            stack.eventually(lambda: process.poll() is not None or condition(), "the run is half-way")
            assert process.poll() is None, process.stderr and process.stderr.read()
        finally:
            process.send_signal(signal.SIGKILL)


def carried_over(moving: Moving) -> tuple[int, int, int]:
    """The counts of one pass: changes to the constraints, to the tables, conflicts."""
    document = moving("dual-write", "sync", "--json").document
    return document["to_constraints"], document["to_tables"], document["conflicts"]


def set_bound(moving: Moving, its: SensorThresholds, column: str, value: float, *, updated_at: str = "now()") -> None:
    moment = sa.func.now() if updated_at == "now()" else sa.cast(updated_at, sa.DateTime)
    table = ALERT_THRESHOLDS
    with moving.engine.begin() as connection:
        connection.execute(
            sa.update(table)
            .where(table.c.sensor_id == its.sensor.sensor_id, table.c.active)
            .values({column: value, "updated_at": moment})
        )


def constrain(moving: Moving, its: SensorThresholds, **bounds: float) -> None:
    """Change constraints by hand."""
    config = moving.config_of(its).config
    values = msgspec.structs.replace(config.value_constraints, **bounds)
    moving.constraints.put(str(its.sensor.key), msgspec.structs.replace(config, value_constraints=values))


def physical_max(moving: Moving, its: SensorThresholds) -> float | None:
    alert = moving.thresholds_of(its).alert
    return alert.physical_max if alert else None


def forget(stack: LocalStack) -> None:
    """All records of sensors and runs; those of a trial in the same table are left alone."""
    table = stack.client("dynamodb")
    name = stack.target["MigrationTable"]
    pages = table.get_paginator("scan").paginate(TableName=name, ProjectionExpression="id, entry")
    keys = [item for page in pages for item in page["Items"] if not item["id"]["S"].startswith("trial")]
    for start in range(0, len(keys), 25):
        requests = [{"DeleteRequest": {"Key": key}} for key in keys[start : start + 25]]
        table.batch_write_item(RequestItems={name: requests})
