"""The look-up of streams' legacy thresholds, through a cache."""

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
    """The thresholds of some streams, as far as they are known.

    Attributes:
        known: thresholds by stream, None for a stream of no sensor.
        unavailable: streams whose thresholds are unknown until the database answers.
    """

    known: dict[StreamKey, SensorThresholds | None]
    unavailable: dict[StreamKey, UnavailableError]


class ThresholdsLookup:
    """Looks thresholds up through a cache, which holds streams of no sensor too.

    A change of the tables is in force everywhere once `ttl_seconds` have passed.
    """

    def __init__(self, tables: LegacyTables, *, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._streams: ReadThroughCache[StreamKey, SensorThresholds] = ReadThroughCache(
            tables.find, size=CACHED_STREAMS, ttl_seconds=ttl_seconds, clock=clock
        )

    def find(self, streams: Iterable[StreamKey]) -> dict[StreamKey, SensorThresholds | None]:
        """The thresholds of each stream, None for a stream of no sensor.

        Raises:
            UnavailableError: the database does not answer for a stream that is not cached.
        """
        found = self.find_now(streams)
        for error in found.unavailable.values():
            raise error
        return found.known

    def find_now(self, streams: Iterable[StreamKey], *, absence: UnavailableError | None = None) -> FoundThresholds:
        """The thresholds of each stream; while the database is unavailable, those in the cache.

        The database is asked for streams of the legacy domain that can be of a sensor, and for no others.

        Args:
            streams: of any domain.
            absence: a failure of the database a moment ago; it is not asked then.
        """
        keys = list(streams)
        asked = [key for key in keys if key.domain == LEGACY_DOMAIN and may_name_sensor(key.stream_id)]
        known: dict[StreamKey, SensorThresholds | None] = {}
        unavailable: dict[StreamKey, UnavailableError] = {}
        if absence is None:
            try:
                known = self._streams.find(asked)
            except UnavailableError as error:
                absence = error
        if absence is not None:
            known = self._streams.cached(asked)
            unavailable = {key: absence for key in asked if key not in known}
        return FoundThresholds({key: known.get(key) for key in keys if key not in unavailable}, unavailable)
