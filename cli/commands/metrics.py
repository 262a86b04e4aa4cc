"""`afluente metrics`: a table, the exposition format of Prometheus, and a server that Prometheus scrapes."""

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.core.options import targeted
from cli.core.output import err, print_json
from cli.core.target import Target, TargetChoice, resolve
from cli.core.times import since_option

_WINDOW_SECONDS = 300.0
"""Percentiles of a scrape are those of the last five minutes."""

_CLOUD_KEEP_SECONDS = 60.0
"""CloudWatch has a value a minute, and each that is read costs."""


@targeted
def metrics(
    target: TargetChoice,
    *,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=since_option,
            metavar="TIME",
            help="10m, 2h, 1d or an ISO 8601 time; with --serve, now.",
            show_default="1h",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Write the exposition format of Prometheus.")
    ] = False,
    serve: Annotated[
        int | None,
        typer.Option(
            "--serve",
            metavar="PORT",
            min=0,
            max=65_535,
            help="Serve /metrics until Ctrl-C; 0: at a free port.",
        ),
    ] = None,
    bind: Annotated[str, typer.Option("--bind", metavar="ADDRESS", help="Address to serve at.")] = "127.0.0.1",
) -> None:
    """Show counts, durations from acceptance to Kinesis and from request to answer, and the queues of a deployment.

    They come from CloudWatch, at the local stack from the functions' logs. Whoever reaches the address of
    [b]--serve[/] can read them: it has no keys.

    [dim]Example:[/]  afluente metrics --serve 9464
    """
    if as_json + prometheus + (serve is not None) > 1:
        raise typer.BadParameter("--json, --prometheus and --serve are three ways to write the same; choose one")
    found = resolve(target)
    if serve is not None:
        first = since.timestamp() if since else time.time()
        _serve(found, since=first, bind=bind, port=serve)
        return
    first = (since or datetime.now(UTC) - timedelta(hours=1)).timestamp()
    _show(found, since=first, as_json=as_json, prometheus=prometheus)


def _show(target: Target, *, since: float, as_json: bool, prometheus: bool) -> None:
    from cli.metrics.reading import snapshots_of

    snapshot = snapshots_of(target, since=since, window_seconds=None)()
    if as_json:
        print_json(snapshot)
    elif prometheus:
        from cli.metrics.exposition import exposition

        typer.echo(exposition(snapshot), nl=False)
    else:
        from cli.metrics.rendering import show_metrics

        show_metrics(snapshot)


def _serve(target: Target, *, since: float, bind: str, port: int) -> None:
    from cli.metrics.reading import snapshots_of
    from cli.metrics.serving import SharedSnapshots, server

    take = snapshots_of(target, since=since, window_seconds=_WINDOW_SECONDS)
    keep_seconds = 0.0 if target.is_local else _CLOUD_KEEP_SECONDS
    shared = SharedSnapshots(take, keep_seconds=keep_seconds, clock=time.monotonic)
    with server(shared, bind=bind, port=port) as serving:
        err().print(f"metrics of stage {target.name} at http://{bind}:{serving.server_port}/metrics", markup=False)
        serving.serve_forever()
