"""Rendering of a migration: a progress bar, and tables of results."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from afluente.migration.application.records import Prospect
from cli.core.progress import LineTimer, bars

SHOWN = 10
"""Sensors that are shown by name; a report has all of them."""

_MEANINGS = {
    Prospect.MIGRATE: "thresholds that become constraints",
    Prospect.UPDATE: "thresholds that have changed since they were migrated",
    Prospect.REMOVE: "migrated thresholds that are no longer in force",
    Prospect.UNCHANGED: "constraints that are as they should be",
    Prospect.NOTHING: "no thresholds in force, no constraints",
    Prospect.CONFLICT: "other constraints are there; they stay",
    Prospect.IMPOSSIBLE: "thresholds that contradict each other; the legacy rules stay in force",
}


class Walk:
    """The progress of a walk over all sensors: a bar on a terminal, a line now and then in a log.

    Args:
        console: of standard error, so that results can be piped.
        verb: of the work, such as `planning`.
        total: the number of sensors.
        done: sensors that are done before.
    """

    def __init__(self, console: Console, verb: str, total: int, *, done: int = 0) -> None:
        self._console = console
        self._verb = verb
        self._total = total
        self._done = done
        self._lines = LineTimer()
        note = TextColumn("{task.fields[note]}", markup=False)
        self._bar = bars(console, MofNCompleteColumn(), note, TimeRemainingColumn())
        self._task = self._bar.add_task(verb, total=total, completed=done, note="")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar for the block."""
        with self._bar:
            yield

    def advance(self, sensors: int, note: str = "") -> None:
        """Show that so many more sensors are done."""
        self._done += sensors
        if self._console.is_terminal:
            self._bar.update(self._task, completed=self._done, note=note)
        elif self._lines.is_due():
            self._console.print(f"{self._verb}: {self._done:,} of {self._total:,} sensors {note}".rstrip())


def prospects_table(counts: Mapping[Prospect, int]) -> Table:
    """A table of sensors by prospect."""
    table = Table("", "sensors", "", box=None, padding=(0, 2, 0, 0), show_header=False)
    table.columns[1].justify = "right"
    for prospect, meaning in _MEANINGS.items():
        if counts.get(prospect):
            table.add_row(prospect, f"{counts[prospect]:,}", f"[dim]{meaning}[/]")
    return table


def print_named(console: Console, sensors: Sequence[tuple[int, str, Sequence[str]]], total: int) -> None:
    """Print sensors by name, each with a word and its reasons, and the number of others."""
    for sensor_id, word, reasons in sensors[:SHOWN]:
        console.print(f"  sensor {sensor_id} [dim]{word}[/]")
        for reason in reasons:
            console.print(f"    {escape(reason)}", soft_wrap=True)
    if total > SHOWN:
        console.print(f"  … and {total - SHOWN:,} more; --report FILE has them all")
