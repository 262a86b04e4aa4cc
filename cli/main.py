"""The command `afluente`."""

import typer
from rich.markup import escape

from cli.commands import (
    alarms,
    constraints,
    cost,
    csv,
    demo,
    devices,
    dlq,
    domains,
    keys,
    metrics,
    send,
    stack,
    tail,
    tenants,
)
from cli.core.errors import CommandError, explain
from cli.core.output import err
from cli.migration.commands import canary, dual_write, migrate, shadow

_HELP = """
Measurements from any transport, classified and delivered.

Every command works on the local stack, or with [bold]--stage[/], [bold]--profile[/] and [bold]--region[/] \
on a stage in an AWS account. Those that send, look at jobs, constraints and alarms also work with [bold]--url[/] and \
an API key, without AWS credentials.

[dim]A first look:[/]

  afluente up
  afluente constraints apply constraints.yaml
  afluente send http --domain iot --source furnace-1 readings.csv
  afluente tail alert warning --from-start
"""
_EXIT_CODES = """
[dim]Exit codes:[/] 0 done · 1 failed · 2 wrong usage · 3 no stack runs, or it cannot be reached · \
4 some points, rows or sensors were rejected · 130 interrupted
"""

app = typer.Typer(
    name="afluente",
    help=_HELP,
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
stack.register(app)
app.add_typer(domains.app, name="domains")
app.add_typer(constraints.app, name="constraints")
app.add_typer(keys.app, name="keys")
app.add_typer(tenants.app, name="tenants")
app.add_typer(devices.app, name="devices")
app.add_typer(send.app, name="send")
app.add_typer(csv.app, name="csv")
app.command("tail")(tail.tail)
app.command("alarms")(alarms.alarms)
app.command("cost")(cost.cost)
app.command("metrics")(metrics.metrics)
app.add_typer(dlq.app, name="dlq")
migrate.app.add_typer(dual_write.app, name="dual-write")
migrate.app.add_typer(shadow.app, name="shadow")
migrate.app.add_typer(canary.app, name="canary")
app.add_typer(migrate.app, name="migrate")


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        app()
    except CommandError as error:
        _show(error)
        raise SystemExit(int(error.code)) from None
    except Exception as error:
        expected = explain(error)
        if expected is None:
            raise
        _show(expected)
        raise SystemExit(int(expected.code)) from None


def _show(error: CommandError) -> None:
    console = err()
    console.print(f"[bold red]error:[/] {escape(error.message)}", markup=True, soft_wrap=True)
    if error.hint:
        console.print(f"[dim]→[/] {escape(error.hint)}", soft_wrap=True)
