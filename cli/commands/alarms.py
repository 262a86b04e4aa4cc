"""`afluente alarms`: alarms raised and cleared."""

import sys
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from cli.moments import since_option
from cli.options import targeted
from cli.output import out, print_json_line
from cli.target import TargetChoice, resolve


@targeted
def alarms(
    *,
    target: TargetChoice,
    key: Annotated[
        str, typer.Option("--key", metavar="GLOB", help="Only these streams, such as 'iot/furnace-*'.")
    ] = "*",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option(parser=since_option, metavar="TIME", help="Reported since: 10m, 2h, 1d or an ISO 8601 time."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write each event as it was published, a line each.")] = False,
) -> None:
    """Show the alarms that were raised and cleared, oldest report first, each once.

    Shows all that the log group still has, unless --since says otherwise. Times shown are those of the data.

    [dim]Example:[/]  afluente alarms --follow --since 1h
    """
    from cli.reading.log_events import read
    from cli.reading.told import alarm_line, decode_alarm

    found = resolve(target)
    since_ms = int(since.timestamp() * 1000) if since else 0
    told: set[tuple[str, str, float]] = set()
    console = out()
    for log_event in read(found.client("logs"), found["AlarmLogGroup"], since_ms=since_ms, follow=follow):
        event = decode_alarm(log_event.message)
        if event is None or not fnmatchcase(f"{event.domain}/{event.source_id}/{event.stream_id}", key):
            continue
        # A pack that came twice has reported its alarms twice.
        identity = (event.alarm_id, event.state, event.timestamp)
        if identity in told:
            continue
        told.add(identity)
        if as_json:
            print_json_line(log_event.message)
        else:
            console.print(alarm_line(event), soft_wrap=True)
        if follow:
            sys.stdout.flush()
