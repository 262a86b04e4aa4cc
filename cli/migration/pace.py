"""So many writes a second and no more, where the tables serve others too."""

import time
from collections.abc import Callable


class Pace:
    """Waits before each write until its time has come.

    Args:
        rate: writes a second; None for as many as go.
        clock: gives seconds that never go back.
        sleep: waits.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds = 1 / rate if rate else 0.0
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    def __call__(self) -> None:
        """Wait until the next write may be made."""
        if not self._seconds:
            return
        now = self._clock()
        # A pause is not made up for: a burst is what the rate is to prevent.
        self._next = max(self._next, now)
        if self._next > now:
            self._sleep(self._next - now)
        self._next += self._seconds
