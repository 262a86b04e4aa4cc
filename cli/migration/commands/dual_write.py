"""`afluente migrate dual-write …`: a change of the thresholds reaches the constraints, and the other way round."""

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.core.errors import CommandError, ExitCode
from cli.core.options import targeted
from cli.core.output import err, out, print_json
from cli.core.target import TargetChoice, resolve
from cli.migration.options import AsJson, SqlUrl, Tables

if TYPE_CHECKING:
    from afluente.migration.application.ports import MigrationRecords

_HELP = """
Keep thresholds and constraints in step while both services live.

'on' and 'off' switch; changes are carried over by passes of 'sync', which you let run: with --watch, or as a \
scheduled task. A change is as late as the passes are apart. Only sensors that 'afluente migrate run' has moved are \
kept in step.

Of two different changes of one sensor the later wins, and the legacy tables if that is not known. The other is kept \
for a year: 'status --conflicts'.
"""

app = typer.Typer(help=_HELP, no_args_is_help=True)


@app.command("on")
@targeted
def on(*, target: TargetChoice) -> None:
    """Let passes of 'sync' carry changes over.

    [dim]Example:[/]  afluente migrate dual-write on
    """
    records = _records(target)
    run = records.find_run()
    if run is None or run.finished_at is None:
        raise CommandError(
            "no run is through yet, so there is nothing to keep in step",
            hint="run 'afluente migrate run' first",
        )
    _switch(records, is_on=True)
    out().print("dual write is on; 'afluente migrate dual-write sync --watch 60' carries changes over")


@app.command("off")
@targeted
def off(*, target: TargetChoice) -> None:
    """Let no pass carry changes over; a 'sync --watch' ends by itself.

    [dim]Example:[/]  afluente migrate dual-write off
    """
    _switch(_records(target), is_on=False)
    out().print("dual write is off")


@app.command()
@targeted
def status(
    *,
    target: TargetChoice,
    conflicts: Annotated[bool, typer.Option("--conflicts", help="Show the conflicts that are kept as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the switch, the last pass, and the conflicts that are kept.

    [dim]Example:[/]  afluente migrate dual-write status --conflicts
    """
    from cli.migration.sync_loop import document_of, show_pass

    records = _records(target)
    found = records.find_dual_write()
    kept = sorted(records.conflicts(), key=lambda conflict: conflict.at) if conflicts else []
    if as_json:
        print_json({"dual_write": document_of(found), "conflicts": kept})
        return
    console = out()
    since = f" since {_moment(found.switched_at)}" if found.switched_at else ""
    console.print(f"dual write is {'on' if found.is_on else 'off'}{since}")
    if found.last_pass:
        console.print(f"the last pass, {_moment(found.last_pass.started_at)}:")
        show_pass(found.last_pass)
    for conflict in kept:
        lost = "nothing" if conflict.lost is None else json.dumps(conflict.lost)
        winner = conflict.winner.replace("_", " ")
        line = (
            f"sensor {conflict.sensor_id}, {_moment(conflict.at)}: the {winner} won, {conflict.reason}; lost was {lost}"
        )
        console.print(line, markup=False, soft_wrap=True)


@app.command()
@targeted
def sync(
    *,
    target: TargetChoice,
    sql_url: SqlUrl = None,
    tables: Tables = None,
    watch: Annotated[
        float | None, typer.Option("--watch", metavar="SECONDS", min=1, help="Again and again, so many seconds apart.")
    ] = None,
    allow_removals: Annotated[
        bool, typer.Option("--allow-removals", help="Believe it when many sensors are gone from the legacy tables.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Carry over what has changed since the last pass, on either side.

    The exit code is 4 if changed thresholds contradict each other, or a column of the legacy tables cannot hold changed
    constraints: both sides stay as they are, and are named. With --watch, an unavailable database or table is reported,
    and the next pass tries again.

    [dim]Examples:[/]

      afluente migrate dual-write sync
      afluente migrate dual-write sync --watch 60
    """
    from afluente.migration.application.dual_write import DualWriting
    from cli.migration.interrupts import Interrupts
    from cli.migration.stores import legacy_tables, stores_of
    from cli.migration.sync_loop import SyncLoop

    with legacy_tables(sql_url, tables) as database, Interrupts(err()) as interrupts:
        stores = stores_of(resolve(target), by="dual-write")
        writing = DualWriting(tables=database, constraints=stores.constraints, records=stores.records, clock=time.time)
        if not stores.records.find_dual_write().is_on:
            raise CommandError("dual write is off", hint="run 'afluente migrate dual-write on'")
        loop = SyncLoop(writing, stores.records, database.count, interrupts)
        if watch is not None:
            loop.repeat(watch, allow_removals=allow_removals, as_json=as_json)
            return
        done = loop.once(allow_removals=allow_removals, as_json=as_json)
    if done is None:
        raise typer.Exit(int(ExitCode.INTERRUPTED))
    if done.impossible or done.rejected:
        raise typer.Exit(int(ExitCode.REJECTED))


def _records(target: TargetChoice) -> "MigrationRecords":
    from cli.migration.stores import stores_of

    return stores_of(resolve(target)).records


def _switch(records: "MigrationRecords", *, is_on: bool) -> None:
    import msgspec

    found = records.find_dual_write()
    records.save_dual_write(msgspec.structs.replace(found, is_on=is_on, switched_at=time.time()))


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
