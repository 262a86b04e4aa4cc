"""`afluente domains …`: fields of use that the service is open for; a new one is no change of code."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.core.errors import CommandError
from cli.core.options import targeted
from cli.core.output import out, print_json
from cli.core.target import TargetChoice

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
    replace: Annotated[bool, typer.Option("--replace", help="Replace constraints and files that differ.")] = False,
    dry_run: _DryRunOption = False,
    port: Annotated[
        int | None, typer.Option("--port", envvar="AFLUENTE_PORT", help="Port of the local stack, if it has to start.")
    ] = None,
    as_json: _JsonOption = False,
) -> None:
    """Open the service for a domain: one command, and its measurements are accepted over every transport.

    Writes the constraints of the template for the domain's stream types, adds it to the stage's file, and makes a
    folder with these constraints, an example client and points to try. The local stack is brought up to date at once;
    a stage in an account with its next deployment.

    To add it again changes nothing. With another template, the differences are shown, and applied with --replace.

    [dim]Examples:[/]

      afluente domains add water --template iot
      afluente domains show iot > energy.yaml
      afluente domains add energy --template energy.yaml --dry-run
    """
    from cli.domains.adding import prepare
    from cli.domains.rendering import show_after_adding, show_plan

    addition = prepare(target, name, template, folder)
    if not as_json:
        show_plan(addition.plan, is_dry_run=dry_run)
    if addition.plan.overwrites and not (replace or dry_run):
        raise CommandError(
            f"'{name}' has other constraints or files already, as shown above; nothing was changed",
            hint="add it with --replace, or see with --dry-run",
        )
    if not dry_run:
        addition.carry_out(port)
    if as_json:
        print_json(addition.plan)
    elif not dry_run:
        show_after_adding(addition)


@app.command()
@targeted
def remove(*, target: TargetChoice, name: _NameArgument, dry_run: _DryRunOption = False) -> None:
    """Close the service for a domain: its measurements are rejected from then on.

    What was measured stays where it is, and so do its constraints and the files of its folder: to add it again goes on.

    [dim]Example:[/]  afluente domains remove water
    """
    from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
    from cli.domains.deployment import stage_of
    from cli.domains.removing import check_removable, close, update_deployment
    from cli.domains.rendering import show_after_closing
    from cli.domains.stage_file import shown

    check_removable(target, name)
    file, console = shown(stage_of(target)), out()
    if dry_run:
        console.print(f"would close '{name}' in {file}; nothing was changed", soft_wrap=True)
        return
    close(target, name)
    console.print(f"closed '{name}' in {file}; its points and constraints stay", soft_wrap=True)
    if name == LEGACY_DOMAIN:
        console.print("devices and clients of a legacy IoT service are refused, too", soft_wrap=True)
    update_deployment(target)
    if target.stage is not None:
        show_after_closing(target.stage, name)


@app.command("list")
@targeted
def list_(*, target: TargetChoice, as_json: _JsonOption = False) -> None:
    """List the domains that are open: by the stage's file, and as it is deployed.

    [dim]Example:[/]  afluente domains list
    """
    from cli.domains.listing import list_domains
    from cli.domains.rendering import show_domains

    found = list_domains(target)
    if as_json:
        print_json(found.domains)
    else:
        show_domains(found, target)


@app.command()
def show(
    template: Annotated[
        str | None, typer.Argument(metavar="TEMPLATE", help="Its name; without one, all are listed.")
    ] = None,
) -> None:
    """Show a template that comes with afluente, as a file to change; or, without a name, which there are.

    [dim]Example:[/]  afluente domains show iot > energy.yaml
    """
    from cli.domains.rendering import show_templates
    from cli.domains.templates import text_of

    if template is None:
        show_templates()
    else:
        sys.stdout.write(text_of(template))
