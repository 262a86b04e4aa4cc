"""The demonstration, for people."""

from rich.table import Table

from cli.core.output import out
from cli.demo.playing import Played
from cli.demo.streams import DemoStream

_STYLES = {"normal": "green", "anomaly": "magenta", "warning": "yellow", "alert": "red"}

_LEGEND = """
[green]normal[/]   within all constraints: what ML pipelines read
[magenta]anomaly[/]  changed too fast
[yellow]warning[/]  beyond the warning band; [red]alert[/] beyond the alert band or a hard limit
late     older than a point that came before; twice: a repetition, not written again
old      as a client of a legacy IoT service: packets, and messages to iot/sensors/SENSOR/readings
alarms   raised, cleared
as known is what data/expected.json says must come out
"""


def show_played(played: Played) -> None:
    """Show the counts of each stream."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("stream", overflow="fold")
    table.add_column("over")
    for name in ("sent", *_STYLES, "late", "twice"):
        table.add_column(name, justify="right", style=_STYLES.get(name, ""))
    table.add_column("alarms", justify="right")
    table.add_column("as known")
    for one in played.streams:
        figures = one.figures
        counts = [figures["points"], *(figures["classes"][name] for name in _STYLES)]
        counts += [figures["late"], figures["duplicates"]]
        alarms = f"{figures['alarms']['raised']}, {figures['alarms']['cleared']}"
        mark = "[red]no[/]" if one.differences else "[green]yes[/]"
        table.add_row(one.stream.name, one.stream.transport, *(f"{count:,}" for count in counts), alarms, mark)
    console = out()
    console.print("\n[bold]What came out of each stream[/]\n", table, "", sep="\n")
    sent = sum(one.figures["points"] for one in played.streams)
    transports = sorted({one.stream.transport for one in played.streams})
    console.print(
        f"{sent:,} points went over {', '.join(transports)}, the queue and the classifier to the Kinesis stream of"
        f" their class in {played.seconds:.1f} s ({sent / played.seconds:,.0f} points/s)."
    )
    console.print(_LEGEND)


def show_next_steps(stream: DemoStream, api_url: str) -> None:
    """Show commands to try next."""
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
