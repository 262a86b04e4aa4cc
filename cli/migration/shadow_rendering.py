"""Rendering of a shadow report, for people and for programs."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from afluente.migration.application.shadow_commands import ShadowReport

_COLUMNS = ("sensor", "cause", "points", "old", "new", "value", "measured against", "at", "point_id")


def as_document(report: ShadowReport) -> dict[str, Any]:
    """A report for a program, with all fields."""
    counts = report.counts
    return {
        "step": report.step,
        "shadow": report.settings.shadow,
        "compared": counts.compared,
        "errors": counts.errors,
        "differences": counts.differences,
        "invocations": counts.invocations,
        "added_p95_ms": counts.p95(),
        "by_cause": report.by_cause,
        "not_noted": report.not_noted,
        "sensors": [{"count": noted.count, "example": noted.example} for noted in report.noted],
    }


def show(report: ShadowReport, console: Console, *, limit: int) -> None:
    """Show a report to people."""
    counts, settings = report.counts, report.settings
    state = "on" if settings.shadow else "off"
    console.print(
        f"shadow is {state}; step {report.step}: {counts.compared:,} points classified in both ways", soft_wrap=True
    )
    console.print(f"{counts.differences:,} differences, {counts.errors:,} errors of the new way")
    if not counts.compared:
        console.print("nothing was compared yet: switch shadow on, and let readings of sensors come", soft_wrap=True)
    if report.rolled_back_in not in {None, report.step}:
        console.print(f"the canary went back in step {report.rolled_back_in}: look at --step {report.rolled_back_in}")
    for cause, number in report.by_cause.items():
        console.print(f"  {cause}  {number:,}")
    if report.not_noted:
        console.print(f"  {report.not_noted:,} more, of which it was not noted which they are", soft_wrap=True)
    if report.noted:
        console.print(_table(report, limit))
    if len(report.noted) > limit:
        console.print(f"and {len(report.noted) - limit:,} more sensors and causes: --limit, or --json for all")


def _table(report: ShadowReport, limit: int) -> Table:
    table = Table(*_COLUMNS, box=None, padding=(0, 2, 0, 0))
    for noted in report.noted[:limit]:
        its = noted.example
        table.add_row(
            escape(its.stream),
            its.cause,
            f"{noted.count:,}",
            its.legacy_class,
            its.constraints_class,
            f"{its.value:.15g}",
            f"{its.baseline.value:.15g}" if its.baseline else "nothing",
            datetime.fromtimestamp(its.timestamp, UTC).isoformat(sep=" ", timespec="milliseconds")[:23],
            its.point_id,
        )
    return table
