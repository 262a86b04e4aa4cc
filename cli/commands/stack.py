"""`afluente up`, `down`, `status` and `logs`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.core.errors import CommandError, ExitCode
from cli.core.options import StateDirOption, targeted
from cli.core.output import err, out, print_json
from cli.core.state import StateDir
from cli.core.target import TargetChoice, resolve
from cli.core.times import since_option
from cli.operations.status import FUNCTIONS

_EMULATOR = "emulator"
_LOGS = (*FUNCTIONS, _EMULATOR)

PortOption = Annotated[
    int | None,
    typer.Option(
        "--port",
        envvar="AFLUENTE_PORT",
        min=1,
        max=65_535,
        help="Port of the emulator on 127.0.0.1; by default the one it had, or the first free one from 4566.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)
    app.command("logs")(logs)


def up(
    port: PortOption = None,
    aws_limits: Annotated[
        bool | None,
        typer.Option(
            "--aws-limits/--no-aws-limits",
            help="Refuse what AWS's quotas would refuse, or run a plain emulator.",
            show_default="on",
        ),
    ] = None,
    aws_limit: Annotated[
        list[str] | None,
        typer.Option("--aws-limit", metavar="KEY=VALUE", help="Another value for one of AWS's limits, for a test."),
    ] = None,
    state_dir: StateDirOption = None,
) -> None:
    """Start the local stack, or bring the running one up to date with the code.

    Starts an AWS emulator in the background, deploys the infrastructure to it and prints where everything is.
    When it runs already, only what has changed is deployed: a changed function takes a second.

    It refuses what AWS would refuse: a shard that is full, a request that is too large.
    docs/reference/aws-limits.md lists the limits.

    Several checkouts can have their stacks side by side: each finds a free port of its own.

    [dim]Example:[/]  afluente up
    """
    from cli.local_stack import stack
    from cli.local_stack.aws_limits.settings import choice_of
    from cli.local_stack.rendering import show_stack

    running = stack.up(StateDir.of(state_dir), port, choice_of(aws_limits, aws_limit or ()))
    show_stack(running)
    running.check_answering()


def down(state_dir: StateDirOption = None) -> None:
    """Stop the local stack. Its points, constraints and keys are lost: they live in memory.

    [dim]Example:[/]  afluente down
    """
    from cli.local_stack import stack

    stopped = stack.down(StateDir.of(state_dir))
    err().print("the local stack is down" if stopped else "no local stack was running")


@targeted
def status(
    target: TargetChoice,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Show where a deployment is, when its functions changed and what waits in its queues.

    Exit code 3 says that no stack is running.

    [dim]Example:[/]  afluente status --json
    """
    from cli.operations.rendering import show_status
    from cli.operations.status import status_of

    try:
        found = resolve(target)
    except CommandError as error:
        if as_json and error.code is ExitCode.UNREACHABLE:
            print_json({"running": False})
        raise
    report = status_of(found)
    if as_json:
        print_json(report)
    else:
        show_status(report)


@targeted
def logs(
    target: TargetChoice,
    function: Annotated[
        str, typer.Argument(metavar="FUNCTION", help=f"One of: {', '.join(_LOGS)}.", autocompletion=lambda: list(_LOGS))
    ],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option(parser=since_option, metavar="TIME", help="10m, 2h, 1d or an ISO 8601 time.", show_default="10m"),
    ] = None,
) -> None:
    """Show what a function logged. [b]emulator[/] shows what the local stack's emulator printed.

    [dim]Example:[/]  afluente logs classifier --follow
    """
    from cli.reading.function_logs import emulator_lines, function_lines

    if function not in _LOGS:
        raise typer.BadParameter(f"'{function}' is none of {', '.join(_LOGS)}", param_hint="FUNCTION")
    if function == _EMULATOR:
        if target.stage:
            raise typer.BadParameter("an account has no emulator", param_hint="FUNCTION")
        lines = emulator_lines(target.state, follow=follow)
    else:
        earliest = since or datetime.now(UTC) - timedelta(minutes=10)
        lines = function_lines(resolve(target), FUNCTIONS[function], since=earliest, follow=follow)
    console = out()
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
