"""Find the old thresholds of streams, through a cache."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from afluente.application.errors import UnavailableError
from afluente.application.read_through_cache import ReadThroughCache
from afluente.domain.stream_keys import StreamKey
from afluente.migration.application.ports import LegacyTables
from afluente.migration.application.sensors import may_name_sensor
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from afluente.migration.domain.thresholds import SensorThresholds

CACHED_STREAMS = 50_000


class FoundThresholds(NamedTuple):
    """What is known of the sensors of streams, and of which streams nothing is known until the database answers."""

    known: dict[StreamKey, SensorThresholds | None]
    waiting: dict[StreamKey, UnavailableError]


class ThresholdsLookup:
    """Looks thresholds up through a cache that also remembers which streams are of no sensor.

    A change of the tables is in force everywhere once `ttl_seconds` have passed.
    """

    def __init__(self, tables: LegacyTables, *, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._streams: ReadThroughCache[StreamKey, SensorThresholds] = ReadThroughCache(
            tables.find, size=CACHED_STREAMS, ttl_seconds=ttl_seconds, clock=clock
        )

    def find(self, streams: Iterable[StreamKey]) -> dict[StreamKey, SensorThresholds | None]:
        """What the tables hold of the sensor of each stream, None where it is of none.

        Raises:
            UnavailableError: the database does not answer for a stream that is not cached.
        """
        found = self.find_now(streams)
        for error in found.waiting.values():
            raise error
        return found.known

    def find_now(self, streams: Iterable[StreamKey], *, absence: UnavailableError | None = None) -> FoundThresholds:
        """The same, as far as it can be known while the database is away.

        It is asked of streams of the old service's domain alone, and not of those that no sensor could have.

        Args:
            streams: of any domain.
            absence: how the database was found to be away a moment ago, so that it is not asked.
        """
        keys = list(streams)
        asked = [key for key in keys if key.domain == LEGACY_DOMAIN and may_name_sensor(key.stream_id)]
        known: dict[StreamKey, SensorThresholds | None] = {}
        waiting: dict[StreamKey, UnavailableError] = {}
        if absence is None:
            try:
                known = self._streams.find(asked)
            except UnavailableError as error:
                absence = error
        if absence is not None:
            known = self._streams.cached(asked)
            waiting = {key: absence for key in asked if key not in known}
        return FoundThresholds({key: known.get(key) for key in keys if key not in waiting}, waiting)
