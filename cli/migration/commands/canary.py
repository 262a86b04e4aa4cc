"""`afluente migrate canary …`: shares of the sources go the new way, and back by themselves."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.core.errors import CommandError, ExitCode
from cli.core.options import targeted
from cli.core.output import err, out, print_json
from cli.core.target import TargetChoice, resolve
from cli.migration.options import AsJson

if TYPE_CHECKING:
    from afluente.migration.application.canary_commands import CanaryCommands, Plan
    from afluente.migration.application.ports import TrialStore
    from afluente.migration.application.trial import TrialEvent
    from cli.migration.canary_rendering import Snapshot

_HELP = """
Let a share of the devices go the new way, and larger shares step by step; they go back by themselves if need be.

Points of these devices are classified by the legacy thresholds and by the new constraints; the classes of the \
constraints are delivered. The classifier goes to the next step when every gate is passed, and rolls back when one is \
broken: in seconds, without a deployment.
"""

app = typer.Typer(help=_HELP, no_args_is_help=True)

_GATES = "Gates of each step"
Steps = Annotated[
    str | None, typer.Option("--steps", metavar="SHARES", help="Of 100 devices, one step after the other: 10,50,100.")
]
MinMinutes = Annotated[
    float | None,
    typer.Option("--min-minutes", min=0, help="How long a step takes at least; 10.", rich_help_panel=_GATES),
]
MinPoints = Annotated[
    int | None,
    typer.Option(
        "--min-points", min=0, help="How many points go the new way in it at least; 1000.", rich_help_panel=_GATES
    ),
]
MaxErrors = Annotated[
    float | None,
    typer.Option(
        "--max-errors", metavar="PERCENT", min=0, max=100, help="Errors of 100 points; 1.", rich_help_panel=_GATES
    ),
]
MaxAddedMs = Annotated[
    float | None,
    typer.Option(
        "--max-added-ms", min=0, help="What 95 of 100 invocations may take longer; 5.", rich_help_panel=_GATES
    ),
]
MaxDifferences = Annotated[
    int | None,
    typer.Option(
        "--max-differences", min=0, help="Points with another class or alarm by constraints; 0.", rich_help_panel=_GATES
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option("--include", metavar="SOURCE", help="Goes the new way whatever the share is; repeat it."),
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="SOURCE", help="Never goes the new way; repeat it.")
]


@app.command()
@targeted
def start(
    *,
    target: TargetChoice,
    steps: Steps = None,
    min_minutes: MinMinutes = None,
    min_points: MinPoints = None,
    max_errors: MaxErrors = None,
    max_added_ms: MaxAddedMs = None,
    max_differences: MaxDifferences = None,
    include: Include = None,
    exclude: Exclude = None,
    despite_differences: Annotated[
        bool, typer.Option("--despite-differences", help="Even if shadow has found some.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Begin with the first step.

    Where shadow has found differences, nothing starts and the exit code is 4.

    [dim]Example:[/]  afluente migrate canary start --steps 10,50,100 --min-minutes 10 --min-points 1000
    """
    from afluente.migration.application.canary_commands import Plan
    from cli.migration.trial_store import require_shadow_classifier, trial_of

    found = resolve(target)
    require_shadow_classifier(found)
    given = (min_minutes, min_points, max_errors, max_added_ms, max_differences)
    plan = _changed(Plan(), steps, given, include, exclude)
    with _commands(trial_of(found)) as commands:
        _show(commands.start(plan, despite_differences=despite_differences), as_json=as_json)


@app.command("set")
@targeted
def set_(
    *,
    target: TargetChoice,
    share: Annotated[
        int | None, typer.Option("--share", metavar="PERCENT", min=0, max=100, help="Of 100 devices, from now on.")
    ] = None,
    steps: Steps = None,
    min_minutes: MinMinutes = None,
    min_points: MinPoints = None,
    max_errors: MaxErrors = None,
    max_added_ms: MaxAddedMs = None,
    max_differences: MaxDifferences = None,
    include: Include = None,
    exclude: Exclude = None,
    as_json: AsJson = False,
) -> None:
    """Change what is named, and keep the rest.

    Another share or list begins the step anew; other gates or steps keep what was counted. A list that is given takes
    the place of the one before; '' empties it.

    [dim]Example:[/]  afluente migrate canary set --share 50
    """
    from afluente.migration.application.canary_commands import plan_of

    store = _trial(target)
    given = (min_minutes, min_points, max_errors, max_added_ms, max_differences)
    plan = _changed(plan_of(store.settings()), steps, given, include, exclude)
    with _commands(store) as commands:
        _show(commands.change(plan, share=share), as_json=as_json)


@app.command()
@targeted
def hold(*, target: TargetChoice, as_json: AsJson = False) -> None:
    """Let no next step come; a broken gate still takes the canary back.

    [dim]Example:[/]  afluente migrate canary hold
    """
    with _commands(_trial(target)) as commands:
        _show(commands.hold(), as_json=as_json)


@app.command()
@targeted
def resume(*, target: TargetChoice, as_json: AsJson = False) -> None:
    """Let the next step come again; what was counted meanwhile counts.

    [dim]Example:[/]  afluente migrate canary resume
    """
    with _commands(_trial(target)) as commands:
        _show(commands.resume(), as_json=as_json)


@app.command()
@targeted
def rollback(
    *,
    target: TargetChoice,
    why: Annotated[str, typer.Option("--why", help="For the history.")] = "rolled back by hand",
    as_json: AsJson = False,
) -> None:
    """Let every device go the old way, within about a second.

    [dim]Example:[/]  afluente migrate canary rollback --why "thresholds of hall 3 are being revised"
    """
    with _commands(_trial(target)) as commands:
        event = commands.roll_back(why)
    if event is None:
        err().print("every source goes the old way already")
        return
    _show(event, as_json=as_json)


@app.command()
@targeted
def status(
    *,
    target: TargetChoice,
    watch: Annotated[
        float | None,
        typer.Option("--watch", metavar="SECONDS", min=0.1, help="Again and again, until it is complete or back."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the gates with their figures, and what is missing; decides nothing.

    With --watch, a line for each change, until the canary is complete (exit code 0) or rolled back (4).

    [dim]Example:[/]  afluente migrate canary status --watch 2
    """
    from afluente.migration.application.trial import Phase

    store = _trial(target)
    canary = _snapshot(store) if watch is None else _watch(store, watch, as_json=as_json)
    if as_json and watch is None:
        print_json(canary.as_document())
    elif not as_json:
        canary.show(out())
    if watch is not None and canary.settings.phase is Phase.ROLLED_BACK:
        raise typer.Exit(int(ExitCode.REJECTED))


@app.command()
@targeted
def history(
    *,
    target: TargetChoice,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many changes; the latest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what happened, each change with its figures.

    [dim]Example:[/]  afluente migrate canary history
    """
    from itertools import islice

    from cli.migration.canary_rendering import event_document, history_table

    events = list(islice(_trial(target).events(), limit))
    if as_json:
        print_json([event_document(event) for event in events])
    elif events:
        out().print(history_table(events))
    else:
        err().print("nothing has happened yet")


def _trial(target: TargetChoice) -> "TrialStore":
    from cli.migration.trial_store import trial_of

    return trial_of(resolve(target))


@contextmanager
def _commands(store: "TrialStore") -> "Iterator[CanaryCommands]":
    from afluente.migration.application.canary_commands import (
        CanaryCommands,
        CommandRefusedError,
        DifferencesFoundError,
        FaultyPlanError,
    )

    codes = {DifferencesFoundError: ExitCode.REJECTED, FaultyPlanError: ExitCode.USAGE}
    try:
        yield CanaryCommands(store, clock=time.time)
    except CommandRefusedError as error:
        code = codes.get(type(error), ExitCode.FAILED)
        raise CommandError(error.message, hint=error.hint, code=code) from None


def _changed(
    plan: "Plan",
    steps: str | None,
    gates: tuple[float | None, int | None, float | None, float | None, int | None],
    include: list[str] | None,
    exclude: list[str] | None,
) -> "Plan":
    """The plan with the options of the command line."""
    import msgspec

    from afluente.migration.application.selection import Selection

    min_minutes, min_points, max_errors, max_added_ms, max_differences = gates
    given = {
        "min_seconds": None if min_minutes is None else min_minutes * 60,
        "min_points": min_points,
        "max_error_rate": None if max_errors is None else max_errors / 100,
        "max_added_p95_ms": max_added_ms,
        "max_differences": max_differences,
    }
    named = {name: value for name, value in given.items() if value is not None}
    lists = {"include": include, "exclude": exclude}
    return msgspec.structs.replace(
        plan,
        gates=msgspec.structs.replace(plan.gates, **named),
        **({} if steps is None else {"steps": _steps(steps)}),
        # Read like other names: the legacy tables may have UUIDs in any case, streams have them in lower case.
        **{name: frozenset(Selection.of(sources).only) for name, sources in lists.items() if sources is not None},
    )


def _steps(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise CommandError(
            f"--steps {text}: whole numbers with commas between, such as 10,50,100", code=ExitCode.USAGE
        ) from None


def _snapshot(store: "TrialStore") -> "Snapshot":
    from afluente.migration.application.canary import decide
    from cli.migration.canary_rendering import Snapshot

    settings = store.settings()
    counts, now = store.counts(settings.step), time.time()
    return Snapshot(settings, counts, decide(settings, counts, now), now)


def _watch(store: "TrialStore", seconds: float, *, as_json: bool) -> "Snapshot":
    """Show each change until the canary or the user ends it; returns the last snapshot."""
    from afluente.migration.application.trial import Phase
    from cli.migration.interrupts import Interrupts

    shown: object = None
    with Interrupts(err()) as interrupts:
        while True:
            canary = _snapshot(store)
            if shown != (canary.settings, canary.counts):
                shown = (canary.settings, canary.counts)
                if as_json:
                    print_json(canary.as_document())
                else:
                    err().print(canary.in_a_line(), markup=False, soft_wrap=True)
            if canary.settings.phase not in {Phase.RUNNING, Phase.HELD} or interrupts.wait(seconds):
                return canary


def _show(event: "TrialEvent", *, as_json: bool) -> None:
    from cli.migration.canary_rendering import event_document, event_line

    if as_json:
        print_json(event_document(event))
    else:
        out().print(event_line(event))
