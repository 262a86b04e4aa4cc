"""States of streams in DynamoDB: items of eight streams of one source.

A stream stays in the item (its bucket) that had room at its first point. So a reader may cache for ever which bucket a
stream is in, streams that begin together are stored together, and only the last bucket of a source gains streams.
`docs/adr/0022-compact-states-and-an-index.md` explains why.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws.calls import retry_throttled
from afluente.adapters.aws.dynamodb import ConditionFailedError, conditional_write
from afluente.adapters.aws.dynamodb_state_homes import Homes, HomesCache
from afluente.adapters.aws.dynamodb_state_items import (
    STREAMS_A_BUCKET,
    Bucket,
    chunk_of,
    if_unchanged,
    item_of_bucket,
    number_in_bytes,
)
from afluente.adapters.aws.dynamodb_state_reader import Buckets, DynamoStateReader
from afluente.adapters.aws.side_by_side import side_by_side
from afluente.adapters.codecs.states import decode_state, encode_state
from afluente.adapters.codecs.stored_streams import StoredStream
from afluente.application.classification.ports import (
    STREAMS_PER_SOURCE,
    DamagedStateError,
    StaleStateError,
    StreamMemory,
    TooManyStreamsError,
)
from afluente.application.errors import UnavailableError
from afluente.domain.stream_keys import StreamKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LANES = 8

# The buckets of the largest source take some seconds at 1,000 write units a second (DynamoDB, "Burst and adaptive
# capacity": the limit of a partition).
_DELAYS = (0.1, 0.3, 0.8, 1.6, 3.2)

_Failure = StaleStateError | UnavailableError


class DynamoStates:
    """Store of stream states: one conditional write for each changed bucket.

    Args:
        client: of DynamoDB.
        table: its name; partition key `source` (`domain/source_id`), sort key `bucket` (a number from 0; below 0 the
            index).
        executor: runs calls for several sources and buckets side by side; no thread of it may wait for this store.
        sleep: waits between attempts.
        streams_per_source: streams that a source may have.
        compact: False to write a form that earlier releases read.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        executor: Executor,
        sleep: Callable[[float], None] = time.sleep,
        streams_per_source: int = STREAMS_PER_SOURCE,
        compact: bool = True,
    ) -> None:
        self.streams_per_source = streams_per_source
        self.is_compact = compact
        self._client = client
        self._table = table
        self._executor = executor
        self._sleep = sleep
        self._cache = HomesCache()
        self._reader = DynamoStateReader(client, table, executor=executor, sleep=sleep, cache=self._cache)

    def load(self, groups: Mapping[StreamKey, str]) -> "_LoadedStates":
        wanted: dict[str, set[str]] = {}
        its_group: dict[str, str] = {}
        for key, group in groups.items():
            wanted.setdefault(key.source, set()).add(key.stream_id)
            its_group[key.source] = group
        sources: dict[str, _LoadedSource] = {}
        unavailable: dict[str, UnavailableError] = {}
        for source, read in self._reader.read(wanted).items():
            if isinstance(read, UnavailableError):
                unavailable[source] = read
            else:
                sources[source] = _LoadedSource(self, source, its_group[source], *read)
        return _LoadedStates(self, sources, unavailable)

    def write(self, changed: Sequence[tuple["_LoadedSource", Bucket]]) -> Mapping[str, _Failure]:
        """Replace buckets that nobody wrote since they were read; returns the sources that failed."""
        written = side_by_side(self._executor, lambda its: self._write_bucket(its[1]), changed, lanes=_LANES)
        failed = {bucket.source: error for (_, bucket), error in zip(changed, written, strict=True) if error}
        for name, source in {bucket.source: source for source, bucket in changed}.items():
            if name not in failed and source.has_grown and (error := self._index(name, source)):
                failed[name] = error
            if name in failed:
                source.failure = failed[name]
                # The cache may be wrong about the source: the next load reads it anew.
                self._cache.forget(name)
        return failed

    def _write_bucket(self, bucket: Bucket) -> _Failure | None:
        item, condition = item_of_bucket(bucket, compact=self.is_compact), if_unchanged(bucket)

        def put() -> None:
            with conditional_write(f"DynamoDB table {self._table}"):
                self._client.put_item(TableName=self._table, Item=item, **condition)

        try:
            retry_throttled(put, delays=_DELAYS, sleep=self._sleep)
        except ConditionFailedError:
            return StaleStateError(f"another classifier wrote bucket {bucket.number} of {bucket.source}")
        except UnavailableError as error:
            return error
        bucket.version += 1
        return None

    def _index(self, name: str, source: "_LoadedSource") -> UnavailableError | None:
        """Index buckets that gain no streams any more, and cache the homes of new streams."""
        homes = source.homes
        try:
            self._reader.index(name, homes, range(chunk_of(source.last_indexed), chunk_of(homes.last)))
        except UnavailableError as error:
            return error
        source.last_indexed = homes.last
        source.has_grown = False
        self._cache.keep(name, homes)
        return None


class _LoadedStates:
    def __init__(
        self, store: DynamoStates, sources: Mapping[str, "_LoadedSource"], unavailable: Mapping[str, UnavailableError]
    ) -> None:
        self.unavailable = unavailable
        self._store = store
        self._sources = sources

    def of(self, key: StreamKey) -> StreamMemory:
        if key.source in self.unavailable:
            raise self.unavailable[key.source]
        return self._sources[key.source].of(key)

    def save(self, changed: Mapping[StreamKey, StreamMemory]) -> Mapping[str, _Failure]:
        unsaved: dict[str, _Failure] = {}
        written: dict[tuple[str, int], tuple[_LoadedSource, Bucket]] = {}
        for key, memory in changed.items():
            failure = self.unavailable.get(key.source) or self._sources[key.source].failure
            if failure:
                unsaved[key.source] = failure
            else:
                source = self._sources[key.source]
                bucket = source.put(key.stream_id, memory)
                written[key.source, bucket.number] = source, bucket
        return {**unsaved, **self._store.write(list(written.values()))}


class _LoadedSource:
    """Buckets of one source: those of the streams that were loaded, and the last one if any of these is new.

    Attributes:
        failure: why a write failed; then nobody knows what is stored, and nothing more is written.
        homes: buckets of all its streams.
        last_indexed: the last bucket when the index was written.
        has_grown: True where streams were added since.
    """

    def __init__(self, store: DynamoStates, source: str, group: str, homes: Homes, buckets: Buckets) -> None:
        self.failure: _Failure | None = None
        self.homes = homes
        self.last_indexed = homes.last
        self.has_grown = False
        self._store = store
        self._source = source
        self._group = group
        self._buckets = buckets
        self._admitted: set[str] = set()
        for bucket in buckets.values():
            bucket.drop_packs_of_other_groups(group)

    def of(self, key: StreamKey) -> StreamMemory:
        home = self._home(key.stream_id)
        if home is None:
            self._admit(key)
            return StreamMemory()
        stored = home.streams[key.stream_id]
        try:
            state = decode_state(stored.state)
        except msgspec.DecodeError as error:
            raise DamagedStateError(f"the state of {key} in bucket {home.number} cannot be read: {error}") from error
        return StreamMemory(state, int.from_bytes(stored.last_pack, signed=True))

    def put(self, stream_id: str, memory: StreamMemory) -> Bucket:
        """Replace a state; returns the bucket to be written."""
        bucket = self._home(stream_id) or self._new_home(stream_id)
        state = encode_state(memory.state, compact=self._store.is_compact)
        bucket.streams[stream_id] = StoredStream(stream_id, number_in_bytes(memory.last_pack), state)
        return bucket

    def _home(self, stream_id: str) -> Bucket | None:
        bucket = self._buckets.get(self.homes.by_stream.get(stream_id, -1))
        return None if bucket is None or bucket.is_damaged else bucket

    def _admit(self, key: StreamKey) -> None:
        """Count a new stream; refuse one that a damaged bucket may hold, for it is not new for certain."""
        for bucket in self._buckets.values():
            if bucket.is_damaged:
                raise DamagedStateError(f"bucket {bucket.number} of {key.source} cannot be read")
        if (
            key.stream_id not in self._admitted
            and self._stored() + len(self._admitted) >= self._store.streams_per_source
        ):
            raise TooManyStreamsError(self._store.streams_per_source)
        self._admitted.add(key.stream_id)

    def _stored(self) -> int:
        """Streams of the source: all its buckets but the last are full."""
        last = self.homes.last
        return last * STREAMS_A_BUCKET + (len(self._buckets[last].streams) if self._buckets else 0)

    def _new_home(self, stream_id: str) -> Bucket:
        last = self.homes.last
        if last in self._buckets and self._buckets[last].is_full:
            last += 1
        if last not in self._buckets:
            self._buckets[last] = Bucket(self._source, last, group=self._group)
        self.homes.by_stream[stream_id] = self.homes.last = last
        self._admitted.discard(stream_id)
        self.has_grown = True
        return self._buckets[last]
