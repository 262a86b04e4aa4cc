"""`afluente send …`: measurements from a file to the service."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli.errors import ExitCode
from cli.options import targeted
from cli.output import err, out, print_json
from cli.target import TargetChoice, resolve

app = typer.Typer(help="Send measurements from a file.", no_args_is_help=True)


class Summary(msgspec.Struct, frozen=True):
    """What `--json` writes when a sending is over: counts of the whole file, the rate of this run."""

    file: str
    read: int
    inserted: int
    rejected: int
    seconds: float
    points_per_second: float


@app.command()
@targeted
def http(
    *,
    target: TargetChoice,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A CSV or NDJSON file; - for standard input.")],
    domain: Annotated[str, typer.Option("--domain", help="Domain of the points, such as iot.")],
    source: Annotated[str, typer.Option("--source", help="The machine, server, market or patient they come from.")],
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="CSV: a column to send; repeat it. By default all numeric ones."),
    ] = None,
    stream_type: Annotated[
        str | None, typer.Option("--stream-type", help="CSV: type of the streams, to find constraint templates by.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Points of one request.")] = 1000,
    key: Annotated[
        str | None,
        typer.Option("--key", envvar="AFLUENTE_API_KEY", help="API key. The local stack needs none to be given."),
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", dir_okay=False, help="Write rejected points to this file, as NDJSON.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run of this file stopped.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the counts as one JSON object at the end.")] = False,
) -> None:
    """Send measurements over HTTP, in order, until the service has all of them.

    A CSV file needs a header and a time column: timestamp, time, date, datetime or ts, in ISO 8601 (UTC where no zone
    is named) or Unix seconds. Every other numeric column is a stream, called SOURCE:COLUMN. An empty cell is no point.

    A line of an NDJSON file is one data point: stream_id, value, timestamp and, if wanted, stream_type, sequence and
    metadata.

    While the service is busy or out of reach, the points are sent again; points it has already change nothing. After
    Ctrl-C or an error, --resume goes on. Exit code 4 says that some points were rejected.

    [dim]Example:[/]  afluente send http --domain iot --source furnace-1 readings.csv
    """
    from cli.local_key import key_for
    from cli.sending.display import Display
    from cli.sending.http import HttpTransport
    from cli.sending.job import Choices, open_job, run
    from cli.sending.rejects import Rejects

    found = resolve(target)
    api_key = key_for(found, key)
    choices = Choices(file, source, tuple(column or ()), stream_type, resume)
    console = err()
    with ExitStack() as stack:
        job = stack.enter_context(open_job(choices, found.state.positions, (found.api_url, domain)))
        display = Display(console, job.input.name, job.input.size, job.input.bytes_read, begin=job.begin.read)
        transport = HttpTransport(
            found.api_url,
            api_key,
            domain=domain,
            source=source,
            use_proxies=not found.is_local,
            on_wait=display.waiting,
        )
        stack.callback(transport.close)
        rejected_file = stack.enter_context(rejects.open("ab" if resume else "wb")) if rejects else None
        started = time.monotonic()
        totals = run(job, transport, batch=batch, display=display, rejects=Rejects(console, rejected_file))
    seconds = time.monotonic() - started
    rate = (totals.read - job.begin.read) / seconds
    _report(
        Summary(job.input.name, totals.read, totals.inserted, totals.rejected, round(seconds, 3), round(rate, 1)),
        as_json=as_json,
    )
    if totals.rejected:
        raise typer.Exit(int(ExitCode.REJECTED))


def _report(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    rejected = f"[yellow]{summary.rejected:,} rejected[/]" if summary.rejected else "none rejected"
    out().print(
        f"[green]{summary.inserted:,} points sent[/], {rejected}, in {summary.seconds:.1f} s"
        f" ({summary.points_per_second:,.0f} points/s)"
    )
