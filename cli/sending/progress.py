"""Progress of a file that is sent."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import TextColumn, TimeElapsedColumn

from cli.core.progress import LineTimer, bars, show_wait
from cli.sending.run import Totals


class SendingProgress:
    """Shows the progress of a file that is sent.

    Args:
        console: standard error, so that results can be piped.
        name: of the file.
        size: in bytes; None where it is not known.
        position: gives the bytes that were read.
        begin: points that an earlier run has sent.
    """

    def __init__(
        self, console: Console, name: str, size: int | None, position: Callable[[], int], *, begin: int = 0
    ) -> None:
        self._console = console
        self._position = position
        self._begin = begin
        self._started = time.monotonic()
        self._lines = LineTimer()
        self._bars = bars(console, TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
        self._task = self._bars.add_task(name, total=size, counts="")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar for the block."""
        with self._bars:
            yield

    def update(self, totals: Totals) -> None:
        """Show the counts."""
        counts = f"{totals.read:,} points, {self._rate(totals):,.0f}/s, {totals.rejected:,} rejected"
        if self._console.is_terminal:
            self._bars.update(self._task, completed=self._position(), counts=counts)
        elif self._lines.is_due():
            self._console.print(counts)

    def waiting(self, seconds: float, reason: str) -> None:
        """Show the reason why nothing moves for a while."""
        show_wait(self._console, seconds, reason)

    def _rate(self, totals: Totals) -> float:
        """Points a second of this run."""
        return (totals.read - self._begin) / max(time.monotonic() - self._started, 1e-9)
