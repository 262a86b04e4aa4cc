"""`afluente tail`: classified points as they come out."""

import sys
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from cli.core.options import targeted
from cli.core.output import out, print_bytes
from cli.core.target import TargetChoice, resolve
from cli.core.times import since_option


class Class(StrEnum):
    """The classes, each with a Kinesis stream of its own."""

    ALERT = "alert"
    WARNING = "warning"
    ANOMALY = "anomaly"
    NORMAL = "normal"


@targeted
def tail(
    *,
    target: TargetChoice,
    classes: Annotated[list[Class] | None, typer.Argument(metavar="CLASS", help="By default all four.")] = None,
    key: Annotated[
        str, typer.Option("--key", metavar="GLOB", help="Only these streams, such as 'iot/furnace-*'.")
    ] = "*",
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest point that is kept.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option(parser=since_option, metavar="TIME", help="Begin there: 10m, 2h, 1d or an ISO 8601 time."),
    ] = None,
    until_idle: Annotated[
        float | None,
        typer.Option("--until-idle", metavar="SECONDS", min=0, help="End when nothing came for so long."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write each point as it is on the stream, a line each.")
    ] = False,
) -> None:
    """Show classified points as they come out, with what they violated.

    Begins with what comes from now on, unless --from-start or --since says otherwise, and goes on until Ctrl-C or
    --until-idle. The points of one source come in order.

    [dim]Example:[/]  afluente tail alert warning --key 'iot/furnace-*' --from-start
    """
    from cli.reading.points import points, start_of
    from cli.reading.rendering import point_line

    if since is not None and from_start:
        raise typer.BadParameter("say --from-start or --since, not both", param_hint="--since")
    start = start_of(since, from_start=from_start)
    console = out()
    for published in points(resolve(target), classes or list(Class), key, start, until_idle=until_idle):
        if published.point is None or as_json:
            print_bytes(published.line + b"\n")
        else:
            console.print(point_line(published.point), soft_wrap=True)
        sys.stdout.flush()
