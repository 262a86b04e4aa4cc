"""States of streams in DynamoDB: items of eight streams of one source; docs/adr/0002-state-layout.md says why.

A stream lives in the item (its bucket) that had room when it first came, and stays there. So a reader that knows where
a stream lives may remember it for ever, streams that come together live together, and only the last bucket of a source
ever gains streams.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec
from cachetools import LRUCache

from afluente.adapters.aws import unavailable
from afluente.adapters.dynamodb import Attributes, batch_get
from afluente.adapters.state_codec import decode_state, encode_state
from afluente.application.ports import StaleStateError, StreamMemory, UnavailableError
from afluente.domain.keys import StreamKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

STREAMS_A_BUCKET = 8

_CACHED_SOURCES = 10_000
# SQS sequence numbers have up to 128 bits.
_PACK_BYTES = 17
_NO_PACK = StreamMemory().last_pack.to_bytes(_PACK_BYTES, signed=True)


class _StoredStream(msgspec.Struct, array_like=True, frozen=True):
    stream_id: str
    # MessagePack has no integers of this size.
    last_pack: bytes
    state: bytes


class _Condition(TypedDict, total=False):
    ConditionExpression: str
    ExpressionAttributeNames: dict[str, str]
    ExpressionAttributeValues: dict[str, Any]


class _Bucket(msgspec.Struct):
    """An item as it was read, with what is to be written in its place.

    Streams are kept encoded: most of those in a bucket are neither asked for nor changed.
    """

    number: int
    version: int = 0
    streams: dict[str, _StoredStream] = {}
    changed: bool = False


class DynamoStates:
    """Keeps states of streams, one conditional write a bucket that changed.

    Args:
        client: of DynamoDB.
        table: its name; partition key `source` (`domain/source_id`), sort key `bucket` (a number from 0).
        executor: runs the writes of several buckets side by side.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        executor: Executor,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._executor = executor
        self._sleep = sleep
        # Which bucket each known stream of a source lives in.
        self._homes: LRUCache[str, dict[str, int]] = LRUCache(_CACHED_SOURCES)

    def load(self, group: str, keys: Iterable[StreamKey]) -> "_LoadedBuckets":
        """See `StateStore.load`."""
        wanted: dict[str, list[str]] = {}
        for key in keys:
            wanted.setdefault(key.source, []).append(key.stream_id)
        buckets = self._read_known(group, wanted)
        for source, streams in wanted.items():
            if not self._holds(buckets.get(source, {}), streams):
                buckets[source] = buckets.get(source, {}) | self._read_from(group, source, self._last_known(source))
            if not self._holds(buckets[source], self._known_streams(source, streams)):
                # What was remembered is not so: the table was emptied or restored.
                self._homes.pop(source, None)
                buckets[source] = self._read_from(group, source, 0)
            self._remember(source, buckets[source])
        return _LoadedBuckets(self, group, buckets)

    def write(self, group: str, buckets: Sequence[tuple[str, _Bucket]]) -> None:
        """Replace the buckets, each only if nobody wrote it since it was read."""
        futures = [self._executor.submit(self._write_bucket, group, *bucket) for bucket in buckets[1:]]
        try:
            self._write_bucket(group, *buckets[0])
        finally:
            errors = [error for future in futures if (error := future.exception())]
        if errors:
            raise errors[0]
        for source, bucket in buckets:
            self._remember(source, {bucket.number: bucket})

    def _read_known(self, group: str, wanted: Mapping[str, Iterable[str]]) -> dict[str, dict[int, _Bucket]]:
        places = {
            (source, home)
            for source, streams in wanted.items()
            for stream in streams
            if (home := self._homes.get(source, {}).get(stream)) is not None
        }
        keys = [{"source": {"S": source}, "bucket": {"N": str(number)}} for source, number in sorted(places)]
        buckets: dict[str, dict[int, _Bucket]] = {}
        for item in batch_get(self._client, self._table, keys, consistent=True, sleep=self._sleep):
            bucket = _decode(item, group)
            buckets.setdefault(item["source"]["S"], {})[bucket.number] = bucket
        return buckets

    def _read_from(self, group: str, source: str, first: int) -> dict[int, _Bucket]:
        buckets = {}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#source = :source AND #bucket >= :first",
            ExpressionAttributeNames={"#source": "source", "#bucket": "bucket"},
            ExpressionAttributeValues={":source": {"S": source}, ":first": {"N": str(first)}},
        )
        with unavailable(f"DynamoDB table {self._table}"):
            for page in pages:
                for item in page["Items"]:
                    bucket = _decode(item, group)
                    buckets[bucket.number] = bucket
        return buckets

    def _write_bucket(self, group: str, source: str, bucket: _Bucket) -> None:
        try:
            with unavailable(f"DynamoDB table {self._table}"):
                self._put_if_unchanged(group, source, bucket)
        except UnavailableError as error:
            if isinstance(error.__cause__, self._client.exceptions.ConditionalCheckFailedException):
                raise StaleStateError(
                    f"bucket {bucket.number} of {source} was written by another classifier"
                ) from error
            raise

    def _put_if_unchanged(self, group: str, source: str, bucket: _Bucket) -> None:
        condition: dict[str, Any] = (
            {
                "ConditionExpression": "version = :read",
                "ExpressionAttributeValues": {":read": {"N": str(bucket.version)}},
            }
            if bucket.version
            else {"ConditionExpression": "attribute_not_exists(version)"}
        )
        self._client.put_item(TableName=self._table, Item=_encode(group, source, bucket), **condition)

    def _holds(self, buckets: Mapping[int, _Bucket], streams: Iterable[str]) -> bool:
        held = {stream for bucket in buckets.values() for stream in bucket.streams}
        return held.issuperset(streams)

    def _known_streams(self, source: str, streams: Iterable[str]) -> list[str]:
        homes = self._homes.get(source, {})
        return [stream for stream in streams if stream in homes]

    def _last_known(self, source: str) -> int:
        return max(self._homes.get(source, {}).values(), default=0)

    def _remember(self, source: str, buckets: Mapping[int, _Bucket]) -> None:
        homes = self._homes.setdefault(source, {})
        for bucket in buckets.values():
            homes.update(dict.fromkeys(bucket.streams, bucket.number))


class _LoadedBuckets:
    """The buckets of some sources, by source and number."""

    def __init__(self, store: DynamoStates, group: str, buckets: dict[str, dict[int, _Bucket]]) -> None:
        self._store = store
        self._group = group
        self._buckets = buckets
        self._homes = {
            (source, stream_id): bucket
            for source, numbered in buckets.items()
            for bucket in numbered.values()
            for stream_id in bucket.streams
        }

    def of(self, key: StreamKey) -> StreamMemory:
        """See `LoadedStates.of`."""
        home = self._homes.get((key.source, key.stream_id))
        if home is None:
            return StreamMemory()
        stored = home.streams[key.stream_id]
        return StreamMemory(decode_state(stored.state), int.from_bytes(stored.last_pack, signed=True))

    def save(self, changed: Mapping[StreamKey, StreamMemory]) -> None:
        """See `LoadedStates.save`."""
        for key, memory in changed.items():
            bucket = self._homes.get((key.source, key.stream_id)) or self._new_home(key.source)
            bucket.streams[key.stream_id] = _StoredStream(
                key.stream_id, memory.last_pack.to_bytes(_PACK_BYTES, signed=True), encode_state(memory.state)
            )
            bucket.changed = True
        self._store.write(
            self._group,
            [
                (source, bucket)
                for source, numbered in self._buckets.items()
                for bucket in numbered.values()
                if bucket.changed
            ],
        )

    def _new_home(self, source: str) -> _Bucket:
        numbered = self._buckets[source]
        last = max(numbered, default=-1)
        if last < 0 or len(numbered[last].streams) >= STREAMS_A_BUCKET:
            last += 1
            numbered[last] = _Bucket(last)
        return numbered[last]


def _if_unchanged(bucket: _Bucket) -> "_Condition":
    names = {"#version": "version"}
    if bucket.version == 0:
        return {"ConditionExpression": "attribute_not_exists(#version)", "ExpressionAttributeNames": names}
    return {
        "ConditionExpression": "#version = :read",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":read": {"N": str(bucket.version)}},
    }


def _encode(group: str, source: str, bucket: _Bucket) -> dict[str, Any]:
    return {
        "source": {"S": source},
        "bucket": {"N": str(bucket.number)},
        "version": {"N": str(bucket.version + 1)},
        "group": {"S": group},
        "streams": {"B": msgspec.msgpack.encode(list(bucket.streams.values()))},
    }


def _decode(item: Attributes, group: str) -> _Bucket:
    """Read an item; numbers of packs of another group are not comparable, and are forgotten."""
    streams = msgspec.msgpack.decode(item["streams"]["B"], type=list[_StoredStream])
    if item["group"]["S"] != group:
        streams = [msgspec.structs.replace(stored, last_pack=_NO_PACK) for stored in streams]
    by_id = {stored.stream_id: stored for stored in streams}
    return _Bucket(int(item["bucket"]["N"]), int(item["version"]["N"]), by_id)
