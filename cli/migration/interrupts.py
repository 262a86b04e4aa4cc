"""Ctrl-C during work in pages: the current page is finished first."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console


class Interrupts:
    """Catches Ctrl-C for a block; a second one ends at once.

    Args:
        console: shows that it was noticed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._asked = threading.Event()
        self._before: Any = None

    @property
    def asked(self) -> bool:
        """True after Ctrl-C."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait so many seconds or until Ctrl-C; returns `asked`."""
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
