"""Ports of alarms: the sink that events are published to, and the log that they are read from."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from afluente.domain.alarms import AlarmEvent


class AlarmSink(Protocol):
    """The destination of alarm events."""

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        """Publish events at least once; readers order those of an alarm by `transition`.

        Raises:
            UnavailableError: some events are not published; publishing all of them again is safe.
        """
        ...


class ReportedAlarm(msgspec.Struct, frozen=True):
    """An alarm event and the time of its report, in Unix milliseconds; times in the event are those of the data."""

    reported_ms: int
    event: AlarmEvent


class AlarmLog(Protocol):
    """The log of reported alarms."""

    def pages(self, since_ms: int, until_ms: int) -> Iterator[Sequence[ReportedAlarm]]:
        """Alarms reported from `since_ms` until before `until_ms`, the oldest first, one page a read.

        Raises:
            UnavailableError: the log does not answer.
        """
        ...
