"""Walks over all sensors with their progress and a report: plan, run, verify and rollback."""

from collections.abc import Sequence
from pathlib import Path

from afluente.migration.application import plan, rollback, verify
from afluente.migration.application.assess import Assessor, Choice
from afluente.migration.application.plan import PlannedSensor, Totals
from afluente.migration.application.ports import LegacyTables
from afluente.migration.application.records import RunProgress, SensorRecord
from afluente.migration.application.rollback import Rollback, RolledBack
from afluente.migration.application.run import PASSED_OVER, Migration
from afluente.migration.application.selection import Selection
from afluente.migration.application.verify import Finding, Verification
from cli.core.errors import CommandError
from cli.core.output import err
from cli.migration.findings import Findings
from cli.migration.interrupts import Interrupts
from cli.migration.pace import Pace
from cli.migration.rendering import Walk
from cli.migration.reports import ReportFile
from cli.migration.stores import Stores


def plan_sensors(
    tables: LegacyTables, stores: Stores, selection: Selection, choice: Choice, report: Path | None
) -> tuple[Totals, list[PlannedSensor]]:
    """Plan a run; returns its totals, and the sensors that it would pass over."""
    passed_over: list[PlannedSensor] = []
    assessor = Assessor(constraints=stores.constraints, records=stores.records)
    totals = Totals(tuple(tables.orphans()))
    walk = Walk(err(), "planning", count_sensors(tables))
    with ReportFile(report, plan.COLUMNS) as file, walk.shown():
        for looked_at, lines in plan.plan(tables, assessor, selection, choice):
            for line in lines:
                totals.add(line)
                file.add(line)
                if line.prospect in PASSED_OVER:
                    passed_over.append(line)
            walk.advance(looked_at, f"{len(passed_over):,} cannot be moved")
    return totals, passed_over


def move_sensors(
    migration: Migration,
    begun: RunProgress,
    selection: Selection,
    choice: Choice,
    report: Path | None,
    *,
    rate: float | None,
    total: int,
) -> RunProgress:
    """Move sensors until the run is through or the user ends it; returns its progress.

    Args:
        migration: moves them.
        begun: progress of the run so far.
        selection: of sensors.
        choice: the options of the run.
        report: appended to, if the run goes on.
        rate: writes a second; None for no limit.
        total: the number of sensors.
    """
    console = err()
    if begun.after is not None:
        console.print(f"going on after sensor {begun.after}, with {begun.sensors:,} sensors done")
    walk = Walk(console, "moving", total, done=begun.sensors)
    progress = begun
    file = ReportFile(report, plan.COLUMNS, goes_on=begun.after is not None)
    with file as lines, Interrupts(console) as interrupts, walk.shown():
        for so_far, assessments in migration.go_on(begun, selection, choice, pace=Pace(rate)):
            progress = so_far
            for assessment in assessments:
                lines.add(plan.planned(assessment))
            walk.advance(len(assessments))
            if interrupts.asked:
                break
    return progress


def verify_sensors(tables: LegacyTables, stores: Stores, selection: Selection, report: Path | None) -> Findings:
    """Compare sensors with the legacy tables."""
    findings = Findings()
    verification = Verification(
        tables=tables, constraints=stores.constraints, records=stores.records, directory=stores.directory
    )
    walk = Walk(err(), "verifying", count_sensors(tables))
    with ReportFile(report, verify.COLUMNS) as file, walk.shown():
        for looked_at, page in verification.verify(selection):
            for found in page:
                findings.add(found)
                file.add(found)
            walk.advance(looked_at, f"{findings.counts[Finding.DIFFERENT]:,} different")
    return findings


def roll_back_sensors(
    rolling: Rollback, moved: Sequence[SensorRecord], report: Path | None, *, overwrite_conflicts: bool
) -> list[RolledBack]:
    """Delete the constraints of moved sensors; returns the outcome for each."""
    done: list[RolledBack] = []
    walk = Walk(err(), "taking back", len(moved))
    with ReportFile(report, rollback.COLUMNS) as file, walk.shown():
        for page in rolling.take_back(moved, overwrite_conflicts=overwrite_conflicts):
            done += page
            for its in page:
                file.add(its.line)
            walk.advance(len(page))
    return done


def count_sensors(tables: LegacyTables) -> int:
    """The number of sensors; tables without any are refused as the wrong ones."""
    sensors = tables.count()
    if not sensors:
        raise CommandError("the legacy tables have no sensors", hint="check AFLUENTE_SQL_URL and --tables")
    return sensors
