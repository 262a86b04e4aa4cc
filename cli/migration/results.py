"""Results of a plan, a run and a rollback, for people and for programs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from afluente.migration.application.plan import PlannedSensor, Totals
from afluente.migration.application.records import Prospect, RunProgress
from afluente.migration.application.rollback import Reverted, RolledBack
from cli.migration.rendering import SHOWN, print_named, prospects_table

_WRITTEN = (Prospect.MIGRATE, Prospect.UPDATE, Prospect.REMOVE)
_STAYING = {Reverted.CONFLICT, Reverted.KEPT}


def document_of_plan(totals: Totals, report: Path | None) -> dict[str, object]:
    """A plan for a program."""
    return {
        "sensors": totals.sensors,
        "prospects": dict(totals.prospects),
        "adjusted": totals.adjusted,
        "with_duplicates": totals.with_duplicates,
        "duplicate_rows": totals.duplicate_rows,
        "same_uuid": totals.same_uuid,
        "orphans": totals.orphans,
        "report": report and str(report),
    }


def show_plan(console: Console, totals: Totals, passed_over: Sequence[PlannedSensor]) -> None:
    """Show a plan to people, with the sensors that cannot be moved."""
    console.print(prospects_table(totals.prospects))
    console.print(f"{totals.sensors:,} sensors in all")
    for count, text in (
        (totals.adjusted, "of which a bound is written otherwise, with no other class for any reading"),
        (
            totals.with_duplicates,
            f"with several active rows: {totals.duplicate_rows:,} rows are superseded by a newer one",
        ),
        (totals.same_uuid, "with the UUID of another: readings that name them by it go to one of them"),
        (len(totals.orphans), "active rows without a sensor, which have no effect"),
    ):
        if count:
            console.print(f"{count:,} {text}")
    for orphan in totals.orphans[:SHOWN]:
        console.print(f"  {orphan.table} {orphan.row_id} [dim]of sensor {orphan.sensor_id}[/]")
    if passed_over:
        console.print("sensors that cannot be moved:")
        named = [(line.sensor_id, line.prospect.value, (*line.faults, *line.notes)) for line in passed_over]
        print_named(console, named, len(named))


def show_run(console: Console, progress: RunProgress, passed_over: int) -> None:
    """Show a finished run to people, with the sensors that it passed over."""
    console.print(prospects_table(progress.counts))
    seconds = (progress.finished_at or progress.started_at) - progress.started_at
    console.print(f"{progress.sensors:,} sensors in {seconds:,.1f} s", end="")
    console.print(f"; {progress.directory_writes:,} entered in the sensor directory")
    if not progress.directory_writes and not any(progress.counts.get(prospect) for prospect in _WRITTEN):
        console.print("[green]nothing was written: all is as it should be[/]")
    if passed_over:
        console.print("sensors that were passed over:")
        named = [(its.sensor_id, its.prospect.value, its.reasons) for its in progress.passed_over]
        print_named(console, named, passed_over)


def document_of_rollback(done: Sequence[RolledBack]) -> dict[str, object]:
    """A rollback for a program."""
    return {"sensors": len(done), "outcomes": dict(Counter(its.outcome for its in done))}


def show_rollback(console: Console, done: Sequence[RolledBack]) -> None:
    """Show a rollback to people, with the sensors whose constraints stay."""
    removed = sum(its.outcome is Reverted.REMOVED for its in done)
    staying = [its for its in done if its.outcome in _STAYING]
    console.print(f"{removed:,} constraints were taken away, {len(staying):,} stay")
    named = [(its.record.sensor_id, its.outcome.value, (its.reason,)) for its in staying]
    print_named(console, named, len(named))
