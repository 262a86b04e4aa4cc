"""In-memory twins of the ports of alarms."""

from collections.abc import Iterator, Sequence

from afluente.application.alarms.ports import ReportedAlarm
from afluente.domain.alarms import AlarmEvent


class MemoryAlarms:
    """Published alarm events, in their order."""

    def __init__(self) -> None:
        self.events: list[AlarmEvent] = []

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        self.events += events


class MemoryAlarmLog:
    """Reported alarms, a few on a page."""

    def __init__(self, *, page: int = 3) -> None:
        self._reported: list[ReportedAlarm] = []
        self._page = page

    def report(self, *reported: ReportedAlarm) -> None:
        """Add alarms to the log."""
        self._reported = sorted((*self._reported, *reported), key=lambda its: its.reported_ms)

    def pages(self, since_ms: int, until_ms: int) -> Iterator[Sequence[ReportedAlarm]]:
        found = [reported for reported in self._reported if since_ms <= reported.reported_ms < until_ms]
        return (found[start : start + self._page] for start in range(0, len(found), self._page))
