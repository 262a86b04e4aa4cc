"""Reads of the table of states: buckets of known streams, the last ones of a source for others, and the index."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from afluente.adapters.aws.calls import in_chunks, retry_throttled, unavailable
from afluente.adapters.aws.dynamodb import MAX_BATCH_GET, RETRY_DELAYS, Attributes, BatchGetAnswer, batch_get_once
from afluente.adapters.aws.dynamodb_state_homes import Homes, HomesCache
from afluente.adapters.aws.dynamodb_state_items import (
    BUCKETS_A_CHUNK,
    Bucket,
    bucket_or_damage,
    chunk_number,
    chunk_of,
    homes_of_chunks,
    item_key,
    item_of_chunk,
)
from afluente.adapters.aws.side_by_side import side_by_side
from afluente.application.errors import UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LANES = 16

_Answer = TypeVar("_Answer")

Buckets = dict[int, Bucket]
"""Buckets of one source by number."""


class DynamoStateReader:
    """Reads the buckets that hold some streams, and the last one of each source that has others.

    Args:
        client: of DynamoDB.
        table: its name.
        executor: runs calls side by side.
        sleep: waits between attempts.
        cache: the buckets of known streams.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        executor: Executor,
        sleep: Callable[[float], None],
        cache: HomesCache,
    ) -> None:
        self._client = client
        self._table = table
        self._executor = executor
        self._sleep = sleep
        self._cache = cache

    def read(self, wanted: Mapping[str, set[str]]) -> Mapping[str, "tuple[Homes, Buckets] | UnavailableError"]:
        """Read buckets by source, each with the homes of its streams; an error for a source that cannot be read.

        Args:
            wanted: ids of streams by source.
        """
        read: dict[str, _Discovered | UnavailableError] = {
            source: (self._cache.get(source) or Homes(), {}) for source in wanted
        }
        unknown = {
            source: homes for source, (homes, _) in _readable(read) if not wanted[source] <= homes.by_stream.keys()
        }
        read.update(self._side_by_side(lambda source: self._discover(source, unknown[source]), unknown))
        self._add_known(wanted, read)
        lost = [source for source, (homes, buckets) in _readable(read) if _is_lost(wanted[source], homes, buckets)]
        read.update(self._side_by_side(self._reread, lost))
        return read

    def index(self, source: str, homes: Homes, chunks: Iterable[int]) -> None:
        """Write items of the index.

        Their buckets gain no streams any more, so each is written once, and always the same.

        Args:
            source: the source.
            homes: all streams of its buckets.
            chunks: numbers of the items; the buckets of each are stored, and before the last one of the source.

        Raises:
            UnavailableError: an item is not written; a container that meets it missing writes it.
        """
        for chunk in chunks:
            first = chunk * BUCKETS_A_CHUNK
            item = item_of_chunk(source, chunk, homes.between(first, first + BUCKETS_A_CHUNK))
            self._retried(partial(self._put, item))

    def _put(self, item: Any) -> None:
        with unavailable(f"DynamoDB table {self._table}"):
            self._client.put_item(TableName=self._table, Item=item)

    def _add_known(self, wanted: Mapping[str, set[str]], read: dict[str, "_Discovered | UnavailableError"]) -> None:
        """Read the buckets of known streams that were not read yet."""
        sources = dict(_readable(read))
        places = {
            (source, homes.by_stream[stream_id])
            for source, (homes, buckets) in sources.items()
            for stream_id in wanted[source]
            if homes.by_stream.get(stream_id, -1) not in {-1, *buckets}
        }
        batches = list(in_chunks([item_key(*place) for place in sorted(places)], MAX_BATCH_GET))
        for answer in side_by_side(self._executor, self._read_batch, batches, lanes=_LANES):
            for bucket in map(bucket_or_damage, answer.items):
                sources[bucket.source][1][bucket.number] = bucket
                if bucket.is_damaged:
                    self._cache.forget(bucket.source)
            if answer.error:
                read.update({key["source"]["S"]: answer.error for key in answer.unread})

    def _side_by_side(
        self, work: Callable[[str], "_Discovered | UnavailableError"], sources: Iterable[str]
    ) -> Iterable[tuple[str, "_Discovered | UnavailableError"]]:
        its = list(sources)
        return zip(its, side_by_side(self._executor, work, its, lanes=_LANES), strict=True)

    def _read_batch(self, keys: Any) -> BatchGetAnswer:
        return batch_get_once(self._client, self._table, keys, consistent=True, sleep=self._sleep)

    def _discover(self, source: str, homes: Homes) -> "_Discovered | UnavailableError":
        """Read a source from its last known bucket on; of a large one the last buckets, and the index."""
        try:
            buckets, is_all = self._last_buckets(source, homes.last)
            if not buckets and homes.by_stream:
                # The table was emptied.
                return self._reread(source)
            lowest = min(buckets, default=0)
            if is_all or lowest == homes.last:
                return self._keep(source, homes, buckets)
            return self._discover_before(lowest, source, homes, buckets)
        except UnavailableError as error:
            return error

    def _discover_before(self, lowest: int, source: str, homes: Homes, buckets: Buckets) -> "_Discovered":
        """Add what the index knows of the buckets before some that were read; read and index what it does not cover."""
        first = homes.last
        covering = range(chunk_of(first), chunk_of(lowest - 1) + 1)
        items = self._query(source, "<= :first", {":first": chunk_number(covering.start)})
        indexed = {chunk: its for chunk, its in homes_of_chunks(items).items() if chunk in covering}
        missing = [chunk for chunk in covering if chunk not in indexed]
        if missing:
            start = max(first, missing[0] * BUCKETS_A_CHUNK)
            end = min(lowest, (missing[-1] + 1) * BUCKETS_A_CHUNK)
            buckets |= self._buckets(source, "BETWEEN :start AND :end", {":start": start, ":end": end - 1})
        for chunk in sorted(indexed):
            homes.add_indexed(indexed[chunk])
        discovered = self._keep(source, homes, buckets)
        self._index_missing(source, homes, missing, buckets)
        return discovered

    def _reread(self, source: str) -> "_Discovered | UnavailableError":
        """Read all buckets of a source of which something was cached or indexed that is not so."""
        self._cache.forget(source)
        try:
            buckets = self._buckets(source, ">= :first", {":first": 0})
            homes = Homes()
            discovered = self._keep(source, homes, buckets)
            self._index_missing(source, homes, range(chunk_of(homes.last)), buckets)
        except UnavailableError as error:
            return error
        return discovered

    def _keep(self, source: str, homes: Homes, buckets: Buckets) -> "_Discovered":
        homes.add(buckets.values())
        if any(bucket.is_damaged for bucket in buckets.values()):
            # Nobody knows the streams of a damaged bucket: each load meets it again.
            self._cache.forget(source)
        else:
            self._cache.keep(source, homes)
        return homes, buckets

    def _index_missing(self, source: str, homes: Homes, missing: Iterable[int], buckets: Buckets) -> None:
        damaged = {chunk_of(bucket.number) for bucket in buckets.values() if bucket.is_damaged}
        last = chunk_of(homes.last)
        self.index(source, homes, [chunk for chunk in missing if chunk < last and chunk not in damaged])

    def _last_buckets(self, source: str, first: int) -> tuple[Buckets, bool]:
        """The last buckets of a source from a certain one on, and whether they are all."""
        request = self._request(source, ">= :first", {":first": first})

        def query() -> Any:
            with unavailable(f"DynamoDB table {self._table}"):
                return self._client.query(**request, ScanIndexForward=False, Limit=BUCKETS_A_CHUNK)

        answer = self._retried(query)
        buckets = [bucket_or_damage(item) for item in answer["Items"]]
        return {bucket.number: bucket for bucket in buckets}, "LastEvaluatedKey" not in answer

    def _buckets(self, source: str, condition: str, values: Mapping[str, int]) -> Buckets:
        return {bucket.number: bucket for bucket in map(bucket_or_damage, self._query(source, condition, values))}

    def _query(self, source: str, condition: str, values: Mapping[str, int]) -> list[Attributes]:
        pages = self._client.get_paginator("query").paginate(**self._request(source, condition, values))

        def query() -> list[Attributes]:
            with unavailable(f"DynamoDB table {self._table}"):
                return [item for page in pages for item in page["Items"]]

        return self._retried(query)

    def _retried(self, call: Callable[[], _Answer]) -> _Answer:
        return retry_throttled(call, delays=RETRY_DELAYS, sleep=self._sleep)

    def _request(self, source: str, condition: str, values: Mapping[str, int]) -> Any:
        return {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": f"#source = :source AND #bucket {condition}",
            "ExpressionAttributeNames": {"#source": "source", "#bucket": "bucket"},
            "ExpressionAttributeValues": {
                ":source": {"S": source},
                **{name: {"N": str(value)} for name, value in values.items()},
            },
        }


_Discovered = tuple[Homes, Buckets]


def _readable(read: Mapping[str, "_Discovered | UnavailableError"]) -> Iterator[tuple[str, "_Discovered"]]:
    return ((source, found) for source, found in read.items() if not isinstance(found, UnavailableError))


def _is_lost(wanted: Iterable[str], homes: Homes, buckets: Buckets) -> bool:
    """True where a stream is not in its bucket: the table was emptied or restored."""
    places = ((stream_id, homes.by_stream.get(stream_id)) for stream_id in wanted)
    return any(
        home is not None
        and (home not in buckets or not (buckets[home].is_damaged or stream_id in buckets[home].streams))
        for stream_id, home in places
    )
