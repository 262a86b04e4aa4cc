"""`afluente alarms`: alarms raised and cleared."""

import sys
from datetime import datetime
from typing import Annotated

import typer

from cli.core.options import targeted_by_api
from cli.core.output import out, print_json_line
from cli.core.target import TargetChoice, resolve
from cli.core.times import since_option


@targeted_by_api
def alarms(
    *,
    target: TargetChoice,
    key: Annotated[
        str, typer.Option("--key", metavar="GLOB", help="Only these streams, such as 'iot/furnace-*'.")
    ] = "*",
    api_key: Annotated[
        str | None, typer.Option("--api-key", envvar="AFLUENTE_API_KEY", help="API key, with --url.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option(parser=since_option, metavar="TIME", help="Reported since: 10m, 2h, 1d or an ISO 8601 time."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write each event as it was published, a line each.")] = False,
) -> None:
    """Show the alarms that were raised and cleared, oldest report first, each once.

    Shows all that the log group still has, unless --since says otherwise. Times shown are those of the data. With --url
    the API is asked for those within the reach of the API key.

    [dim]Examples:[/]

      afluente alarms --follow --since 1h
      afluente alarms --url https://a1b2c3.execute-api.eu-west-1.amazonaws.com --since 1d
    """
    from cli.reading.alarms import alarms as read_alarms
    from cli.reading.rendering import alarm_line

    console = out()
    for published in read_alarms(resolve(target), api_key, key, since, follow=follow):
        if as_json:
            print_json_line(published.line)
        else:
            console.print(alarm_line(published.event), soft_wrap=True)
        if follow:
            sys.stdout.flush()
