"""`afluente migrate …`: the thresholds of a legacy IoT service move over, and can go back at any time."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from cli.core.errors import CommandError, ExitCode
from cli.core.options import targeted
from cli.core.output import err, out, print_json
from cli.core.target import TargetChoice, resolve
from cli.migration.options import (
    AsJson,
    Exclude,
    Only,
    OverwriteConflicts,
    RefreshBaselines,
    ReportPath,
    SqlUrl,
    Tables,
)

if TYPE_CHECKING:
    from afluente.migration.application.assess import Choice
    from afluente.migration.application.records import RunProgress
    from afluente.migration.application.run import Migration
    from afluente.migration.application.selection import Selection
    from cli.core.target import Target

_HELP = """
Move the thresholds of a legacy IoT service's SQL database to afluente, and go back if need be.

The database is named by AFLUENTE_SQL_URL, such as postgresql://reader:password@db.example.org/iot; mssql:// and \
sqlite:// are accepted too. Tables and columns that are not called by their classic names are named in a file, --tables.

[dim]The way:[/]

  afluente migrate plan             look, and write nothing
  afluente migrate run              thresholds become constraints
  afluente migrate verify           every sensor, field by field
  afluente migrate dual-write on    changes of either side reach the other
  afluente migrate shadow on        both ways classify, the old one is delivered
  afluente migrate canary start     devices go the new way by shares
  afluente migrate rollback         take back what was written

Phase by phase, with gates and ways back: docs/how-to/migrate-from-the-legacy-service.md
"""

app = typer.Typer(help=_HELP, no_args_is_help=True)


@app.command()
@targeted
def plan(
    *,
    target: TargetChoice,
    sql_url: SqlUrl = None,
    tables: Tables = None,
    only: Only = None,
    exclude: Exclude = None,
    overwrite_conflicts: OverwriteConflicts = False,
    report: ReportPath = None,
    as_json: AsJson = False,
) -> None:
    """Show the change that a run would make to each sensor; writes nothing.

    Contradictory thresholds are named by their columns, conflicts by the fields that differ; superseded rows and rows
    without a sensor are counted. The report has a line a sensor.

    [dim]Example:[/]  afluente migrate plan --report plan.csv
    """
    from afluente.migration.application.assess import Choice

    choice = Choice(overwrite_conflicts=overwrite_conflicts)
    _plan(target, (sql_url, tables), (only, exclude), choice, report, as_json=as_json)


@app.command()
@targeted
def run(
    *,
    target: TargetChoice,
    sql_url: SqlUrl = None,
    tables: Tables = None,
    only: Only = None,
    exclude: Exclude = None,
    overwrite_conflicts: OverwriteConflicts = False,
    refresh_baselines: RefreshBaselines = False,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.1, help="Writes a second at the most; without it, as many as go.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin at the first sensor, not where a run was interrupted.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; write nothing.")] = False,
    report: ReportPath = None,
    as_json: AsJson = False,
) -> None:
    """Move the thresholds: they become constraints, the last readings baselines, the sensors' names the directory.

    An interrupted run goes on where it was, with the same options. A second run writes only what has changed since.
    Ctrl-C finishes the current page. Sensors whose thresholds contradict each other, and those with constraints that
    did not come from the tables, are passed over and named; the exit code is 4 then.

    [dim]Examples:[/]

      afluente migrate run
      afluente migrate run --only 0f9c2f0e-7d3b-4d8b-9a62-6d1b7f3c9e01 --rate 50
    """
    from afluente.application.errors import UnavailableError
    from afluente.migration.application.assess import Choice
    from afluente.migration.application.ports import StaleRunError
    from cli.migration.walks import move_sensors

    choice = Choice(overwrite_conflicts=overwrite_conflicts, refresh_baselines=refresh_baselines)
    if dry_run:
        _plan(target, (sql_url, tables), (only, exclude), choice, report, as_json=as_json)
        err().print("this was a dry run: nothing was written")
        return
    selection = _selection(only, exclude)
    with _migration(target, sql_url, tables) as (migration, total):
        begun = migration.begin(selection, choice, run_id=uuid.uuid4().hex, anew=anew)
        try:
            progress = move_sensors(migration, begun, selection, choice, report, rate=rate, total=total)
        except StaleRunError:
            raise CommandError(
                "another 'afluente migrate run' has gone on meanwhile, so this one ended",
                hint="let one run at a time; what both wrote is as it should be",
            ) from None
        except UnavailableError as error:
            raise CommandError(
                f"not available: {error}", hint="the same command goes on from here", code=ExitCode.UNREACHABLE
            ) from None
    if progress.finished_at is None:
        done = f"{progress.sensors:,} sensors are done"
        err().print(f"stopped; {done}. The same command goes on from there", soft_wrap=True)
        raise typer.Exit(int(ExitCode.INTERRUPTED))
    _refuse_nothing(progress.sensors, selection)
    _show_run(progress, as_json=as_json)


@app.command()
@targeted
def verify(
    *,
    target: TargetChoice,
    sql_url: SqlUrl = None,
    tables: Tables = None,
    only: Only = None,
    exclude: Exclude = None,
    report: ReportPath = None,
    as_json: AsJson = False,
) -> None:
    """Compare every sensor with the legacy tables, field by field.

    Constraints, baselines, the sensor directory and the records of sensors are compared. The exit code is 0
    only if all is equal that can be moved; sensors whose thresholds contradict each other are named.

    [dim]Example:[/]  afluente migrate verify --report verify.ndjson
    """
    from afluente.migration.application.verify import Finding
    from cli.migration.stores import legacy_tables, stores_of
    from cli.migration.walks import verify_sensors

    selection = _selection(only, exclude)
    with legacy_tables(sql_url, tables) as database:
        findings = verify_sensors(database, stores_of(resolve(target)), selection, report)
    _refuse_nothing(findings.counts.total(), selection)
    if as_json:
        print_json(findings.as_document())
    else:
        findings.show(out())
    if findings.counts[Finding.DIFFERENT]:
        raise typer.Exit(int(ExitCode.FAILED))


@app.command()
@targeted
def rollback(
    *,
    target: TargetChoice,
    only: Only = None,
    exclude: Exclude = None,
    overwrite_conflicts: Annotated[
        bool, typer.Option("--overwrite-conflicts", help="Delete as well what was changed by hand since.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    report: ReportPath = None,
    as_json: AsJson = False,
) -> None:
    """Delete constraints that came from the legacy tables and that nobody has changed since.

    The legacy database is not needed and not touched. The sensor directory stays: readings keep their streams. Sensors
    can be moved again with 'afluente migrate run'. Constraints that stay are named; the exit code is 4 then.

    A canary is rolled back first, unless only some sensors are: those are then classified by their legacy thresholds,
    whichever way their device goes.

    [dim]Example:[/]  afluente migrate rollback --only 42
    """
    from afluente.migration.application.rollback import Reverted, Rollback
    from cli.migration.results import document_of_rollback, show_rollback
    from cli.migration.stores import WRITERS, stores_of
    from cli.migration.walks import roll_back_sensors

    found = resolve(target)
    stores = stores_of(found)
    selection = _selection(only, exclude)
    with ThreadPoolExecutor(WRITERS) as executor:
        rolling = Rollback(constraints=stores.constraints, records=stores.records, executor=executor, clock=time.time)
        moved = rolling.moved(selection)
        _prepare_rollback(found, len(moved), selection, yes=yes)
        done = roll_back_sensors(rolling, moved, report, overwrite_conflicts=overwrite_conflicts)
    if as_json:
        print_json(document_of_rollback(done))
    else:
        show_rollback(out(), done)
    if any(its.outcome is Reverted.CONFLICT for its in done):
        raise typer.Exit(int(ExitCode.REJECTED))


# --- plan ------------------------------------------------------------------------------------------------------------


def _plan(
    target: TargetChoice,
    database: tuple[str | None, Path | None],
    names: tuple[list[str] | None, list[str] | None],
    choice: "Choice",
    report: Path | None,
    *,
    as_json: bool,
) -> None:
    from cli.migration.results import document_of_plan, show_plan
    from cli.migration.stores import legacy_tables, stores_of
    from cli.migration.walks import plan_sensors

    selection = _selection(*names)
    with legacy_tables(*database) as tables:
        totals, passed_over = plan_sensors(tables, stores_of(resolve(target)), selection, choice, report)
    _refuse_nothing(totals.sensors, selection)
    if as_json:
        print_json(document_of_plan(totals, report))
        return
    show_plan(out(), totals, passed_over)
    if report:
        err().print(f"the report is in {report}", markup=False, soft_wrap=True)


# --- run -------------------------------------------------------------------------------------------------------------


@contextmanager
def _migration(target: TargetChoice, sql_url: str | None, tables: Path | None) -> "Iterator[tuple[Migration, int]]":
    """The migration, and the number of sensors."""
    from afluente.migration.application.run import Migration
    from cli.migration.stores import WRITERS, legacy_tables, stores_of
    from cli.migration.walks import count_sensors

    with legacy_tables(sql_url, tables) as database, ThreadPoolExecutor(WRITERS) as executor:
        stores = stores_of(resolve(target))
        total = count_sensors(database)
        yield (
            Migration(
                tables=database,
                constraints=stores.constraints,
                records=stores.records,
                directory=stores.directory,
                executor=executor,
                clock=time.time,
            ),
            total,
        )


def _show_run(progress: "RunProgress", *, as_json: bool) -> None:
    from afluente.migration.application.run import PASSED_OVER
    from cli.migration.results import show_run

    passed_over = sum(progress.counts.get(prospect, 0) for prospect in PASSED_OVER)
    if as_json:
        print_json(progress)
    else:
        show_run(out(), progress, passed_over)
    if passed_over:
        raise typer.Exit(int(ExitCode.REJECTED))


# --- rollback --------------------------------------------------------------------------------------------------------


def _prepare_rollback(target: "Target", sensors: int, selection: "Selection", *, yes: bool) -> None:
    from cli.migration.rollback_checks import stop_canary, without_constraints

    if not sensors:
        raise CommandError("no such sensor is moved; there is nothing to take back")
    warning = without_constraints(target)
    if warning:
        err().print(f"[yellow]careful:[/] {escape(warning)}", soft_wrap=True)
    if not yes:
        typer.confirm(f"take the constraints of {sensors:,} sensors back?", abort=True, err=True)
    if not (selection.only or selection.exclude) and stop_canary(target):
        err().print("the canary was rolled back: every source goes the old way")


# --- selections ------------------------------------------------------------------------------------------------------


def _selection(only: list[str] | None, exclude: list[str] | None) -> "Selection":
    from afluente.migration.application.selection import Selection

    return Selection.of(only or (), exclude or ())


def _refuse_nothing(sensors: int, selection: "Selection") -> None:
    if not sensors and selection.only:
        raise CommandError(
            f"no sensor is called {', '.join(selection.only)}",
            hint="name sensors by id or UUID, or by the UUID of their device",
        )
