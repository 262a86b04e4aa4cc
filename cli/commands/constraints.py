"""`afluente constraints …`: what is normal for a stream."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.core.errors import ExitCode
from cli.core.options import ApiKeyOption, targeted_by_api
from cli.core.output import out, print_json
from cli.core.target import TargetChoice, resolve

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
    from cli.constraints.api import constraints_api
    from cli.constraints.applying import apply_entries, entries_without_faults

    entries = entries_without_faults(file)
    with constraints_api(resolve(target), api_key) as constraints:
        counts = apply_entries(constraints, entries)
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
    from cli.constraints.rendering import show_faults

    entries, faulty = load(file)
    if as_json:
        print_json({"entries": len(entries) + len(faulty), "faulty": faulty})
    elif not faulty:
        out().print(f"[green]entries: {len(entries)}, none with a fault[/]")
    else:
        show_faults(faulty)
    if faulty:
        raise typer.Exit(int(ExitCode.FAILED))


@app.command()
@targeted_by_api
def get(
    *,
    target: TargetChoice,
    scope: _ScopeArgument,
    type_: _TypeOption = None,
    effective: Annotated[
        bool,
        typer.Option(
            "--effective", help="Of a stream: those that its points are classified by; --type is the type they name."
        ),
    ] = False,
    api_key: ApiKeyOption = None,
    as_json: _JsonOption = False,
) -> None:
    """Show the constraints of one stream or template, as a file that 'apply' takes.

    With --effective those that a stream is classified by: its own, else those of its type, else those of its domain. A
    classified point names them as 'config_key'.

    [dim]Examples:[/]

      afluente constraints get iot/furnace-1/furnace-1:value
      afluente constraints get iot --type temperature
      afluente constraints get iot/furnace-1/furnace-1:value --effective --type temperature
    """
    from cli.constraints.api import constraints_api
    from cli.constraints.files import as_yaml
    from cli.constraints.scopes import scope_of, stream_of

    if effective:
        key = stream_of(scope)
        with constraints_api(resolve(target), api_key) as constraints:
            applying, entry = constraints.effective(key, type_)
        if as_json:
            print_json({"key": str(key), "stream_type": type_, "config_key": applying, "constraints": entry})
        else:
            sys.stdout.write(f"# {key} is classified by {applying}\n{as_yaml(entry)}")
        return
    asked = scope_of(scope, type_)
    with constraints_api(resolve(target), api_key) as constraints:
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
    from cli.constraints.api import constraints_api
    from cli.constraints.rendering import entries_table

    with constraints_api(resolve(target), api_key) as constraints:
        entries = list(constraints.all_of(domain=domain, source_id=source, stream_type=type_))
    if as_json:
        print_json(entries)
    elif entries:
        out().print(entries_table(entries))
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
    """Delete the constraints of one stream or template. The stream falls back to a template, or is normal.

    They can be restored: the history keeps them.

    [dim]Example:[/]  afluente constraints delete iot/furnace-1/furnace-1:value
    """
    from cli.constraints.api import constraints_api
    from cli.constraints.scopes import scope_of

    asked = scope_of(scope, type_)
    with constraints_api(resolve(target), api_key) as constraints:
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
    from cli.constraints.api import constraints_api
    from cli.constraints.rendering import history_table
    from cli.constraints.scopes import scope_of

    asked = scope_of(scope, type_)
    with constraints_api(resolve(target), api_key) as constraints:
        changes = constraints.history(asked, limit)
    if as_json:
        print_json(changes[:limit])
    else:
        out().print(history_table(changes, limit), markup=False)


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
    """Restore the constraints of an earlier version, as a new version.

    Deleted ones are restored, too. Constraints that are not valid any more are refused.

    [dim]Example:[/]  afluente constraints rollback iot/furnace-1/furnace-1:value 3
    """
    from cli.constraints.api import constraints_api
    from cli.constraints.scopes import scope_of

    asked = scope_of(scope, type_)
    with constraints_api(resolve(target), api_key) as constraints:
        entry = constraints.roll_back(asked, version, if_version)
    if as_json:
        print_json(entry)
    else:
        out().print(f"{asked} is as in version {version} again, in version {entry['version']}", markup=False)
