"""Ports of alarms: where events are published."""

from collections.abc import Sequence
from typing import Protocol

from afluente.domain.alarms import AlarmEvent


class AlarmSink(Protocol):
    """Where alarm events go."""

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        """Publish the events in order; at least once.

        Raises:
            UnavailableError: some events are not published; publishing all of them again is safe.
        """
        ...
