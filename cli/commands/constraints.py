"""`afluente constraints …`: what is normal for a stream."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from cli.errors import CommandError, ExitCode
from cli.options import targeted
from cli.output import err, out, print_json
from cli.target import Target, TargetChoice, resolve

if TYPE_CHECKING:
    from afluente.adapters.dynamodb_constraints import DynamoConstraints
    from afluente.application.constraint_documents import ConstraintEntry, EntryFaults

_SHOWN_FROM = 100
"""Entries from which on a bar is worth its while."""

_FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A JSON or YAML file of constraints.")]
_KeyArgument = Annotated[
    str,
    typer.Argument(metavar="KEY", help="domain/source/stream; or a domain, for its template, with or without --type."),
]
_TypeOption = Annotated[str | None, typer.Option("--type", help="Stream type of the template.")]
_JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]

app = typer.Typer(
    help="Say what is normal: limits of the values of streams, and of how fast they change.", no_args_is_help=True
)


@app.command()
@targeted
def apply(*, target: TargetChoice, file: _FileArgument, as_json: _JsonOption = False) -> None:
    """Write the constraints of a file; all of them, or none if any has a fault.

    An entry is for a stream (key: domain/source/stream), for the streams of a type in a domain (domain, stream_type) or
    for all streams of a domain (domain). Streams that the file does not name keep what they have. The classifier takes
    changes within a minute.

    [dim]Example:[/]  afluente constraints apply constraints.yaml

    [dim]A file:[/]

      - key: iot/furnace-1/furnace-1:value
        value_constraints: {min_value: 0, max_value: 105, warning_max: 100}
        rate_constraints: {abs_delta: 6}
        consecutive_violations_required: 3
        cooldown_seconds: 300
    """
    from cli import constraint_updates

    entries = _sound_entries(file)
    catalogue = _catalogue(resolve(target))
    with _bar(len(entries)) as progress:
        task = progress.add_task("writing")

        def on_planned(entries_to_write: int) -> constraint_updates.OnWritten:
            progress.update(task, total=entries_to_write)
            return lambda: progress.advance(task)

        counts = constraint_updates.apply(catalogue, entries, on_planned)
    if as_json:
        print_json(counts)
    else:
        out().print(f"[green]{counts.created} created[/], {counts.updated} updated, {counts.unchanged} unchanged")


@app.command()
def validate(file: _FileArgument, as_json: _JsonOption = False) -> None:
    """Say what is wrong with a file of constraints; needs no running stack.

    [dim]Example:[/]  afluente constraints validate constraints.yaml
    """
    from cli.constraint_files import load

    entries, faulty = load(file)
    if as_json:
        print_json({"entries": len(entries) + len(faulty), "faulty": faulty})
    elif not faulty:
        out().print(f"[green]entries: {len(entries)}, none with a fault[/]")
    else:
        _show_faults(faulty)
    if faulty:
        raise typer.Exit(int(ExitCode.FAILED))


@app.command()
@targeted
def get(*, target: TargetChoice, key: _KeyArgument, type_: _TypeOption = None, as_json: _JsonOption = False) -> None:
    """Show the constraints of one stream or template, as a file that 'apply' takes.

    [dim]Examples:[/]

      afluente constraints get iot/furnace-1/furnace-1:value
      afluente constraints get iot --type temperature
    """
    from cli.constraint_files import as_yaml, entry_of

    scope = _scope(key, type_)
    found = _catalogue(resolve(target)).fetch([scope])
    if scope not in found:
        raise CommandError(
            f"there are no constraints for {scope}", way_out="'afluente constraints list' shows which are"
        )
    entry = entry_of(scope, found[scope])
    if as_json:
        print_json(entry)
    else:
        sys.stdout.write(as_yaml(entry))


@app.command("list")
@targeted
def list_(*, target: TargetChoice, as_json: _JsonOption = False) -> None:
    """List all constraints.

    [dim]Example:[/]  afluente constraints list
    """
    from cli.constraint_files import entry_of

    found = sorted(_catalogue(resolve(target)).list())
    entries = [entry_of(scope, versioned) for scope, versioned in found]
    if as_json:
        print_json(entries)
    elif entries:
        out().print(_table(entries))
    else:
        out().print("there are no constraints; 'afluente constraints apply FILE' writes some")


@app.command()
@targeted
def delete(*, target: TargetChoice, key: _KeyArgument, type_: _TypeOption = None) -> None:
    """Take the constraints of one stream or template away. The stream falls back to a template, or is normal.

    [dim]Example:[/]  afluente constraints delete iot/furnace-1/furnace-1:value
    """
    scope = _scope(key, type_)
    if not _catalogue(resolve(target)).delete(scope):
        raise CommandError(
            f"there are no constraints for {scope}", way_out="'afluente constraints list' shows which are"
        )
    out().print(f"deleted the constraints of {scope}", markup=False)


def _catalogue(target: Target) -> "DynamoConstraints":
    from afluente.adapters.dynamodb_constraints import DynamoConstraints

    return DynamoConstraints(target.client("dynamodb", max_pool_connections=16), target["ConstraintsTable"])


def _sound_entries(file: Path) -> "list[ConstraintEntry]":
    from cli.constraint_files import load

    entries, faulty = load(file)
    if faulty:
        _show_faults(faulty)
        raise CommandError(
            f"{len(faulty)} of {len(entries) + len(faulty)} entries have faults; nothing was written",
            way_out="correct them; 'afluente constraints validate FILE' checks without writing",
        )
    return entries


def _scope(key: str, stream_type: str | None) -> str:
    from afluente.application.constraint_scopes import of_domain, of_stream, of_type
    from afluente.domain.faults import FaultyError
    from afluente.domain.keys import StreamKey

    if "/" not in key:
        return of_domain(key) if stream_type is None else of_type(key, stream_type)
    if stream_type is not None:
        raise typer.BadParameter("a stream has no template; give a domain with --type", param_hint="--type")
    try:
        return of_stream(StreamKey.parse(key))
    except FaultyError as error:
        raise typer.BadParameter(str(error), param_hint="KEY") from None


def _show_faults(faulty: "Iterable[EntryFaults]") -> None:
    table = Table("entry", "for", "field", "fault", box=None, padding=(0, 2, 0, 0))
    for entry in faulty:
        for fault in entry.faults:
            table.add_row(str(entry.index + 1), entry.name, fault.field, f"{fault.message} ({fault.code})")
    err().print(table, markup=False)


def _table(entries: list[dict[str, Any]]) -> Table:
    table = Table("for", "values", "changes", "alarm", "version", box=None, padding=(0, 2, 0, 0))
    table.columns[0].overflow = "fold"
    for entry in entries:
        name = entry.get("key") or " ".join(entry[part] for part in ("domain", "stream_type") if part in entry)
        required = entry.get("consecutive_violations_required", 3)
        alarm = f"{required} in a row,\n{_told(entry.get('cooldown_seconds', 300))} s apart"
        table.add_row(
            name,
            _bounds(entry.get("value_constraints", {})),
            _bounds(entry.get("rate_constraints", {})),
            alarm,
            str(entry["version"]),
        )
    return table


def _bounds(bounds: dict[str, Any]) -> str:
    return "\n".join(f"{name} {_told(bound)}" for name, bound in bounds.items()) or "-"


def _told(bound: object) -> str:
    # All the digits of a double that people write, and no trailing zeros.
    return f"{bound:.15g}" if isinstance(bound, float) else str(bound)


@contextmanager
def _bar(entries: int) -> Iterator[Progress]:
    console = err()
    with Progress(
        console=console, transient=True, disable=entries < _SHOWN_FROM or not console.is_terminal
    ) as progress:
        yield progress
