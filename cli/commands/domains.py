"""`afluente domains …`: fields of use that the service is open for; a new one is no change of code."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import STAGE
from cli.core.options import targeted
from cli.core.output import err, out, print_json
from cli.core.target import Target, TargetChoice, resolve
from cli.local_stack import stack

if TYPE_CHECKING:
    from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue
    from cli.domains.adding import Plan
    from cli.domains.templates import Domain, TemplateFault

_NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A lower-case letter, then at most 31 of a-z, 0-9, '_' and '-'.")
]
_JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]
_DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]

app = typer.Typer(
    help="Open the service for a new field of use, without a change of code, and see which are open.",
    no_args_is_help=True,
)


@app.command()
@targeted
def add(
    *,
    target: TargetChoice,
    name: _NameArgument,
    template: Annotated[
        str,
        typer.Option(
            "--template", metavar="TEMPLATE", help="iot, infrastructure, finance, health, or a file of your own."
        ),
    ],
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Where to write its files; by default domains/NAME.", file_okay=False)
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where constraints or files would be written over.")
    ] = False,
    dry_run: _DryRunOption = False,
    port: Annotated[
        int | None, typer.Option("--port", envvar="AFLUENTE_PORT", help="Port of the local stack, if it has to start.")
    ] = None,
    as_json: _JsonOption = False,
) -> None:
    """Open the service for a domain: one command until measurements of it are taken over every transport.

    Writes the constraints of the template for the domain's stream types, adds it to the stage's file, and makes a
    folder with these constraints, an example client and points to try. The local stack is brought up to date at once;
    a stage in an account is with the next deployment.

    To add it again changes nothing. Where the template is another, it shows what would be, and does so with --replace.

    [dim]Examples:[/]

      afluente domains add water --template iot
      afluente domains show iot > energy.yaml
      afluente domains add energy --template energy.yaml --dry-run
    """
    from cli.domains import adding, files

    domain = _domain(template, name)
    stage, where = target.stage or STAGE, folder or files.folder_of(name)
    found = _deployment(target)
    plan = adding.plan(domain, stage, _catalogue(found) if found else None, where)
    if not as_json:
        _show_plan(plan, will_be=dry_run)
    if plan.overwrites and not (replace or dry_run):
        raise CommandError(
            f"'{name}' has other constraints or files already, as shown above; nothing was changed",
            hint="add it with --replace, or see with --dry-run",
        )
    if not dry_run:
        # Constraints first: the domain's first point is to find them.
        if found:
            adding.write_constraints(domain, _catalogue(found))
        if plan.opens:
            adding.open_in_stage(name, stage)
        adding.write_files(domain, where, plan)
        if target.stage is None:
            _bring_up(target, None if found else port)
            if found is None:
                adding.write_constraints(domain, _catalogue(resolve(target)))
    if as_json:
        print_json(plan)
    elif not dry_run:
        _show_what_next(plan, domain, is_local=target.stage is None)


@app.command()
@targeted
def remove(*, target: TargetChoice, name: _NameArgument, dry_run: _DryRunOption = False) -> None:
    """Close the service for a domain: its measurements are rejected from then on.

    What was measured stays where it is, and so do its constraints and the files of its folder: to add it again goes on.

    [dim]Example:[/]  afluente domains remove water
    """
    from cli.domains import adding, stage_file

    stage = target.stage or STAGE
    present = stage_file.open_domains(stage)
    if name not in present:
        raise CommandError(f"the domain '{name}' is not open in stage '{stage}'", hint=_are_open(present))
    if len(present) == 1:
        raise CommandError(
            f"'{name}' is the only domain of stage '{stage}'", hint="open another one first", code=ExitCode.USAGE
        )
    console = out()
    if dry_run:
        console.print(f"would close '{name}' in {stage_file.shown(stage)}; nothing was changed", soft_wrap=True)
        return
    adding.close_in_stage(name, stage)
    console.print(f"closed '{name}' in {stage_file.shown(stage)}; its points and constraints stay", soft_wrap=True)
    if name == LEGACY_DOMAIN:
        console.print("devices and clients of an older IoT service are taken no longer either", soft_wrap=True)
    if target.stage is None:
        if _deployment(target):
            _bring_up(target)
    else:
        _show_next(_deploy_next(stage, f"the topic rule and the dashboard of '{name}' go"))


@app.command("list")
@targeted
def list_(*, target: TargetChoice, as_json: _JsonOption = False) -> None:
    """List the domains that are open: by the stage's file, and as it is deployed.

    [dim]Example:[/]  afluente domains list
    """
    from cli.domains import stage_file

    stage = target.stage or STAGE
    found = _deployment(target)
    in_file, deployed = stage_file.open_domains(stage), _open_in(found) if found else ()
    names = [*in_file, *(name for name in deployed if name not in in_file)]
    if as_json:
        print_json([{"domain": name, "stage": name in in_file, "deployed": name in deployed} for name in names])
        return
    table = Table("domain", f"in stage '{stage}'", "deployed", box=None, padding=(0, 2, 0, 0))
    for name in names:
        table.add_row(name, _yes(name in in_file), _yes(name in deployed) if found else "nothing is")
    out().print(table)
    if found and set(in_file) != set(deployed):
        err().print(f"deploy it to bring both together: {_deployment_command(target)}")


@app.command()
def show(
    template: Annotated[
        str | None, typer.Argument(metavar="TEMPLATE", help="Its name; without one, all are listed.")
    ] = None,
) -> None:
    """Show a template that comes with afluente, as a file to change; or, without a name, which there are.

    [dim]Example:[/]  afluente domains show iot > energy.yaml
    """
    from cli.domains import templates

    if template is not None:
        sys.stdout.write(templates.text_of(template))
        return
    table = Table("template", "for", "stream types", box=None, padding=(0, 2, 0, 0))
    for name in templates.shipped_names():
        domain = templates.load(templates.find(name), name)
        types = [entry.config.stream_type for entry in domain.constraints if entry.config.stream_type]
        table.add_row(name, domain.template.description, ", ".join(types))
    out().print(table)


def _domain(template: str, name: str) -> "Domain":
    from afluente.domain.stream_keys import domain_faults
    from cli.domains import templates

    for fault in domain_faults(name):
        raise typer.BadParameter(f"'{name}' {fault.message}", param_hint="NAME")
    file = templates.find(template)
    try:
        return templates.load(file, name)
    except templates.TemplateError as error:
        _show_faults(error.faults)
        raise CommandError(
            f"{file} has {len(error.faults)} fault(s); nothing was changed",
            hint="correct them; 'afluente domains show iot' shows a template that is sound",
        ) from None


def _deployment(target: TargetChoice) -> Target | None:
    """The deployment; None where there is none yet."""
    try:
        return resolve(target)
    except CommandError as error:
        if error.code is ExitCode.UNREACHABLE:
            return None
        raise


def _catalogue(target: Target) -> "DynamoConstraintsCatalogue":
    from cli.constraints.catalogue import catalogue_of

    return catalogue_of(target, "domains add")


def _open_in(target: Target) -> tuple[str, ...]:
    configuration = target.client("lambda").get_function_configuration(FunctionName=target["HttpIngestFunction"])
    return tuple(configuration["Environment"]["Variables"]["AFLUENTE_DOMAINS"].split(","))


def _bring_up(target: TargetChoice, port: int | None = None) -> None:
    running = stack.up(target.state, port)
    if running.not_answering:
        raise CommandError(
            f"deployed, but not answering as they should: {', '.join(running.not_answering)}",
            hint=f"see 'afluente logs {running.not_answering[0]}'",
        )


def _show_faults(faults: "tuple[TemplateFault, ...]") -> None:
    console = err()
    for fault in faults:
        console.print(f"{fault.field}: {fault.message}", markup=False, soft_wrap=True)


def _show_plan(plan: "Plan", *, will_be: bool) -> None:
    console = out()
    if plan.changes_nothing:
        console.print(f"all of '{plan.domain}' is there already; nothing changes", markup=False)
        return
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("stage", f"opens in {plan.stage_file}" if plan.opens else f"open in {plan.stage_file} already")
    counts = f"{len(plan.created)} new, {len(plan.changed)} changed, {len(plan.unchanged)} unchanged"
    if not plan.deployment:
        ready = "the local stack is up" if plan.stage == STAGE else "the stage is deployed"
        counts = f"{len(plan.created)}, once {ready}"
    table.add_row("constraints", counts)
    for change in plan.changed:
        table.add_row("", f"{change.scope}: {', '.join(change.differences)}")
    table.add_row("files", f"in {plan.folder}: {_file_names(plan)}")
    console.print(table, markup=False)
    if will_be:
        console.print("nothing was changed")


def _file_names(plan: "Plan") -> str:
    told = [*plan.new_files, *(f"{name} (changed)" for name in plan.changed_files)]
    return ", ".join(told) or "as they are"


def _show_what_next(plan: "Plan", domain: "Domain", *, is_local: bool) -> None:
    console = out()
    if not is_local:
        news = f"a topic rule and a dashboard of '{plan.domain}' come, functions get another AFLUENTE_DOMAINS"
        after = {}
        if not plan.deployment:
            apply = f"afluente constraints apply {plan.folder}/constraints.yaml --stage {plan.stage}"
            after = {apply: "its constraints, once there is a table for them"}
        _show_next(_deploy_next(plan.stage, news) | after)
        return
    console.print(f"[green]the domain '{plan.domain}' is open[/]")
    if not plan.opens and (plan.created or plan.changed):
        console.print("changed constraints are in force within a minute")
    first = domain.template.examples[0].source_id
    _show_next(
        {
            f"{plan.folder}/README.md": "what it is, and how to send",
            f"python {plan.folder}/client.py": "send its example points",
            f"afluente devices create {first} --domain {plan.domain}": "make a device, for MQTT",
            f"afluente tail --key '{plan.domain}/*' --from-start": "watch what comes out",
        }
    )


def _deploy_next(stage: str, news: str) -> dict[str, str]:
    return {f"make diff STAGE={stage}": f"see that {news}", f"make deploy STAGE={stage}": "have it so"}


def _show_next(steps: Mapping[str, str]) -> None:
    """Commands, each with what it does."""
    width = max(map(len, steps))
    lines = [f"  {command:<{width}}  {does}" for command, does in steps.items()]
    out().print("\n".join(["", "What next", *lines]), markup=False, soft_wrap=True)


def _deployment_command(target: TargetChoice) -> str:
    return f"make deploy STAGE={target.stage}" if target.stage else "afluente up"


def _are_open(domains: tuple[str, ...]) -> str:
    return f"open are {', '.join(domains)}"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
