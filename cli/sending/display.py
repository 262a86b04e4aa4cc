"""What people see while points are sent: a bar on a terminal, a line now and then in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.sending.run import Totals

_LINE_SECONDS = 10.0


class Display:
    """Shows how a sending goes.

    Args:
        console: where; standard error, so that results can be piped.
        name: what is sent.
        size: bytes in all; None where nobody knows.
        position: how many bytes are read.
        begin: points that an earlier run has dealt with.
    """

    def __init__(
        self, console: Console, name: str, size: int | None, position: Callable[[], int], *, begin: int = 0
    ) -> None:
        self._console = console
        self._position = position
        self._begin = begin
        self._started = time.monotonic()
        self._last_line = self._started
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(name, total=size, told="")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar for the block."""
        with self._progress:
            yield

    def update(self, totals: Totals) -> None:
        """Show how far it is."""
        told = f"{totals.read:,} points, {self._rate(totals):,.0f}/s, {totals.rejected:,} rejected"
        if self._console.is_terminal:
            self._progress.update(self._task, completed=self._position(), told=told)
        elif time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(told)

    def waiting(self, seconds: float, reason: str) -> None:
        """Say why nothing moves for a while."""
        self._console.print(f"the service is not ready ({reason}); again in {seconds:.1f} s", markup=False)

    def _rate(self, totals: Totals) -> float:
        """Points a second of this run."""
        return (totals.read - self._begin) / max(time.monotonic() - self._started, 1e-9)
