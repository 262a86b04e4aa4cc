"""Metrics as tables, for people."""

from rich.table import Table

from cli.core.output import out
from cli.core.times import iso_time
from cli.metrics.snapshot import Snapshot

_PADDING = (0, 2, 0, 0)


def show_metrics(snapshot: Snapshot) -> None:
    """Show durations, queues and counts."""
    console = out()
    console.print(f"[dim]stage[/] {snapshot.stage} [dim]since[/] {iso_time(snapshot.since)}")
    durations = Table("duration", "transport", "function", "number", "p50", "p95", "p99", box=None, padding=_PADDING)
    for its in snapshot.durations:
        percentiles = (_seconds(value) for value in (its.p50, its.p95, its.p99))
        durations.add_row(its.metric, its.transport, its.service, f"{its.count:,}", *percentiles)
    if snapshot.durations:
        console.print(durations)
    queues = Table("queue", "waiting", "in flight", "oldest", "dead letters", box=None, padding=_PADDING)
    for queue in snapshot.queues:
        numbers = (f"{queue.waiting:,}", f"{queue.in_flight:,}")
        queues.add_row(queue.name, *numbers, _seconds(queue.oldest_seconds), f"{queue.dead_letters:,}")
    console.print(queues)
    counts = Table("count", "function", "total", "a second", box=None, padding=_PADDING)
    seconds = max(snapshot.until - snapshot.since, 1.0)
    for count in snapshot.counts:
        counts.add_row(count.metric, count.service, f"{count.total:,}", f"{count.total / seconds:,.2f}")
    if snapshot.counts:
        console.print(counts)
    else:
        console.print("[dim]nothing was counted in that time[/]")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3f} s"
