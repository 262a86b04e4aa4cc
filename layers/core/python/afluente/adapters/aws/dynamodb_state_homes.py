"""Cache of the buckets in which the streams of a source are."""

from collections.abc import Iterable, Mapping
from threading import Lock

import msgspec
from cachetools import LRUCache

from afluente.adapters.aws.dynamodb_state_items import Bucket

# Some 50 MB.
_CACHED_STREAMS = 300_000


class Homes(msgspec.Struct):
    """Buckets of all streams of one source, as far as its buckets were read.

    Attributes:
        by_stream: the bucket of each stream.
        last: the last bucket of the source; streams that are in none up to it are looked for from there on.
    """

    by_stream: dict[str, int] = {}
    last: int = 0

    def add(self, buckets: Iterable[Bucket]) -> None:
        """Add the streams of buckets that are in the table."""
        for bucket in buckets:
            self.add_indexed(dict.fromkeys(bucket.streams, bucket.number))
            self.last = max(self.last, bucket.number)

    def add_indexed(self, homes: Mapping[str, int]) -> None:
        """Add the buckets of some streams.

        A stream is in the last of the buckets that hold it: a write that is late by a timeout may leave it in another.
        """
        for stream_id, home in homes.items():
            self.by_stream[stream_id] = max(home, self.by_stream.get(stream_id, home))

    def between(self, first: int, end: int) -> Mapping[str, int]:
        """Those from the bucket `first` to before `end`."""
        return {stream_id: home for stream_id, home in self.by_stream.items() if first <= home < end}


class HomesCache:
    """Homes of the sources that were used last; several threads may use it, each source by one of them at a time."""

    def __init__(self, size: int = _CACHED_STREAMS) -> None:
        self._sources: LRUCache[str, Homes] = LRUCache(size, getsizeof=_size)
        self._lock = Lock()

    def get(self, source: str) -> Homes | None:
        """The homes of a source, if they are cached."""
        with self._lock:
            return self._sources.get(source)

    def keep(self, source: str, homes: Homes) -> None:
        """Cache the homes of a source, or count the streams that were added to them."""
        with self._lock:
            self._sources.pop(source, None)
            if _size(homes) <= self._sources.maxsize:
                self._sources[source] = homes

    def forget(self, source: str) -> None:
        """Drop a source: what is cached of it may be wrong."""
        with self._lock:
            self._sources.pop(source, None)


def _size(homes: Homes) -> int:
    """Streams, and what a source takes beside them."""
    return 4 + len(homes.by_stream)
