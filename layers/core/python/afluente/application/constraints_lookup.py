"""Find the constraints of streams: the stream's own, else its type's template, else its domain's."""

from collections.abc import Callable, Iterable, Mapping

from cachetools import TTLCache

from afluente.application.constraint_scopes import lookup_order
from afluente.application.ports import ConstraintsStore
from afluente.domain.classification import VersionedConfig
from afluente.domain.keys import StreamKey

CACHED_SCOPES = 50_000


class ConstraintsLookup:
    """Looks constraints up through a cache that also remembers where there are none.

    A change of constraints is in force everywhere once `ttl_seconds` have passed.
    """

    def __init__(self, store: ConstraintsStore, *, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._cache: TTLCache[str, VersionedConfig | None] = TTLCache(CACHED_SCOPES, ttl_seconds, timer=clock)

    def find(self, streams: Mapping[StreamKey, str | None]) -> dict[StreamKey, VersionedConfig | None]:
        """The constraints of each stream, None where it has none.

        Args:
            streams: streams with their types.

        Raises:
            UnavailableError: the store does not answer for a scope that is not cached.
        """
        scopes = {key: lookup_order(key, stream_type) for key, stream_type in streams.items()}
        known = self._known({scope for order in scopes.values() for scope in order})
        return {key: next((known[scope] for scope in order if known[scope]), None) for key, order in scopes.items()}

    def _known(self, scopes: Iterable[str]) -> dict[str, VersionedConfig | None]:
        known: dict[str, VersionedConfig | None] = {}
        unknown = []
        for scope in scopes:
            # Not `in` first: what is in the cache now may have expired a moment later.
            try:
                known[scope] = self._cache[scope]
            except KeyError:
                unknown.append(scope)
        if unknown:
            found = self._store.fetch(unknown)
            fresh = {scope: found.get(scope) for scope in unknown}
            self._cache.update(fresh)
            known |= fresh
        return known
