"""Items of the table of states: buckets of streams, and the index of full ones."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

import msgspec

from afluente.adapters.aws.dynamodb import Attributes
from afluente.adapters.codecs.stored_streams import StoredStream, decode_streams, encode_streams
from afluente.application.classification.ports import DamagedStateError, StreamMemory

STREAMS_A_BUCKET = 8

BUCKETS_A_CHUNK = 32
"""Buckets that one item of the index covers."""

# SQS sequence numbers have up to 128 bits.
_PACK_BYTES = 17
# The longest ids of 256 streams take a quarter of it.
_MAX_CHUNK_SIZE = 1 << 19


class Condition(TypedDict, total=False):
    """The condition of a write, as the API has it."""

    ConditionExpression: str
    ExpressionAttributeNames: dict[str, str]
    ExpressionAttributeValues: dict[str, Any]


class Bucket(msgspec.Struct):
    """An item as it was read, and as it will be written."""

    source: str
    number: int
    version: int = 0
    group: str = ""
    streams: dict[str, StoredStream] = {}
    is_damaged: bool = False

    @property
    def is_full(self) -> bool:
        """True where no stream will be added."""
        return len(self.streams) >= STREAMS_A_BUCKET

    def drop_packs_of_other_groups(self, group: str) -> None:
        """Drop pack numbers that cannot be compared with those of the packs at hand."""
        if self.group != group:
            self.group = group
            no_pack = number_in_bytes(StreamMemory().last_pack)
            for stream_id, stored in self.streams.items():
                self.streams[stream_id] = msgspec.structs.replace(stored, last_pack=no_pack)


def number_in_bytes(last_pack: int) -> bytes:
    """A sequence number in the form of `StoredStream`."""
    return last_pack.to_bytes(_PACK_BYTES, signed=True)


# --- buckets ---------------------------------------------------------------------------------------------------------


def item_key(source: str, number: int) -> dict[str, Any]:
    """The key of an item."""
    return {"source": {"S": source}, "bucket": {"N": str(number)}}


def item_of_bucket(bucket: Bucket, *, compact: bool) -> dict[str, Any]:
    """The item by which a bucket is replaced."""
    return {
        **item_key(bucket.source, bucket.number),
        "version": {"N": str(bucket.version + 1)},
        "group": {"S": bucket.group},
        "streams": {"B": encode_streams(bucket.streams.values(), compact=compact)},
    }


def if_unchanged(bucket: Bucket) -> Condition:
    """The condition that nobody wrote a bucket since it was read."""
    names = {"#version": "version"}
    if bucket.version == 0:
        return {"ConditionExpression": "attribute_not_exists(#version)", "ExpressionAttributeNames": names}
    return {
        "ConditionExpression": "#version = :read",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":read": {"N": str(bucket.version)}},
    }


def bucket_of_item(item: Attributes) -> Bucket:
    """Decode an item.

    Raises:
        DamagedStateError: its streams cannot be read.
    """
    try:
        return Bucket(
            source=item["source"]["S"],
            number=int(item["bucket"]["N"]),
            version=int(item["version"]["N"]),
            group=item["group"]["S"],
            streams={stored.stream_id: stored for stored in decode_streams(item["streams"]["B"])},
        )
    except (KeyError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise DamagedStateError(f"the streams of an item cannot be read: {error}") from error


def bucket_or_damage(item: Attributes) -> Bucket:
    """Decode an item; a damaged bucket holds no stream, and is never written."""
    try:
        return bucket_of_item(item)
    except DamagedStateError:
        return Bucket(source=item["source"]["S"], number=int(item["bucket"]["N"]), is_damaged=True)


# --- index -----------------------------------------------------------------------------------------------------------


def chunk_of(number: int) -> int:
    """The number of the item of the index that covers a bucket."""
    return number // BUCKETS_A_CHUNK


def chunk_number(chunk: int) -> int:
    """The `bucket` of an item of the index; earlier releases read none below 0."""
    return -1 - chunk


def item_of_chunk(source: str, chunk: int, homes: Mapping[str, int]) -> dict[str, Any]:
    """The item of the index that covers the buckets from 32 times its number on.

    Args:
        source: the source.
        chunk: number of the item, from 0.
        homes: the bucket of each stream in those buckets.
    """
    first = chunk * BUCKETS_A_CHUNK
    ids: list[list[str]] = [[] for _ in range(BUCKETS_A_CHUNK)]
    for stream_id, home in homes.items():
        ids[home - first].append(stream_id)
    deflated = zlib.compress(msgspec.msgpack.encode(ids), 6)
    return {**item_key(source, chunk_number(chunk)), "ids": {"B": deflated}}


def homes_of_chunks(items: Iterable[Attributes]) -> dict[int, dict[str, int]]:
    """The buckets of the streams of each readable item of the index, by its number.

    An item that cannot be read is as none: the buckets hold the same, and it is written anew from them.
    """
    decoded = {-1 - int(item["bucket"]["N"]): _ids(item) for item in items}
    return {
        chunk: {stream_id: chunk * BUCKETS_A_CHUNK + place for place, bucket in enumerate(ids) for stream_id in bucket}
        for chunk, ids in decoded.items()
        if ids is not None
    }


def _ids(item: Attributes) -> Sequence[Sequence[str]] | None:
    try:
        inflated = zlib.decompressobj().decompress(item["ids"]["B"], _MAX_CHUNK_SIZE)
        ids = _decoder.decode(inflated)
    except (KeyError, zlib.error, msgspec.DecodeError):
        return None
    return ids if len(ids) == BUCKETS_A_CHUNK else None


_decoder = msgspec.msgpack.Decoder(list[list[str]])
