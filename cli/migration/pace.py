"""A limit of writes a second, for tables that serve others too."""

import time
from collections.abc import Callable


class Pace:
    """Waits before each write as long as the rate demands.

    Args:
        rate: writes a second; None for no limit.
        clock: in seconds, from any time on.
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
        # A pause is not made up for: the rate is to prevent bursts.
        self._next = max(self._next, now)
        if self._next > now:
            self._sleep(self._next - now)
        self._next += self._seconds
