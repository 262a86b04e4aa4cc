"""Progress on standard error: bars on a terminal, a line now and then in a log."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn

LINE_SECONDS = 10.0
"""Time between two lines of a log."""


class LineTimer:
    """Says when a log gets its next line."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def restart(self) -> None:
        """Begin a new interval: a line was written."""
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """True once an interval; the next one begins then."""
        if time.monotonic() - self._last < LINE_SECONDS:
            return False
        self.restart()
        return True


def bars(console: Console, *columns: ProgressColumn, is_shown: bool = True, is_transient: bool = True) -> Progress:
    """Bars with a description, which a console that is no terminal does not show.

    Args:
        console: of the bars.
        columns: right of each bar.
        is_shown: whether they are worth their while.
        is_transient: whether they vanish at the end.
    """
    description = TextColumn("{task.description}", markup=False)
    return Progress(
        SpinnerColumn(),
        description,
        BarColumn(),
        *columns,
        console=console,
        transient=is_transient,
        disable=not (is_shown and console.is_terminal),
    )


def show_wait(console: Console, seconds: float, reason: str) -> None:
    """Show the reason why nothing moves for a while."""
    console.print(f"the service is not ready ({reason}); again in {seconds:.1f} s", markup=False, soft_wrap=True)
