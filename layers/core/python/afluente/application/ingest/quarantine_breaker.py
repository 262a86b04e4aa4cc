"""Circuit breaker of a quarantine: while it fails or is slow, records are not tried, and hold up nobody."""

from collections.abc import Callable

from afluente.application.errors import UnavailableError
from afluente.application.ingest.ports import Quarantine
from afluente.application.ingest.quarantine import QuarantinedRecord

SLOW_SECONDS = 1.0
"""Time of a record from which the quarantine is slow."""

RECOVERY_SECONDS = 2.0
"""Time for which a quarantine that failed, or was slow, gets no record."""


class QuarantineBreaker:
    """A quarantine that refuses records for a while after one failed or took long.

    Args:
        quarantine: of the records.
        clock: monotonic, in seconds.
    """

    def __init__(self, quarantine: Quarantine, *, clock: Callable[[], float]) -> None:
        self._quarantine = quarantine
        self._clock = clock
        self._open_until = 0.0

    def put(self, record: QuarantinedRecord) -> None:
        begun = self._clock()
        if begun < self._open_until:
            raise UnavailableError("the quarantine was unavailable or slow a moment ago")
        try:
            self._quarantine.put(record)
        except UnavailableError:
            self._open_until = self._clock() + RECOVERY_SECONDS
            raise
        now = self._clock()
        if now - begun >= SLOW_SECONDS:
            self._open_until = now + RECOVERY_SECONDS
