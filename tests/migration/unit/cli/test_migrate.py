"""`afluente migrate`: what the commands write, what they say, and with which code they end."""

import csv
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import boto3
import msgspec
import pytest

from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue
from afluente.application.errors import UnavailableError
from afluente.migration.adapters.dynamodb_records import DynamoMigrationRecords
from afluente.migration.application import pages
from afluente.migration.application.canary_commands import CanaryCommands, Plan
from afluente.migration.application.plan import COLUMNS
from afluente.migration.application.records import DualWriteSwitch, Prospect
from afluente.migration.application.trial import Phase
from cli.core.errors import ExitCode
from cli.migration.pace import Pace
from tests.factories import NOW, Clock, a_config
from tests.migration.legacy_service import (
    IMPOSSIBLE,
    NOTHING_IN_FORCE,
    LegacyService,
    Shape,
    a_legacy_service,
)
from tests.migration.unit.cli.migrating import CLASSIFIER, SHADOW, Migrating, calling_first, migrating

SENSORS = 36


@pytest.fixture
def service() -> LegacyService:
    return a_legacy_service(SENSORS, seed=3)


@pytest.fixture
def migrate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, service: LegacyService
) -> Iterator[Migrating]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pages, "PAGE", 10)
    with migrating(monkeypatch, capsys, tmp_path) as moving:
        moving.seed(service)
        yield moving


# --- plan ------------------------------------------------------------------------------------------------------------


def test_a_plan_counts_what_would_become_of_the_sensors_and_writes_nothing(
    migrate: Migrating, service: LegacyService
) -> None:
    planned = migrate("plan", "--json")

    impossible, nothing = len(service.of(*IMPOSSIBLE)), len(service.of(*NOTHING_IN_FORCE))
    assert planned.code == ExitCode.OK
    assert planned.document["prospects"] == {
        "migrate": SENSORS - impossible - nothing,
        "impossible": impossible,
        "nothing": nothing,
    }
    assert planned.document["with_duplicates"] == len(service.of(Shape.DUPLICATED))
    assert [orphan["row_id"] for orphan in planned.document["orphans"]] == [its.row_id for its in service.orphans]
    assert list(migrate.constraints.list()) == []
    assert list(migrate.records.list()) == []


def test_a_plan_shows_sensors_that_cannot_be_moved_and_why(migrate: Migrating, service: LegacyService) -> None:
    planned = migrate("plan")

    (contradictory,) = service.of(Shape.CONTRADICTORY)
    assert planned.code == ExitCode.OK
    assert f"sensor {contradictory.sensor.sensor_id} impossible" in planned.out
    assert "alert_thresholds.warning_min: warning_min" in planned.out
    assert "delta_thresholds.abs_delta: is -1" in planned.out
    assert "36 sensors in all" in planned.out
    assert "2 active rows without a sensor" in planned.out


@pytest.mark.parametrize("name", ["plan.csv", "plan.ndjson"])
def test_the_report_has_a_line_for_each_sensor(migrate: Migrating, service: LegacyService, name: str) -> None:
    planned = migrate("plan", "--report", name)

    lines = list(read_report(Path(name)))
    assert planned.err.endswith(f"the report is in {name}\n")
    assert [int(line["sensor_id"]) for line in lines] == [its.sensor.sensor_id for its in service.sensors]
    assert all(tuple(line) == COLUMNS for line in lines)
    assert {line["prospect"] for line in lines} == {"migrate", "impossible", "nothing"}


def read_report(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file) if path.suffix == ".csv" else map(json.loads, file)


def test_only_the_named_sensors_are_planned(migrate: Migrating, service: LegacyService) -> None:
    device = service.sensors[0].sensor.device_uuid or ""

    planned = migrate("plan", "--only", device.upper(), "--exclude", "1001,1002", "--json")

    of_device = [its for its in service.sensors if its.sensor.device_uuid == device]
    assert planned.document["sensors"] == len(of_device) - 2


def test_a_run_that_is_dry_is_a_plan(migrate: Migrating) -> None:
    dry = migrate("run", "--dry-run", "--json")

    assert dry.code == ExitCode.OK
    assert dry.document == migrate("plan", "--json").document
    assert dry.err == "this was a dry run: nothing was written\n"
    assert migrate.records.find_run() is None


# --- run and verify --------------------------------------------------------------------------------------------------


def test_sensors_are_moved_verified_and_not_written_twice(migrate: Migrating) -> None:
    first = migrate("run")
    assert first.code == ExitCode.REJECTED
    assert "36 entered in the sensor directory" in first.out
    assert "sensors that were passed over:" in first.out

    verified = migrate("verify", "--json")
    assert (verified.code, verified.document["findings"]) == (ExitCode.OK, {"equal": 34, "impossible": 2})

    again = migrate("run")
    assert again.code == ExitCode.REJECTED
    assert "nothing was written: all is as it should be" in again.out


def test_a_run_without_anything_to_pass_over_ends_with_0(migrate: Migrating, service: LegacyService) -> None:
    impossible = [str(its.sensor.sensor_id) for its in service.of(*IMPOSSIBLE)]

    ran = migrate("run", "--exclude", ",".join(impossible), "--json")

    assert ran.code == ExitCode.OK
    assert set(ran.document["counts"]) == {"migrate", "nothing"}


def test_a_verification_names_what_differs(migrate: Migrating, service: LegacyService) -> None:
    migrate("run")
    its = service.of(Shape.FULL)[0]
    migrate.constrain(its, a_config(max_value=1))

    verified = migrate("verify", "--report", "verify.csv")

    assert verified.code == ExitCode.FAILED
    assert "33 of 34 sensors that can be moved are equal (97 %)" in verified.out
    assert "1 differ in value_constraints.max_value" in verified.out
    assert f"sensor {its.sensor.sensor_id} {its.sensor.key}" in verified.out
    assert "2 cannot be moved; the legacy rules stay in force for them:" in verified.out
    (line,) = [line for line in read_report(Path("verify.csv")) if line["finding"] == "different"]
    assert "value_constraints.max_value: " in line["differences"]


@pytest.mark.parametrize("command", ["plan", "run", "verify"])
def test_names_that_no_sensor_has_are_refused(migrate: Migrating, command: str) -> None:
    refused = migrate(command, "--only", "nobody")

    assert refused.code == ExitCode.FAILED
    assert refused.err.startswith("error: no sensor is called nobody\n")


@pytest.mark.parametrize("command", ["plan", "run", "verify"])
def test_tables_without_a_sensor_are_refused_as_the_wrong_ones(migrate: Migrating, command: str) -> None:
    migrate.sql("DELETE FROM sensors")

    refused = migrate(command)

    assert refused.code == ExitCode.FAILED
    assert refused.err.startswith("error: the legacy tables have no sensors\n")


def test_a_run_that_finds_a_table_away_says_that_it_can_go_on(
    migrate: Migrating, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(call: int) -> None:
        if call == 2:
            raise UnavailableError("the table of records")

    with monkeypatch.context() as patch:
        patch.setattr(DynamoMigrationRecords, "fetch", calling_first(DynamoMigrationRecords.fetch, away))
        ended = migrate("run")

    assert ended.code == ExitCode.UNREACHABLE
    assert ended.err == "error: not available: the table of records\n→ the same command goes on from here\n"
    assert "with 10 sensors done" in migrate("run").err


def test_conflicts_stay_unless_they_are_to_be_overwritten(migrate: Migrating, service: LegacyService) -> None:
    its = service.of(Shape.FULL)[0]
    migrate.constrain(its, a_config(max_value=1))
    only = ("--only", str(its.sensor.sensor_id))

    kept = migrate("run", *only)
    assert kept.code == ExitCode.REJECTED
    assert f"sensor {its.sensor.sensor_id} conflict" in kept.out
    assert migrate.config_of(its) == a_config(max_value=1)

    assert migrate("run", *only, "--overwrite-conflicts").code == ExitCode.OK
    assert migrate("verify", *only).code == ExitCode.OK


def test_ctrl_c_finishes_the_page_and_the_same_command_goes_on(
    migrate: Migrating, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt_once(call: int) -> None:
        if call == 12:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(DynamoConstraintsCatalogue, "put", calling_first(DynamoConstraintsCatalogue.put, interrupt_once))
        stopped = migrate("run", "--report", "run.csv")

    assert stopped.code == ExitCode.INTERRUPTED
    assert "finishing what is at hand; Ctrl-C again ends at once" in stopped.err
    assert "stopped; 20 sensors are done. The same command goes on from there" in stopped.err
    assert len(list(read_report(Path("run.csv")))) == 20

    went_on = migrate("run", "--report", "run.csv")
    assert "going on after sensor 1020, with 20 sensors done" in went_on.err
    assert "36 sensors in" in went_on.out
    assert len(list(read_report(Path("run.csv")))) == 36
    assert migrate("verify").code == ExitCode.OK


def test_ctrl_c_twice_ends_at_once(migrate: Migrating, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(call: int) -> None:
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(DynamoMigrationRecords, "put_many", calling_first(DynamoMigrationRecords.put_many, interrupt))
        patch.setattr(DynamoMigrationRecords, "fetch", calling_first(DynamoMigrationRecords.fetch, interrupt))
        stopped = migrate("run")

    assert stopped.code == ExitCode.INTERRUPTED
    progress = migrate.records.find_run()
    assert progress is not None
    assert progress.after is None


def test_anew_begins_at_the_first_sensor(migrate: Migrating, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(DynamoConstraintsCatalogue, "put", calling_first(DynamoConstraintsCatalogue.put, _interrupt))
        migrate("run")

    ran = migrate("run", "--anew", "--json")

    assert "going on" not in ran.err
    assert sum(ran.document["counts"].values()) == SENSORS


def _interrupt(call: int) -> None:
    if call == 1:
        signal.raise_signal(signal.SIGINT)


def test_of_two_runs_at_once_the_first_ends_with_an_error(migrate: Migrating, monkeypatch: pytest.MonkeyPatch) -> None:
    def another(call: int) -> None:
        if call == 2:
            progress = migrate.records.find_run()
            assert progress is not None
            DynamoMigrationRecords.save_run.__wrapped__(migrate.records, progress)  # type: ignore[attr-defined]

    with monkeypatch.context() as patch:
        wrapped = calling_first(DynamoMigrationRecords.save_run, another)
        wrapped.__wrapped__ = DynamoMigrationRecords.save_run  # type: ignore[attr-defined]
        patch.setattr(DynamoMigrationRecords, "save_run", wrapped)
        ended = migrate("run")

    assert ended.code == ExitCode.FAILED
    assert ended.err.startswith("error: another 'afluente migrate run' has gone on meanwhile")


def test_a_pace_waits_before_each_write_but_the_first() -> None:
    clock = Clock(0.0)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    pace = Pace(4, clock=clock, sleep=sleep)
    for _ in range(3):
        pace()
    clock.now += 10
    pace()
    pace()

    assert waits == [0.25, 0.25, 0.25]


def test_no_rate_is_no_wait() -> None:
    Pace(None, sleep=lambda _: pytest.fail("waited"))()


# --- dual write ------------------------------------------------------------------------------------------------------


def test_dual_write_needs_a_run_that_is_through(migrate: Migrating) -> None:
    refused = migrate("dual-write", "on")

    assert refused.code == ExitCode.FAILED
    assert "run 'afluente migrate run' first" in refused.err


def test_nothing_is_carried_over_while_dual_write_is_off(migrate: Migrating) -> None:
    migrate("run")

    refused = migrate("dual-write", "sync")

    assert refused.code == ExitCode.FAILED
    assert "run 'afluente migrate dual-write on'" in refused.err


def test_changes_of_either_side_reach_the_other(migrate: Migrating, service: LegacyService) -> None:
    migrate("run")
    assert migrate("dual-write", "on").code == ExitCode.OK
    one, other = service.of(Shape.FULL)[:2]
    assert one.alert is not None
    migrate.sql("UPDATE alert_thresholds SET physical_max = 999 WHERE id = :id", id=one.alert.row_id)
    config = migrate.config_of(other)
    assert config is not None
    values = msgspec.structs.replace(config.value_constraints, max_value=777)
    migrate.constrain(other, msgspec.structs.replace(config, value_constraints=values))

    synced = migrate("dual-write", "sync")

    assert synced.code == ExitCode.OK
    assert "1 changes of thresholds carried over, 1 changes of constraints carried over" in synced.out
    changed = migrate.config_of(one)
    assert changed is not None
    assert changed.value_constraints.max_value == 999
    assert migrate("verify").code == ExitCode.OK
    assert "nothing to carry over" in migrate("dual-write", "sync").out


def test_a_conflict_is_shown_and_kept(migrate: Migrating, service: LegacyService) -> None:
    migrate("run")
    migrate("dual-write", "on")
    its = service.of(Shape.FULL)[0]
    assert its.alert is not None
    migrate.sql("UPDATE alert_thresholds SET physical_max = 999, updated_at = NULL WHERE id = :id", id=its.alert.row_id)
    migrate.constrain(its, a_config(max_value=1))

    synced = migrate("dual-write", "sync", "--json")
    assert (synced.code, synced.document["conflicts"]) == (ExitCode.OK, 1)

    message = migrate("dual-write", "status", "--conflicts")
    assert message.out.startswith("dual write is on since 20")
    assert "the last pass, 20" in message.out
    assert f"sensor {its.sensor.sensor_id}: changed on both sides, and differently" in message.out
    assert 'lost was {"value_constraints": {"max_value": 1.0}' in message.out
    assert len(migrate("dual-write", "status", "--conflicts", "--json").document["conflicts"]) == 1


def test_thresholds_that_contradict_each_other_now_end_a_pass_with_4(
    migrate: Migrating, service: LegacyService
) -> None:
    migrate("run")
    migrate("dual-write", "on")
    its = service.of(Shape.FULL)[0]
    assert its.alert is not None
    migrate.sql("UPDATE alert_thresholds SET physical_max = -999 WHERE id = :id", id=its.alert.row_id)

    synced = migrate("dual-write", "sync")

    assert synced.code == ExitCode.REJECTED
    assert "its thresholds were changed and contradict each other" in synced.out


def test_tables_that_have_lost_their_sensors_are_not_believed(migrate: Migrating) -> None:
    migrate("run")
    migrate("dual-write", "on")
    migrate.sql("DELETE FROM sensors")

    refused = migrate("dual-write", "sync")
    assert refused.code == ExitCode.FAILED
    assert "34 of 34 moved sensors are gone from the legacy tables: are they the right tables?" in refused.err

    assert migrate("dual-write", "sync", "--allow-removals").code == ExitCode.OK
    assert list(migrate.constraints.list()) == []


def test_the_switch_is_shown(migrate: Migrating) -> None:
    assert migrate("dual-write", "status").out == "dual write is off\n"
    assert migrate("dual-write", "status", "--json").document["dual_write"] == {
        "is_on": False,
        "switched_at": None,
        "last_pass": None,
    }
    migrate("run")
    migrate("dual-write", "on")
    assert migrate("dual-write", "off").out == "dual write is off\n"
    assert migrate("dual-write", "status").out.startswith("dual write is off since 20")


def test_a_sync_loop_goes_on_through_an_outage_and_ends_when_dual_write_is_switched_off(
    migrate: Migrating, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate("run")
    migrate("dual-write", "on")
    find = DynamoMigrationRecords.find_dual_write

    def away_then_off(call: int) -> None:
        # The command looks, the first pass looks, the second pass finds the table away.
        if call == 4:
            raise UnavailableError("the table is away")
        if call == 5:
            migrate.records.save_dual_write(DualWriteSwitch(is_on=False))

    monkeypatch.setattr(DynamoMigrationRecords, "find_dual_write", calling_first(find, away_then_off))
    monkeypatch.setattr("cli.migration.interrupts.Interrupts.wait", lambda *_: False)

    watched = migrate("dual-write", "sync", "--watch", "1")

    assert watched.code == ExitCode.OK
    assert watched.out.count("nothing to carry over") == 1
    assert "not available: the table is away; again in 1 s" in watched.err
    assert watched.err.endswith("dual write was switched off\n")


def test_ctrl_c_ends_a_sync_loop(migrate: Migrating, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate("run")
    migrate("dual-write", "on")
    save = DynamoMigrationRecords.save_dual_write
    monkeypatch.setattr(DynamoMigrationRecords, "save_dual_write", calling_first(save, _interrupt))

    watched = migrate("dual-write", "sync", "--watch", "600", "--json")

    assert watched.code == ExitCode.OK
    assert watched.document["sensors"] == SENSORS


def test_ctrl_c_ends_a_pass_after_the_page_at_hand(migrate: Migrating, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate("run")
    migrate("dual-write", "on")
    fetch = DynamoMigrationRecords.fetch
    monkeypatch.setattr(DynamoMigrationRecords, "fetch", calling_first(fetch, _interrupt))

    stopped = migrate("dual-write", "sync")

    assert stopped.code == ExitCode.INTERRUPTED
    assert "stopped; what was carried over is remembered" in stopped.err


# --- rollback --------------------------------------------------------------------------------------------------------


def test_a_rollback_asks_first(migrate: Migrating) -> None:
    migrate("run")
    before = len(list(migrate.constraints.list()))

    refused = migrate("rollback", answer="n")
    assert refused.code == ExitCode.FAILED
    assert "take the constraints of 34 sensors back?" in refused.err
    assert len(list(migrate.constraints.list())) == before

    done = migrate("rollback", answer="y")
    assert done.code == ExitCode.OK
    assert f"{before} constraints were taken away, 0 stay" in done.out
    assert list(migrate.constraints.list()) == []


def test_a_rollback_names_what_stays(migrate: Migrating, service: LegacyService) -> None:
    migrate("run")
    its = service.of(Shape.FULL)[0]
    migrate.constrain(its, a_config(max_value=1))

    done = migrate("rollback", "--yes", "--report", "rollback.csv")
    assert done.code == ExitCode.REJECTED
    assert "they were changed by hand since the migration" in done.out
    lines = list(read_report(Path("rollback.csv")))
    assert len(lines) == SENSORS - len(service.of(*IMPOSSIBLE))
    (kept,) = [line for line in lines if line["outcome"] == "conflict"]
    assert kept == {
        "sensor_id": str(its.sensor.sensor_id),
        "key": str(its.sensor.key),
        "outcome": "conflict",
        "reason": "they were changed by hand since the migration",
    }

    again = migrate("rollback", "--yes", "--overwrite-conflicts", "--json")
    assert (again.code, again.document) == (ExitCode.OK, {"sensors": 1, "outcomes": {"removed": 1}})


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (SHADOW, None),
        (SHADOW | {"AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": "true"}, "classifies the new way alone"),
        (SHADOW | {"AFLUENTE_OLD_SQL_SECRET": ""}, "does not know the legacy service's database"),
    ],
)
def test_a_rollback_warns_where_readings_will_have_no_thresholds(
    migrate: Migrating, variables: dict[str, str], message: str | None
) -> None:
    migrate("run")
    migrate.configure_classifier(**variables)

    asked = migrate("rollback", answer="n")

    assert ("careful" in asked.err) == (message is not None)
    assert message is None or message in asked.err


def test_who_may_not_look_at_the_classifier_can_go_back_all_the_same(migrate: Migrating) -> None:
    migrate("run")
    boto3.client("lambda", "eu-west-1").delete_function(FunctionName=CLASSIFIER)

    done = migrate("rollback", "--yes")

    assert done.code == ExitCode.OK
    assert "could not be seen" in done.err


@pytest.mark.parametrize(("options", "phase"), [([], Phase.ROLLED_BACK), (["--exclude", "1001"], Phase.RUNNING)])
def test_a_canary_is_rolled_back_with_all_sensors_but_not_with_some(
    migrate: Migrating, options: list[str], phase: Phase
) -> None:
    migrate("run")
    CanaryCommands(migrate.trial, clock=Clock(NOW)).start(Plan())

    done = migrate("rollback", "--yes", *options)

    assert done.code == ExitCode.OK
    assert migrate.trial.settings().phase is phase
    assert ("the canary was rolled back" in done.err) == (phase is Phase.ROLLED_BACK)


def test_where_nothing_is_moved_there_is_nothing_to_roll_back(migrate: Migrating) -> None:
    refused = migrate("rollback", "--yes")

    assert refused.code == ExitCode.FAILED
    assert "there is nothing to take back" in refused.err


def test_what_was_rolled_back_can_be_moved_again(migrate: Migrating) -> None:
    migrate("run")
    migrate("rollback", "--yes")

    counts = migrate("run", "--json").document["counts"]

    assert counts[Prospect.MIGRATE] == SENSORS - 4
    assert migrate("verify").code == ExitCode.OK


# --- how the database is reached -------------------------------------------------------------------------------------


def test_a_database_that_nobody_named_is_asked_for(migrate: Migrating, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AFLUENTE_SQL_URL")

    refused = migrate("plan")

    assert refused.code == ExitCode.USAGE
    assert "set AFLUENTE_SQL_URL" in refused.err


def test_a_url_that_is_none_is_refused_and_never_shown(migrate: Migrating) -> None:
    refused = migrate("plan", "--sql-url", "nonsense://me:secret@host/iot")

    assert refused.code == ExitCode.USAGE
    assert "secret" not in refused.out + refused.err


def test_a_password_is_not_shown_when_the_database_is_away(migrate: Migrating) -> None:
    refused = migrate("plan", "--sql-url", "postgresql://me:secret@127.0.0.1:1/iot")

    assert refused.code == ExitCode.UNREACHABLE
    assert refused.err.startswith("error: not available: the legacy service's database: ")
    assert "secret" not in refused.out + refused.err


def test_tables_of_other_names_are_named_in_a_file(migrate: Migrating, tmp_path: Path) -> None:
    migrate.sql("ALTER TABLE sensors RENAME TO Sensoren")
    names = tmp_path / "names.yaml"
    names.write_text("sensors: {table: Sensoren}\n")

    wrong = migrate("plan")
    assert wrong.code == ExitCode.UNREACHABLE
    assert "sensors" in wrong.err

    assert migrate("plan", "--tables", names, "--json").document["sensors"] == SENSORS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.json", "{"),
        ("names.yaml", "a: [b"),
        ("names.json", '{"nothing": {}}'),
        ("names.yaml", ""),
        ("names.toml", 'schema = "dbo"'),
    ],
)
def test_a_file_of_names_that_cannot_be_read_is_refused(
    migrate: Migrating, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)

    refused = migrate("plan", "--tables", tmp_path / name)

    assert refused.code == ExitCode.USAGE
    assert name in refused.err
