"""Find the old thresholds of streams, through a cache."""

from collections.abc import Callable, Iterable

from afluente.application.migration.ports import OldTables
from afluente.application.remembered import Remembered
from afluente.domain.keys import StreamKey
from afluente.legacy.thresholds import DOMAIN, SensorThresholds

CACHED_STREAMS = 50_000


class ThresholdsLookup:
    """Looks thresholds up through a cache that also remembers which streams are of no sensor.

    A change of the tables is in force everywhere once `ttl_seconds` have passed.
    """

    def __init__(self, tables: OldTables, *, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._streams: Remembered[StreamKey, SensorThresholds] = Remembered(
            tables.find, size=CACHED_STREAMS, ttl_seconds=ttl_seconds, clock=clock
        )

    def find(self, streams: Iterable[StreamKey]) -> dict[StreamKey, SensorThresholds | None]:
        """What the tables hold of the sensor of each stream, None where it is of none.

        The database is asked of streams of the old service's domain alone.

        Raises:
            UnavailableError: the database does not answer for a stream that is not cached.
        """
        keys = list(streams)
        known = self._streams.find(key for key in keys if key.domain == DOMAIN)
        return {key: known.get(key) for key in keys}
