"""`afluente demo`: real data through the whole way, and what came out."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.core.errors import CommandError
from cli.core.options import StateDirOption
from cli.core.output import err, out, step
from cli.core.state import StateDir
from cli.core.target import TargetChoice, resolve
from cli.local_stack import stack

if TYPE_CHECKING:
    from cli.demo.demo import Came, DemoStream

_STYLES = {"normal": "green", "anomaly": "magenta", "warning": "yellow", "alert": "red"}

_LEGEND = """
[green]normal[/]   within all constraints: what ML pipelines read
[magenta]anomaly[/]  changed too fast
[yellow]warning[/]  beyond the warning band; [red]alert[/] beyond the alert band or a hard limit
late     older than a point that came before; twice: a repetition, not written again
old      as a client of an older IoT service: packets, and messages to iot/sensors/SENSOR/readings
alarms   raised, cleared
as known is what data/expected.json says must come out
"""


def demo(
    state_dir: StateDirOption = None,
    port: Annotated[int | None, typer.Option("--port", envvar="AFLUENTE_PORT", help="Port of the local stack.")] = None,
) -> None:
    """Start the local stack, send nine real streams over HTTP, WebSocket, MQTT, as CSV files and as clients of an
    older IoT service do, and show what came out of each.

    Constraints, data and the counts that must come out are in the folder data/. Ends with exit code 1 if a count is
    not as it must be. The stack goes on running; 'afluente down' stops it.

    [dim]Example:[/]  afluente demo
    """
    from cli.demo import demo as play

    stack.up(StateDir.of(state_dir), port)
    target = resolve(TargetChoice(StateDir.of(state_dir)))
    started = datetime.now(UTC)
    streams = play.demo_streams(f"{started:%H%M%S}", play.transports_of(target))
    with step(f"writing the constraints of {len(streams)} streams"):
        play.apply_constraints(target, streams)
        play.register_sensors(target, streams)
        reader = play.open_reader(target)
    begun = time.monotonic()
    with _progress() as progress:
        sending = progress.add_task("sending", total=sum(stream.expected["points"] for stream in streams))
        play.send(target, streams, lambda points: progress.advance(sending, points))
        distinct = sum(stream.expected["points"] - stream.expected["duplicates"] for stream in streams)
        classifying = progress.add_task("classified", total=distinct)
        came = play.collect(
            target,
            reader,
            streams,
            int(started.timestamp() * 1000),
            lambda points: progress.advance(classifying, points),
        )
    seconds = time.monotonic() - begun
    _show(streams, came, seconds)
    differences = {stream.key: _difference(stream, came[stream.key]) for stream in streams}
    unexpected = {key: difference for key, difference in differences.items() if difference}
    if unexpected:
        told = "\n".join(f"  {key}: {difference}" for key, difference in unexpected.items())
        raise CommandError(f"not as expected:\n{told}", hint="see 'afluente status' and 'afluente logs classifier'")
    _show_what_next(streams[0], target.api_url)


def _progress() -> Progress:
    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = err()
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _show(streams: "list[DemoStream]", came: "dict[Any, Came]", seconds: float) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("stream", overflow="fold")
    table.add_column("over")
    for name in ("sent", *_STYLES, "late", "twice"):
        table.add_column(name, justify="right", style=_STYLES.get(name, ""))
    table.add_column("alarms", justify="right")
    table.add_column("as known")
    for stream in streams:
        figures = came[stream.key].figures(stream.expected["points"])
        counts = [figures["points"], *(figures["classes"][name] for name in _STYLES)]
        counts += [figures["late"], figures["duplicates"]]
        alarms = f"{figures['alarms']['raised']}, {figures['alarms']['cleared']}"
        mark = "[green]yes[/]" if figures == stream.expected else "[red]no[/]"
        table.add_row(stream.name, stream.transport, *(f"{count:,}" for count in counts), alarms, mark)
    console = out()
    console.print("\n[bold]What came out of each stream[/]\n", table, "", sep="\n")
    sent = sum(stream.expected["points"] for stream in streams)
    console.print(
        f"{sent:,} points went over {', '.join(sorted({stream.transport for stream in streams}))}, the queue and the"
        " classifier to the Kinesis stream of their class"
        f" in {seconds:.1f} s ({sent / seconds:,.0f} points/s)."
    )
    console.print(_LEGEND)


def _difference(stream: "DemoStream", came: "Came") -> str:
    figures = came.figures(stream.expected["points"])
    return ", ".join(
        f"{name} {figures[name]} instead of {expected}"
        for name, expected in stream.expected.items()
        if figures[name] != expected
    )


def _show_what_next(stream: "DemoStream", api_url: str) -> None:
    out().print(
        f"""
[bold]What next[/]
  .venv/bin/afluente tail alert --key '{stream.key}' --from-start --until-idle 2
  .venv/bin/afluente alarms --key '{stream.key}'
  .venv/bin/afluente constraints get '{stream.key}'
  .venv/bin/afluente send http --domain iot --source my-machine FILE.csv
  .venv/bin/afluente devices create my-device --domain iot
  curl {api_url}/health
  .venv/bin/afluente down
""",
        soft_wrap=True,
    )
