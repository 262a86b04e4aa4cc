"""`afluente cost`: what traffic costs a month, and 10⁹ points of it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.core.errors import CommandError, ExitCode
from cli.core.output import out, print_json

_DEFAULT_POINTS = {"http": 100, "ws": 100, "mqtt": 1, "csv": 1_000_000}
_STREAMS_A_SOURCE = 10


def cost(
    *,
    points_per_second: Annotated[
        float, typer.Option("--points-per-second", min=0.001, help="Points of all sources, the mean of a month.")
    ] = 1_000.0,
    streams: Annotated[int, typer.Option("--streams", min=1, help="Streams that the points belong to.")] = 1_000,
    transport: Annotated[
        Literal["http", "ws", "mqtt", "csv"], typer.Option("--transport", help="The way in which they come.")
    ] = "http",
    points_per_request: Annotated[
        int | None,
        typer.Option(
            "--points-per-request",
            min=1,
            help="Points of a request, message or file; by default 100, over MQTT 1, of a file a million.",
        ),
    ] = None,
    sources: Annotated[
        int | None,
        typer.Option(
            "--sources", min=1, help="Sources of the streams; by default one for ten streams, over MQTT one for each."
        ),
    ] = None,
    stage: Annotated[str, typer.Option("--stage", metavar="NAME", help="Stage whose values count.")] = "prod",
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE.svg", dir_okay=False, help="Draw the shares of the services, too."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Show what traffic costs a month at AWS's list prices, and 10⁹ points of it, by service.

    The prices and the calls are part of this version; a test counts the calls of the functions. The values of the stage
    are read from its file; nothing is called, and no credentials are needed.

    [dim]Example:[/]  afluente cost --points-per-second 1000 --streams 1000 --transport mqtt --stage prod
    """
    from cli.cost.bill import bill_of
    from cli.cost.calls import read_calls
    from cli.cost.picture import draw
    from cli.cost.rendering import bill_document, show_bill
    from cli.cost.workload import Workload, options_of
    from infra.presets import StageError, load_stage

    try:
        values = load_stage(stage)
    except StageError as error:
        raise CommandError(str(error), code=ExitCode.USAGE) from error
    by_default = streams if transport == "mqtt" else -(-streams // _STREAMS_A_SOURCE)
    workload = Workload(
        transport,
        points_per_second,
        streams,
        min(sources or by_default, streams),
        points_per_request or _DEFAULT_POINTS[transport],
    )
    bill = bill_of(workload, options_of(values), read_calls())
    if picture is not None:
        picture.write_text(draw(bill), encoding="utf-8")
    if as_json:
        print_json(bill_document(bill))
    else:
        show_bill(out(), bill)
