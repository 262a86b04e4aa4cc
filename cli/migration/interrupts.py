"""Ctrl-C during work that is done in pages: the page at hand is finished first."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console


class Interrupts:
    """Catches Ctrl-C for a block; a second one ends at once.

    Args:
        console: where to say that it was understood.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._asked = threading.Event()
        self._before: Any = None

    @property
    def asked(self) -> bool:
        """Whether the user wants it to end."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the user wants it to end; says whether that is so."""
        return self._asked.wait(seconds)

    def __enter__(self) -> Self:
        self._before = signal.getsignal(signal.SIGINT)
        # A job in the background ignores Ctrl-C, which is for whatever runs in the foreground.
        if self._before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.asked:
            raise KeyboardInterrupt
        self._asked.set()
        self._console.print("finishing what is at hand; Ctrl-C again ends at once")
