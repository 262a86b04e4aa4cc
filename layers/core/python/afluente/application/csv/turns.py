"""Turns of parts: none keeps an invocation for long while others wait for one."""

from collections.abc import Callable

from afluente.application.csv.ports import JobQueue

TURN_SECONDS = 30.0
"""Time for which a part is loaded, at least, before it gives its invocation to others that wait."""


class Turn:
    """The time of a part in one call.

    It begins with the first question for it, which comes once rows are queued: what the call did before, such as
    unpacking a file up to its position, would be done again in each turn.

    Args:
        is_time_left: tells whether the invocation has time left.
        queue: of the parts.
        clock: Unix seconds.

    Attributes:
        is_given_up: true once the rest of the time was left to others.
    """

    def __init__(self, is_time_left: Callable[[], bool], queue: JobQueue, clock: Callable[[], float]) -> None:
        self.is_given_up = False
        self._is_time_left = is_time_left
        self._queue = queue
        self._clock = clock
        self._began: float | None = None

    def __call__(self) -> bool:
        """Tell whether the part may be loaded on.

        Raises:
            UnavailableError: the queue of parts does not answer.
        """
        if not self._is_time_left():
            return False
        now = self._clock()
        if self._began is None:
            self._began = now
        if now - self._began < TURN_SECONDS:
            return True
        self.is_given_up = self._queue.has_waiting()
        self._began = now
        return not self.is_given_up
