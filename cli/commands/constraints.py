"""`afluente constraints …`: what is normal for a stream."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from cli.constraints.differences import differences, number
from cli.core.errors import CommandError, ExitCode
from cli.core.options import ApiKeyOption, targeted_by_api
from cli.core.output import err, out, print_json
from cli.core.target import TargetChoice, resolve
from cli.core.times import moment

if TYPE_CHECKING:
    from afluente.application.constraints.documents import ConstraintEntry, EntryFaults
    from cli.constraints.api import Change, ConstraintsApi

_SHOWN_FROM = 100
"""Entries from which on a bar is worth its while."""

_FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A JSON or YAML file of constraints.")]
_ScopeArgument = Annotated[
    str,
    typer.Argument(metavar="KEY", help="domain/source/stream; or a domain, for its template, with or without --type."),
]
_TypeOption = Annotated[str | None, typer.Option("--type", help="Stream type of the template.")]
_IfVersionOption = Annotated[
    int | None,
    typer.Option("--if-version", min=1, help="Only if they are of this version still, as 'get' and 'list' show it."),
]
_JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]

app = typer.Typer(
    help="Say what is normal: limits of the values of streams, and of how fast they change.", no_args_is_help=True
)


@app.command()
@targeted_by_api
def apply(
    *, target: TargetChoice, file: _FileArgument, api_key: ApiKeyOption = None, as_json: _JsonOption = False
) -> None:
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
    entries = _sound_entries(file)
    with _api(target, api_key) as constraints, _bar(len(entries)) as progress:
        task = progress.add_task("writing", total=len(entries))
        counts = constraints.apply(entries, lambda written: progress.advance(task, written))
    if as_json:
        print_json(counts)
    else:
        out().print(f"[green]{counts.created} created[/], {counts.updated} updated, {counts.unchanged} unchanged")


@app.command()
def validate(file: _FileArgument, as_json: _JsonOption = False) -> None:
    """Say what is wrong with a file of constraints; needs no running stack.

    [dim]Example:[/]  afluente constraints validate constraints.yaml
    """
    from cli.constraints.files import load

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
@targeted_by_api
def get(
    *,
    target: TargetChoice,
    scope: _ScopeArgument,
    type_: _TypeOption = None,
    api_key: ApiKeyOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Show the constraints of one stream or template, as a file that 'apply' takes.

    [dim]Examples:[/]

      afluente constraints get iot/furnace-1/furnace-1:value
      afluente constraints get iot --type temperature
    """
    from cli.constraints.files import as_yaml

    asked = _scope(scope, type_)
    with _api(target, api_key) as constraints:
        entry = constraints.get(asked)
    if as_json:
        print_json(entry)
    else:
        sys.stdout.write(as_yaml(entry))


@app.command("list")
@targeted_by_api
def list_(
    *,
    target: TargetChoice,
    domain: Annotated[str | None, typer.Option("--domain", help="Of this domain alone.")] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Of streams of this source, or of all that begin so: 'furnace-*'.")
    ] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Of this stream type.")] = None,
    api_key: ApiKeyOption = None,
    as_json: _JsonOption = False,
) -> None:
    """List the constraints that the key reaches.

    Those of domains that are not open are listed where the domain is named.

    [dim]Examples:[/]

      afluente constraints list
      afluente constraints list --domain iot --source 'furnace-*'
    """
    with _api(target, api_key) as constraints:
        entries = list(constraints.all_of(domain=domain, source_id=source, stream_type=type_))
    if as_json:
        print_json(entries)
    elif entries:
        out().print(_table(entries))
    else:
        out().print("the key reaches no such constraints; 'afluente constraints apply FILE' writes some")


@app.command()
@targeted_by_api
def delete(
    *,
    target: TargetChoice,
    scope: _ScopeArgument,
    type_: _TypeOption = None,
    if_version: _IfVersionOption = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Take the constraints of one stream or template away. The stream falls back to a template, or is normal.

    They can be had back: the history keeps them.

    [dim]Example:[/]  afluente constraints delete iot/furnace-1/furnace-1:value
    """
    asked = _scope(scope, type_)
    with _api(target, api_key) as constraints:
        constraints.delete(asked, if_version)
    out().print(f"deleted the constraints of {asked}", markup=False)


@app.command()
@targeted_by_api
def history(
    *,
    target: TargetChoice,
    scope: _ScopeArgument,
    type_: _TypeOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many changes.")] = 20,
    api_key: ApiKeyOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Show who changed the constraints of one stream or template, when, and what; the newest change first.

    [dim]Examples:[/]

      afluente constraints history iot/furnace-1/furnace-1:value
      afluente constraints history iot --type temperature --limit 5
    """
    asked = _scope(scope, type_)
    with _api(target, api_key) as constraints:
        changes = constraints.history(asked, limit)
    if as_json:
        print_json(changes[:limit])
    else:
        out().print(_history_table(changes, limit), markup=False)


@app.command()
@targeted_by_api
def rollback(
    *,
    target: TargetChoice,
    scope: _ScopeArgument,
    version: Annotated[int, typer.Argument(min=1, metavar="VERSION", help="As 'history' shows it.")],
    type_: _TypeOption = None,
    if_version: _IfVersionOption = None,
    api_key: ApiKeyOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Put the constraints of an earlier version into force again, as a new version.

    It brings deleted ones back as well. What today's rules refuse is not put into force again.

    [dim]Example:[/]  afluente constraints rollback iot/furnace-1/furnace-1:value 3
    """
    asked = _scope(scope, type_)
    with _api(target, api_key) as constraints:
        entry = constraints.roll_back(asked, version, if_version)
    if as_json:
        print_json(entry)
    else:
        out().print(f"{asked} is as in version {version} again, in version {entry['version']}", markup=False)


@contextmanager
def _api(target: TargetChoice, key: str | None) -> "Iterator[ConstraintsApi]":
    from cli.access.api_key import key_for
    from cli.constraints.api import ConstraintsApi
    from cli.core.api import Api

    found = resolve(target)
    with Api.of(found, key_for(found, key)) as api:
        yield ConstraintsApi(api)


def _sound_entries(file: Path) -> "list[ConstraintEntry]":
    from cli.constraints.files import load

    entries, faulty = load(file)
    if faulty:
        _show_faults(faulty)
        raise CommandError(
            f"{len(faulty)} of {len(entries) + len(faulty)} entries have faults; nothing was written",
            hint="correct them; 'afluente constraints validate FILE' checks without writing",
        )
    return entries


def _scope(key: str, stream_type: str | None) -> str:
    from afluente.application.constraints.scopes import of_domain, of_stream, of_type
    from afluente.domain.faults import FaultyError
    from afluente.domain.stream_keys import StreamKey

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
        alarm = f"{required} in a row,\n{number(entry.get('cooldown_seconds', 300))} s apart"
        table.add_row(
            name,
            _bounds(entry.get("value_constraints", {})),
            _bounds(entry.get("rate_constraints", {})),
            alarm,
            str(entry["version"]),
        )
    return table


def _bounds(bounds: dict[str, Any]) -> str:
    return "\n".join(f"{name} {number(bound)}" for name, bound in bounds.items()) or "-"


def _history_table(changes: "Sequence[Change]", limit: int) -> Table:
    """Each change with what it changed in the one before it, which the last one has for that alone."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("version", justify="right", no_wrap=True)
    for name in ("when", "who"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", overflow="fold")
    before = {change.version: older for change, older in pairwise(changes)}
    for change in changes[:limit]:
        older = before.get(change.version)
        what = [change.kind.replace("_", " ")] if change.restored is None else [f"as in version {change.restored}"]
        if change.constraints is not None:
            what += differences(older.constraints if older else None, change.constraints)
        table.add_row(str(change.version), moment(change.at), change.by, "\n".join(what))
    return table


@contextmanager
def _bar(entries: int) -> Iterator[Progress]:
    console = err()
    with Progress(
        console=console, transient=True, disable=entries < _SHOWN_FROM or not console.is_terminal
    ) as progress:
        yield progress
