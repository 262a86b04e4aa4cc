"""`afluente migrate shadow …`: points are classified in both ways, and differences are reported."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.core.errors import CommandError, ExitCode
from cli.core.options import targeted
from cli.core.output import err, out, print_json
from cli.core.target import TargetChoice, resolve
from cli.migration.options import AsJson

if TYPE_CHECKING:
    from afluente.migration.application.ports import TrialStore

_HELP = """
Classify every reading of the legacy service's sensors in the old and in the new way, and report differences.

Nothing changes for clients and readers of the streams: each device's own way is delivered, which without a canary is \
the old one.
"""

app = typer.Typer(help=_HELP, no_args_is_help=True)


@app.command("on")
@targeted
def on(*, target: TargetChoice) -> None:
    """Classify in both ways from now on; classifiers follow within a second or two.

    [dim]Example:[/]  afluente migrate shadow on
    """
    from cli.migration.trial_store import require_shadow_classifier, trial_of

    found = resolve(target)
    require_shadow_classifier(found)
    _switch(trial_of(found), is_on=True)


@app.command("off")
@targeted
def off(*, target: TargetChoice) -> None:
    """Classify in both ways only the devices of a canary; differences stay for 90 days.

    [dim]Example:[/]  afluente migrate shadow off
    """
    from cli.migration.trial_store import trial_of

    _switch(trial_of(resolve(target)), is_on=False)


@app.command()
@targeted
def report(
    *,
    target: TargetChoice,
    step: Annotated[int | None, typer.Option("--step", min=0, help="An earlier step, if not the one at hand.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Sensors and causes that are shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the differences between the ways, by sensor and cause.

    The exit code is 0 if there are none, 4 if there are differences or the new way failed, and 1 if no point was
    compared yet.

    [dim]Example:[/]  afluente migrate shadow report --json
    """
    from afluente.migration.application.shadow_commands import report as report_of
    from cli.migration.shadow_rendering import as_document, show
    from cli.migration.trial_store import trial_of

    found = report_of(trial_of(resolve(target)), step)
    if as_json:
        print_json(as_document(found))
    else:
        show(found, out(), limit=limit)
    if found.counts.differences or found.counts.errors or found.noted:
        raise typer.Exit(int(ExitCode.REJECTED))
    if not found.counts.compared:
        raise typer.Exit(int(ExitCode.FAILED))


def _switch(store: "TrialStore", *, is_on: bool) -> None:
    from afluente.migration.application.canary_commands import CommandRefusedError
    from afluente.migration.application.shadow_commands import switch

    state = "on" if is_on else "off"
    try:
        event = switch(store, on=is_on, clock=time.time)
    except CommandRefusedError as error:
        raise CommandError(error.message, hint=error.hint) from None
    if event is None:
        err().print(f"shadow is {state} already")
    else:
        out().print(f"shadow is {state}")
