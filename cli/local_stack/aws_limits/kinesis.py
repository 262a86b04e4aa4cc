"""Kinesis: the throughput of a shard, and the sizes of requests and answers."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.local_stack.aws_limits import quotas
from cli.local_stack.aws_limits.answers import BAD_REQUEST, Answer, answer, refusal
from cli.local_stack.aws_limits.buckets import KeyedBuckets
from cli.local_stack.aws_limits.settings import Values

_THROTTLED = "ProvisionedThroughputExceededException"
_EMULATOR_REQUEST_BYTES = 5_242_880
_LONGEST_PARTITION_KEY = 256


@dataclass(slots=True)
class ShardWrites:
    """Bytes and records that a shard takes a second."""

    limits: Values
    _bytes: KeyedBuckets = field(init=False)
    _records: KeyedBuckets = field(init=False)

    def __post_init__(self) -> None:
        self._bytes = KeyedBuckets(self.limits.rate(quotas.SHARD_WRITE_BYTES))
        self._records = KeyedBuckets(self.limits.rate(quotas.SHARD_WRITE_RECORDS))

    def admit(self, shard: str, size: int, now: float) -> bool:
        """Take a record, if the shard has room for it now."""
        room, records = self._bytes.of(shard, now), self._records.of(shard, now)
        if not (room.holds(size, now) and records.holds(1, now)):
            return False
        room.charge(size)
        records.charge(1)
        return True


@dataclass(slots=True)
class ShardReads:
    """Calls that a shard answers a second, and bytes."""

    limits: Values
    _calls: KeyedBuckets = field(init=False)
    _bytes: KeyedBuckets = field(init=False)

    def __post_init__(self) -> None:
        self._calls = KeyedBuckets(self.limits.rate(quotas.GET_RECORDS))
        self._bytes = KeyedBuckets(self.limits.rate(quotas.SHARD_READ_BYTES))

    def admit(self, shard: str, now: float) -> bool:
        """Take a call, unless earlier ones have read what the shard gives until now."""
        return self._bytes.of(shard, now).holds(1, now) and self._calls.take(shard, 1, now)

    def charge(self, shard: str, size: int, now: float) -> None:
        """Account for the bytes of an answer."""
        self._bytes.of(shard, now).charge(size)


def blob_bytes(encoded: str) -> int:
    """Bytes of a blob, from its base64."""
    return len(encoded) * 3 // 4 - encoded[-2:].count("=")


def in_requests(sizes: Sequence[int], largest: int) -> list[slice]:
    """Cut a sequence into parts of at most `largest` bytes each; an element above that is a part of its own."""
    parts: list[slice] = []
    begin, total = 0, 0
    for index, size in enumerate(sizes):
        if index > begin and total + size > largest:
            parts.append(slice(begin, index))
            begin, total = index, 0
        total += size
    return [*parts, slice(begin, len(sizes))] if sizes else []


def install(limits: Values) -> None:
    """Let the emulator keep the quotas of Kinesis."""
    from ministack.services import kinesis  # noqa: PLC0415 - it reads its settings on import

    kinesis._create_stream = _create_stream(kinesis._create_stream, limits)  # noqa: SLF001
    writes = ShardWrites(limits)
    kinesis._put_record = _put_record(kinesis, kinesis._put_record, writes)  # noqa: SLF001
    kinesis._put_records = _put_records(kinesis, kinesis._put_records, writes, limits)  # noqa: SLF001
    kinesis._get_records = _get_records(kinesis, kinesis._get_records, limits)  # noqa: SLF001
    kinesis._get_shard_iterator = _get_shard_iterator(kinesis, kinesis._get_shard_iterator, limits)  # noqa: SLF001


Handler = Callable[[dict[str, Any]], Answer]


def _create_stream(create: Handler, limits: Values) -> Handler:
    def create_stream(data: dict[str, Any]) -> Answer:
        if data.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND":
            data = {**data, "ShardCount": limits.count(quotas.ON_DEMAND_SHARDS)}
        return create(data)

    return create_stream


def _put_record(kinesis: Any, put: Handler, writes: ShardWrites) -> Handler:
    def put_record(data: dict[str, Any]) -> Answer:
        _, stream = kinesis._resolve_stream(data)  # noqa: SLF001
        if stream is None or not _is_valid(data):
            return put(data)
        shard = _shard_of(kinesis, stream, data)
        if writes.admit(_name(stream, shard), _record_bytes(data), time.monotonic()):
            return put(data)
        return refusal(_THROTTLED, _rate_exceeded(stream, shard))

    return put_record


def _put_records(kinesis: Any, put: Handler, writes: ShardWrites, limits: Values) -> Handler:
    largest = limits.count(quotas.PUT_RECORDS_BYTES)

    def put_records(data: dict[str, Any]) -> Answer:
        _, stream = kinesis._resolve_stream(data)  # noqa: SLF001
        records = data.get("Records", [])
        if stream is None or not records or not all(map(_is_valid, records)):
            return put(data)
        sizes = [_record_bytes(record) for record in records]
        if sum(sizes) > largest:
            return refusal("InvalidArgumentException", f"Records size exceeds {largest // 1_048_576} MB limit")
        shards = [_shard_of(kinesis, stream, record) for record in records]
        now = time.monotonic()
        admitted = [writes.admit(_name(stream, shard), size, now) for shard, size in zip(shards, sizes, strict=True)]
        taken = [index for index, is_admitted in enumerate(admitted) if is_admitted]
        put_by_index: dict[int, Any] = {}
        for part in in_requests([sizes[index] for index in taken], _EMULATOR_REQUEST_BYTES):
            indexes = taken[part]
            status, headers, body = put({**data, "Records": [records[index] for index in indexes]})
            if status >= BAD_REQUEST:
                return status, headers, body
            put_by_index |= zip(indexes, json.loads(body)["Records"], strict=True)
        results = [
            put_by_index.get(index) or {"ErrorCode": _THROTTLED, "ErrorMessage": _rate_exceeded(stream, shard)}
            for index, shard in enumerate(shards)
        ]
        return answer(
            {
                "FailedRecordCount": len(records) - len(taken),
                "Records": results,
                "EncryptionType": stream.get("EncryptionType", "NONE"),
            }
        )

    return put_records


def _get_records(kinesis: Any, get: Handler, limits: Values) -> Handler:
    reads, largest = ShardReads(limits), limits.count(quotas.GET_RECORDS_BYTES)

    def get_records(data: dict[str, Any]) -> Answer:
        place = kinesis._shard_iterators.get(data.get("ShardIterator"))  # noqa: SLF001
        stream = kinesis._streams.get(place["stream"]) if place else None  # noqa: SLF001
        if not stream or place["shard_id"] not in stream["shards"]:
            return get(data)
        shard, now = _name(stream, place["shard_id"]), time.monotonic()
        if not reads.admit(shard, now):
            return refusal(_THROTTLED, _rate_exceeded(stream, place["shard_id"]))
        wanted = min(data.get("Limit", 10_000), 10_000)
        begin = place["position"]
        records = stream["shards"][place["shard_id"]]["records"][begin : begin + wanted]
        sizes = [_record_bytes(record) for record in records]
        first = in_requests(sizes, largest)[:1]
        count = first[0].stop if first else wanted
        reads.charge(shard, sum(sizes[:count]), now)
        return get({**data, "Limit": count})

    return get_records


def _get_shard_iterator(kinesis: Any, get: Handler, limits: Values) -> Handler:
    calls = KeyedBuckets(limits.rate(quotas.GET_SHARD_ITERATOR))

    def get_shard_iterator(data: dict[str, Any]) -> Answer:
        _, stream = kinesis._resolve_stream(data)  # noqa: SLF001
        shard = data.get("ShardId", "")
        if stream is None or calls.take(_name(stream, shard), 1, time.monotonic()):
            return get(data)
        return refusal(_THROTTLED, _rate_exceeded(stream, shard))

    return get_shard_iterator


def _is_valid(record: dict[str, Any]) -> bool:
    """False for a record that the emulator refuses, with the whole request, in words of its own."""
    key, data = record.get("PartitionKey", ""), record.get("Data", "")
    return 0 < len(key) <= _LONGEST_PARTITION_KEY and blob_bytes(data) <= quotas.RECORD_BYTES.value


def _shard_of(kinesis: Any, stream: dict[str, Any], record: dict[str, Any]) -> str:
    explicit = record.get("ExplicitHashKey")
    hash_key = int(explicit) if explicit else kinesis._partition_key_to_hash(record["PartitionKey"])  # noqa: SLF001
    return str(kinesis._route_to_shard(hash_key, stream))  # noqa: SLF001


def _record_bytes(record: dict[str, Any]) -> int:
    return blob_bytes(record.get("Data", "")) + len(record["PartitionKey"].encode())


def _name(stream: dict[str, Any], shard: str) -> str:
    return f"{stream['StreamARN']}/{shard}"


def _rate_exceeded(stream: dict[str, Any], shard: str) -> str:
    account = stream["StreamARN"].split(":")[4]
    return f"Rate exceeded for shard {shard} in stream {stream['StreamName']} under account {account}."
