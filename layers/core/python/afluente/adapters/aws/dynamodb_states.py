"""States of streams in DynamoDB: items of eight streams of one source; docs/adr/0002-state-layout.md explains why.

A stream stays in the item (its bucket) that had room at its first point. So a reader may cache for ever which bucket a
stream is in, streams that begin together are stored together, and only the last bucket of a source gains streams.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from threading import Lock
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec
from cachetools import LRUCache

from afluente.adapters.aws.calls import in_chunks, unavailable
from afluente.adapters.aws.dynamodb import (
    MAX_BATCH_GET,
    Attributes,
    BatchGetAnswer,
    ConditionFailedError,
    batch_get_once,
    conditional_write,
)
from afluente.adapters.codecs.states import decode_state, encode_state
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

STREAMS_A_BUCKET = 8

_CACHED_SOURCES = 10_000
# SQS sequence numbers have up to 128 bits.
_PACK_BYTES = 17
_NO_PACK = StreamMemory().last_pack.to_bytes(_PACK_BYTES, signed=True)


class _Condition(TypedDict, total=False):
    ConditionExpression: str
    ExpressionAttributeNames: dict[str, str]
    ExpressionAttributeValues: dict[str, Any]


class _StoredStream(msgspec.Struct, array_like=True, frozen=True):
    stream_id: str
    # MessagePack has no integers of this size.
    last_pack: bytes
    state: bytes


class _Bucket(msgspec.Struct):
    """An item as it was read, and as it will be written.

    Streams stay encoded: most of those in a bucket are neither requested nor changed.
    """

    source: str
    number: int
    version: int = 0
    group: str = ""
    streams: dict[str, _StoredStream] = {}
    is_damaged: bool = False


_decoder = msgspec.msgpack.Decoder(list[_StoredStream])

_Buckets = dict[str, dict[int, _Bucket]]
"""Buckets by source and number."""


class DynamoStates:
    """Store of stream states: one conditional write for each changed bucket.

    Args:
        client: of DynamoDB.
        table: its name; partition key `source` (`domain/source_id`), sort key `bucket` (a number from 0).
        executor: runs calls for several sources and buckets side by side.
        sleep: waits between attempts.
        streams_per_source: streams that a source may have.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        executor: Executor,
        sleep: Callable[[float], None] = time.sleep,
        streams_per_source: int = STREAMS_PER_SOURCE,
    ) -> None:
        self.streams_per_source = streams_per_source
        self._client = client
        self._table = table
        self._executor = executor
        self._sleep = sleep
        # The bucket of each known stream of a source, which several threads read and write.
        self._lock = Lock()
        self._homes: LRUCache[str, dict[str, int]] = LRUCache(_CACHED_SOURCES)

    def load(self, groups: Mapping[StreamKey, str]) -> "_LoadedStates":
        wanted: dict[str, set[str]] = {}
        for key in groups:
            wanted.setdefault(key.source, set()).add(key.stream_id)
        buckets, failed = self._read_known(wanted)
        unknown = {
            source: first
            for source, ids in wanted.items()
            if source not in failed and (first := self._first_to_read(source, ids, buckets)) >= 0
        }
        reads = {source: self._executor.submit(self._read_from, source, first) for source, first in unknown.items()}
        for source, read in reads.items():
            try:
                buckets.setdefault(source, {}).update(read.result())
            except UnavailableError as error:
                failed[source] = error
        its_group = {key.source: group for key, group in groups.items()}
        loaded = {source: _LoadedSource(self, source, its_group[source], buckets.get(source, {})) for source in wanted}
        for numbered in buckets.values():
            self._cache(numbered.values())
        return _LoadedStates(self, {source: its for source, its in loaded.items() if source not in failed}, failed)

    def write(self, buckets: Iterable[_Bucket]) -> Mapping[str, StaleStateError | UnavailableError]:
        """Replace buckets that nobody wrote since they were read; returns the sources that failed."""
        unsaved: dict[str, StaleStateError | UnavailableError] = {}
        writes = [(bucket, self._executor.submit(self._write_bucket, bucket)) for bucket in buckets]
        for bucket, write in writes:
            try:
                write.result()
            except (StaleStateError, UnavailableError) as error:
                unsaved[bucket.source] = error
        for bucket, _ in writes:
            if bucket.source in unsaved:
                # The cache may be wrong about the source: the next load reads all of it.
                self._forget(bucket.source)
            else:
                self._cache([bucket])
        return unsaved

    def _read_known(self, wanted: Mapping[str, Iterable[str]]) -> tuple[_Buckets, dict[str, UnavailableError]]:
        places: set[tuple[str, int]] = set()
        for source, ids in wanted.items():
            homes = self._homes_of(source)
            places |= {(source, home) for stream_id in ids if (home := homes.get(stream_id)) is not None}
        keys = [{"source": {"S": source}, "bucket": {"N": str(number)}} for source, number in sorted(places)]
        buckets: _Buckets = {}
        failed: dict[str, UnavailableError] = {}
        for answer in self._executor.map(self._read_batch, in_chunks(keys, MAX_BATCH_GET)):
            for item in answer.items:
                bucket = _bucket_or_damage(item)
                buckets.setdefault(bucket.source, {})[bucket.number] = bucket
            if answer.error:
                failed |= {key["source"]["S"]: answer.error for key in answer.unread}
        return buckets, failed

    def _read_batch(self, keys: Sequence[dict[str, Any]]) -> BatchGetAnswer:
        return batch_get_once(self._client, self._table, keys, consistent=True, sleep=self._sleep)

    def _first_to_read(self, source: str, wanted: set[str], buckets: _Buckets) -> int:
        """The bucket from which on a source has to be read for streams that were not found; -1 if all were."""
        missing = wanted.difference(*(bucket.streams for bucket in buckets.get(source, {}).values()))
        if not missing:
            return -1
        homes = self._homes_of(source)
        if missing.isdisjoint(homes):
            return max(homes.values(), default=0)
        # A stream is in no bucket of the cache: the table was emptied or restored.
        self._forget(source)
        buckets.pop(source, None)
        return 0

    def _read_from(self, source: str, first: int) -> dict[int, _Bucket]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#source = :source AND #bucket >= :first",
            ExpressionAttributeNames={"#source": "source", "#bucket": "bucket"},
            ExpressionAttributeValues={":source": {"S": source}, ":first": {"N": str(first)}},
        )
        with unavailable(f"DynamoDB table {self._table}"):
            buckets = [_bucket_or_damage(item) for page in pages for item in page["Items"]]
        return {bucket.number: bucket for bucket in buckets}

    def _write_bucket(self, bucket: _Bucket) -> None:
        try:
            with conditional_write(f"DynamoDB table {self._table}"):
                self._client.put_item(TableName=self._table, Item=_encode(bucket), **_if_unchanged(bucket))
        except ConditionFailedError as error:
            message = f"another classifier wrote bucket {bucket.number} of {bucket.source}"
            raise StaleStateError(message) from error
        bucket.version += 1

    def _homes_of(self, source: str) -> Mapping[str, int]:
        """The bucket of each known stream of a source."""
        with self._lock:
            return dict(self._homes.get(source, {}))

    def _forget(self, source: str) -> None:
        with self._lock:
            self._homes.pop(source, None)

    def _cache(self, buckets: Iterable[_Bucket]) -> None:
        with self._lock:
            for bucket in buckets:
                self._homes.setdefault(bucket.source, {}).update(dict.fromkeys(bucket.streams, bucket.number))


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

    def save(self, changed: Mapping[StreamKey, StreamMemory]) -> Mapping[str, StaleStateError | UnavailableError]:
        unsaved: dict[str, StaleStateError | UnavailableError] = {}
        written: dict[tuple[str, int], _Bucket] = {}
        for key, memory in changed.items():
            if failure := self._failure(key.source):
                unsaved[key.source] = failure
            else:
                bucket = self._sources[key.source].put(key.stream_id, memory)
                written[key.source, bucket.number] = bucket
        failed = self._store.write(written.values())
        for source, error in failed.items():
            self._sources[source].failure = error
        return {**unsaved, **failed}

    def _failure(self, source: str) -> StaleStateError | UnavailableError | None:
        return self.unavailable.get(source) or self._sources[source].failure


class _LoadedSource:
    """Buckets of one source; after a failed write they are of no use, for nobody knows what is stored."""

    def __init__(self, store: DynamoStates, source: str, group: str, buckets: dict[int, _Bucket]) -> None:
        self.failure: StaleStateError | UnavailableError | None = None
        self._limit = store.streams_per_source
        self._source = source
        self._group = group
        self._buckets = buckets
        self._homes = {stream_id: bucket for bucket in buckets.values() for stream_id in bucket.streams}
        self._admitted: set[str] = set()
        for bucket in buckets.values():
            _drop_packs_of_other_groups(bucket, group)

    def of(self, key: StreamKey) -> StreamMemory:
        home = self._homes.get(key.stream_id)
        if home is None:
            self._admit(key)
            return StreamMemory()
        stored = home.streams[key.stream_id]
        try:
            state = decode_state(stored.state)
        except msgspec.DecodeError as error:
            raise DamagedStateError(f"the state of {key} in bucket {home.number} cannot be read: {error}") from error
        return StreamMemory(state, int.from_bytes(stored.last_pack, signed=True))

    def put(self, stream_id: str, memory: StreamMemory) -> _Bucket:
        """Replace a state; returns the bucket to be written."""
        bucket = self._homes.get(stream_id) or self._new_home()
        last_pack = memory.last_pack.to_bytes(_PACK_BYTES, signed=True)
        bucket.streams[stream_id] = _StoredStream(stream_id, last_pack, encode_state(memory.state))
        self._homes[stream_id] = bucket
        self._admitted.discard(stream_id)
        return bucket

    def _admit(self, key: StreamKey) -> None:
        """Count a new stream; refuse one that a damaged bucket may hold, for it is not new for certain."""
        for bucket in self._buckets.values():
            if bucket.is_damaged:
                raise DamagedStateError(f"bucket {bucket.number} of {key.source} cannot be read")
        if key.stream_id not in self._admitted and self._stored() + len(self._admitted) >= self._limit:
            raise TooManyStreamsError(self._limit)
        self._admitted.add(key.stream_id)

    def _stored(self) -> int:
        """Streams that the source has: all buckets but the last are full."""
        last = max(self._buckets, default=-1)
        return last * STREAMS_A_BUCKET + len(self._buckets[last].streams) if last >= 0 else 0

    def _new_home(self) -> _Bucket:
        last = max(self._buckets, default=-1)
        if last < 0 or len(self._buckets[last].streams) >= STREAMS_A_BUCKET:
            last += 1
            self._buckets[last] = _Bucket(self._source, last, group=self._group)
        return self._buckets[last]


def _drop_packs_of_other_groups(bucket: _Bucket, group: str) -> None:
    """Drop pack numbers that cannot be compared with those of the packs at hand."""
    if bucket.group != group:
        bucket.group = group
        for stream_id, stored in bucket.streams.items():
            bucket.streams[stream_id] = msgspec.structs.replace(stored, last_pack=_NO_PACK)


def _if_unchanged(bucket: _Bucket) -> _Condition:
    names = {"#version": "version"}
    if bucket.version == 0:
        return {"ConditionExpression": "attribute_not_exists(#version)", "ExpressionAttributeNames": names}
    return {
        "ConditionExpression": "#version = :read",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":read": {"N": str(bucket.version)}},
    }


def _encode(bucket: _Bucket) -> dict[str, Any]:
    return {
        "source": {"S": bucket.source},
        "bucket": {"N": str(bucket.number)},
        "version": {"N": str(bucket.version + 1)},
        "group": {"S": bucket.group},
        "streams": {"B": msgspec.msgpack.encode(list(bucket.streams.values()))},
    }


def bucket_of_item(item: Attributes) -> _Bucket:
    """Decode an item.

    Raises:
        DamagedStateError: its streams cannot be read.
    """
    try:
        streams = _decoder.decode(item["streams"]["B"])
        return _Bucket(
            source=item["source"]["S"],
            number=int(item["bucket"]["N"]),
            version=int(item["version"]["N"]),
            group=item["group"]["S"],
            streams={stored.stream_id: stored for stored in streams},
        )
    except (KeyError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise DamagedStateError(f"the streams of an item cannot be read: {error}") from error


def _bucket_or_damage(item: Attributes) -> _Bucket:
    """Decode an item; a damaged bucket holds no stream, and is never written."""
    try:
        return bucket_of_item(item)
    except DamagedStateError:
        return _Bucket(source=item["source"]["S"], number=int(item["bucket"]["N"]), is_damaged=True)
