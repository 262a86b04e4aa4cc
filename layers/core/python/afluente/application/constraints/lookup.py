"""Look-up of the constraints of streams: a stream's own, else the template of its type, else that of its domain."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from afluente.application.constraints.ports import ConstraintsStore
from afluente.application.constraints.scopes import lookup_order
from afluente.application.read_through_cache import ReadThroughCache
from afluente.domain.constraints import VersionedConfig
from afluente.domain.stream_keys import StreamKey

CACHED_SCOPES = 50_000


class NoConstraints:
    """The `ConstraintsStore` of a stage whose streams have no constraints."""

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:  # noqa: ARG002
        return {}


class ConstraintsLookup:
    """Looks constraints up through a cache, which holds misses as well.

    A change of constraints is in force everywhere after `ttl_seconds`.
    """

    def __init__(self, store: ConstraintsStore, *, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._scopes: ReadThroughCache[str, VersionedConfig] = ReadThroughCache(
            self._fetch, size=CACHED_SCOPES, ttl_seconds=ttl_seconds, clock=clock
        )
        self._store = store

    def find(self, streams: Mapping[StreamKey, str | None]) -> dict[StreamKey, VersionedConfig | None]:
        """The constraints of each stream; None if it has none.

        Args:
            streams: streams with their types.

        Raises:
            UnavailableError: the store does not answer for a scope that is not cached.
        """
        scopes = {key: lookup_order(key, stream_type) for key, stream_type in streams.items()}
        known = self._scopes.find({scope for order in scopes.values() for scope in order})
        return {key: next((known[scope] for scope in order if known[scope]), None) for key, order in scopes.items()}

    def _fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        """The constraints of scopes, each with its own: a point names the entry that it was classified by."""
        found = self._store.fetch(scopes)
        return {scope: msgspec.structs.replace(its, key=scope) for scope, its in found.items()}
