"""Classified points and alarm events as lines for people, in colours on a terminal."""

from collections.abc import Mapping

import msgspec
from rich.text import Text

from afluente.domain.alarms import AlarmChange, AlarmEvent
from afluente.domain.classification import ClassifiedDataPoint
from cli.core.times import iso_time

STYLES = {"alert": "bold red", "warning": "yellow", "anomaly": "magenta", "normal": "green"}


def point_line(point: ClassifiedDataPoint) -> Text:
    """A classified point: when, which class, which stream, which value, and why."""
    line = _beginning(point.timestamp, point.classification)
    line.append(f"{point.domain}/{point.source_id}/{point.stream_id}  ")
    line.append(f"{point.value:g}", style="bold")
    reasons = [*_limits(point.violated_constraints), *_rates(point)]
    why = ", ".join(reasons) if reasons else str(point.reason)
    line.append(f"  {why}", style="dim")
    if point.late:
        line.append("  late", style="cyan")
    return line


def alarm_line(event: AlarmEvent) -> Text:
    """An alarm event: when, raised or cleared, which stream, how grave, and by how many points in a row."""
    line = Text().append(iso_time(event.timestamp) + "  ", style="dim")
    if event.state is AlarmChange.RAISED:
        line.append("RAISED   ", style="bold red")
    else:
        line.append("CLEARED  ", style="green")
    line.append(f"{event.domain}/{event.source_id}/{event.stream_id}  ")
    line.append(f"{event.value:g}", style="bold")
    counted = "violations" if event.state is AlarmChange.RAISED else "normal"
    line.append(f"  {event.severity}: {event.count} {counted} in a row ({event.reason})", style="dim")
    if event.transitions_omitted:
        line.append(f"  {event.transitions_omitted} changes before it omitted", style="cyan")
    return line


def _beginning(timestamp: float, classification: str) -> Text:
    line = Text().append(iso_time(timestamp) + "  ", style="dim")
    line.append(f"{classification.upper():<9}", style=STYLES.get(classification, ""))
    return line


def _limits(violated: Mapping[str, float]) -> list[str]:
    return [f"{'<' if 'min' in name else '>'} {name} {limit:g}" for name, limit in violated.items()]


def _rates(point: ClassifiedDataPoint) -> list[str]:
    return [f"{name} {rate.observed:.4g} > {rate.limit:g}" for name, rate in point.violated_rate.items()]


def decode_point(line: bytes) -> ClassifiedDataPoint | None:
    """The point of a line of a record; None for a line that is none."""
    try:
        return msgspec.json.decode(line, type=ClassifiedDataPoint)
    except msgspec.DecodeError:
        return None


def decode_alarm(message: str) -> AlarmEvent | None:
    """The alarm event of a line of the alarm log; None for a line that is none."""
    try:
        return msgspec.json.decode(message, type=AlarmEvent)
    except msgspec.DecodeError:
        return None
