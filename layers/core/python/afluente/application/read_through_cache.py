"""A read-through cache of a store: caches found values and misses for a time to live."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from cachetools import TTLCache

Name = TypeVar("Name", bound=Hashable)
Found = TypeVar("Found")


class ReadThroughCache(Generic[Name, Found]):
    """Finds values by name; fetches those that are not cached in one call.

    Args:
        fetch: gives the values that exist among some names; its errors are passed on, and nothing is cached.
        size: number of cached names; the least recently used are evicted first.
        ttl_seconds: time to live.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        fetch: Callable[[Sequence[Name]], Mapping[Name, Found]],
        *,
        size: int,
        ttl_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._cache: TTLCache[Name, Found | None] = TTLCache(size, ttl_seconds, timer=clock)

    def find(self, names: Iterable[Name]) -> dict[Name, Found | None]:
        """The value of each name; None if there is none."""
        names = list(names)
        found = self.cached(names)
        missing = [name for name in names if name not in found]
        if missing:
            fetched = self._fetch(missing)
            fresh = {name: fetched.get(name) for name in missing}
            self._cache.update(fresh)
            found |= fresh
        return found

    def cached(self, names: Iterable[Name]) -> dict[Name, Found | None]:
        """The cached values alone, and None for each cached miss."""
        found: dict[Name, Found | None] = {}
        for name in names:
            # Not `in` first: an entry may expire between the two.
            try:
                found[name] = self._cache[name]
            except KeyError:
                continue
        return found
