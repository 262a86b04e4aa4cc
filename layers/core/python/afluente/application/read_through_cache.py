"""What stores were asked for, remembered for a time to live: answers, and that there is none."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from cachetools import TTLCache

Name = TypeVar("Name", bound=Hashable)
Found = TypeVar("Found")


class ReadThroughCache(Generic[Name, Found]):
    """Asks a store for what is not remembered, in one question.

    Args:
        ask: gives what there is of some names; what it raises is passed on, and nothing is remembered.
        size: how many names are remembered; those that were not asked for the longest are forgotten first.
        ttl_seconds: how long.
        clock: in seconds, from any time on.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Name]], Mapping[Name, Found]],
        *,
        size: int,
        ttl_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._cache: TTLCache[Name, Found | None] = TTLCache(size, ttl_seconds, timer=clock)

    def find(self, names: Iterable[Name]) -> dict[Name, Found | None]:
        """What there is of each of the names, None where there is nothing."""
        names = list(names)
        known = self.remembered(names)
        unknown = [name for name in names if name not in known]
        if unknown:
            found = self._ask(unknown)
            fresh = {name: found.get(name) for name in unknown}
            self._cache.update(fresh)
            known |= fresh
        return known

    def remembered(self, names: Iterable[Name]) -> dict[Name, Found | None]:
        """What is remembered of the names, without asking; those of which nothing is are left out."""
        known: dict[Name, Found | None] = {}
        for name in names:
            # Not `in` first: what is in the cache now may have expired a moment later.
            try:
                known[name] = self._cache[name]
            except KeyError:
                continue
        return known
