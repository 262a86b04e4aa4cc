"""`afluente up`, `down`, `status` and `logs`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from cli.core.errors import CommandError, ExitCode
from cli.core.options import StateDirOption, targeted
from cli.core.output import err, out, print_json
from cli.core.state import StateDir
from cli.core.target import TargetChoice, resolve
from cli.core.times import since_option
from cli.local_stack import stack
from cli.operations.status import FUNCTIONS, DeploymentStatus, status_of
from cli.reading.function_logs import emulator_lines, function_lines

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


def up(port: PortOption = None, state_dir: StateDirOption = None) -> None:
    """Start the local stack, or bring the running one up to date with the code.

    Starts an AWS emulator in the background, deploys the infrastructure to it and prints where everything is.
    When it runs already, only what has changed is deployed: a changed function takes a second.

    Several checkouts can have their stacks side by side: each finds a free port of its own.

    [dim]Example:[/]  afluente up
    """
    running = stack.up(StateDir.of(state_dir), port)
    console = out()
    console.print(_headline(running))
    console.print(_endpoints(running), soft_wrap=True)
    if running.change is not stack.Change.NOTHING:
        console.print(_what_next(running), soft_wrap=True)
    running.check_answering()


def down(state_dir: StateDirOption = None) -> None:
    """Stop the local stack. What it held (points, constraints, keys) is gone: it lives in memory.

    [dim]Example:[/]  afluente down
    """
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
        _show_status(report)


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


def _headline(running: stack.UpdatedStack) -> str:
    done = {
        stack.Change.NOTHING: "the local stack is running and up to date",
        stack.Change.CODE: "the local stack is running with the new code",
        stack.Change.STACKS: "the local stack is running",
    }[running.change]
    return f"[bold green]{done}[/]"


def _endpoints(running: stack.UpdatedStack) -> str:
    outputs = running.outputs
    places = {
        "HTTP API": running.api_url,
        "AWS endpoint": f"{running.emulator.endpoint}  (region us-east-1, any credentials)",
        "Kinesis streams": "  ".join(outputs[f"{name}Stream"] for name in ("Alert", "Warning", "Anomaly", "Normal")),
        "quarantine": f"s3://{outputs['QuarantineBucket']}/quarantine/",
        "process": str(running.emulator.pid),
    }
    if "CsvBucket" in outputs:
        places["CSV files"] = f"s3://{outputs['CsvBucket']}/inbox/<domain>/<source_id>/"
    return "\n".join(f"  [dim]{name:<17}[/]{place}" for name, place in places.items())


def _what_next(running: stack.UpdatedStack) -> str:
    return f"""
[bold]What next[/]
  afluente constraints apply FILE                               say what is normal
  afluente send http --domain iot --source furnace-1 FILE.csv   send measurements, point by point
  afluente csv send --domain iot --source furnace-1 FILE.csv    upload a file, and see what becomes of each row
  afluente tail alert warning --from-start                      watch what comes out
  afluente alarms --follow                                      watch alarms
  curl {running.api_url}/health
"""


def _show_status(report: DeploymentStatus) -> None:
    console = out()
    where = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    where.add_column(style="dim")
    where.add_column(overflow="fold")
    where.add_row("stage", report.stage)
    where.add_row("HTTP API", report.api_url)
    if report.websocket_url:
        where.add_row("WebSocket API", report.websocket_url)
    if report.csv_bucket:
        where.add_row("CSV files", f"s3://{report.csv_bucket}/inbox/<domain>/<source_id>/")
    where.add_row("AWS endpoint", report.endpoint or "AWS")
    console.print(where)
    functions = Table("function", "deployed as", "state", "last modified", box=None, padding=(0, 2, 0, 0))
    for function in report.functions:
        functions.add_row(function.name, function.function, function.state, function.last_modified)
    console.print(functions)
    queues = Table("queue", "waiting", "in flight", box=None, padding=(0, 2, 0, 0))
    rows = {
        "datapoints": report.datapoints_queue,
        "dead letters": report.dead_letter_queue,
        "MQTT inbox": report.mqtt_inbox,
        "MQTT dead letters": report.mqtt_dead_letter_queue,
        "CSV inbox": report.csv_inbox,
        "CSV inbox dead letters": report.csv_inbox_dead_letter_queue,
        "CSV jobs": report.csv_jobs,
        "CSV jobs dead letters": report.csv_jobs_dead_letter_queue,
    }
    for name, queue in rows.items():
        queues.add_row(name, str(queue.waiting), str(queue.in_flight))
    console.print(queues)
    if any(queue.waiting for name, queue in rows.items() if name.endswith("dead letters")):
        console.print("[yellow]there are dead letters: see 'afluente dlq --help'[/]")
