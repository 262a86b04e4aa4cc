"""In-memory twins of the ports of alarms."""

from collections.abc import Iterator, Sequence

from afluente.application.alarms.history import ReportedAlarm
from afluente.domain.alarms import AlarmEvent


class MemoryAlarms:
    """Keeps alarm events in the order in which they were published."""

    def __init__(self) -> None:
        self.events: list[AlarmEvent] = []

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        self.events += events


class MemoryAlarmLog:
    """Keeps reported alarms, and gives them back a few at a time."""

    def __init__(self, *, page: int = 3) -> None:
        self._reported: list[ReportedAlarm] = []
        self._page = page

    def report(self, *reported: ReportedAlarm) -> None:
        """Keep alarms."""
        self._reported = sorted((*self._reported, *reported), key=lambda its: its.reported_ms)

    def pages(self, since_ms: int, until_ms: int) -> Iterator[Sequence[ReportedAlarm]]:
        found = [reported for reported in self._reported if since_ms <= reported.reported_ms < until_ms]
        return (found[start : start + self._page] for start in range(0, len(found), self._page))
