"""DynamoDB: the throughput of a partition key."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from cli.local_stack.aws_limits import quotas
from cli.local_stack.aws_limits.answers import BAD_REQUEST, Answer, refusal
from cli.local_stack.aws_limits.buckets import KeyedBuckets
from cli.local_stack.aws_limits.settings import Values

Handler = Callable[[dict[str, Any]], Answer]
Key = tuple[str, str]
"""A table and a value of its partition key."""

_WRITES = ("put_item", "update_item", "delete_item")
_READS = ("get_item", "query")
_WRITE_UNIT_BYTES = 1_024
_READ_UNIT_BYTES = 4_096
_EQUALITY = re.compile(r"([#\w.-]+)\s*=\s*(:\w+)")

_ON_DEMAND = (
    "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or "
    "index so please try again shortly. If exceptions persist, check if you have a hot key: "
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"
)
_PROVISIONED = (
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning "
    "level with the UpdateTable API."
)


@dataclass(slots=True)
class KeyThroughput:
    """Read and write units that the items of a partition key have a second.

    A request is admitted while a unit is left, and charged once its size is known.
    """

    limits: Values
    _writes: KeyedBuckets = field(init=False)
    _reads: KeyedBuckets = field(init=False)

    def __post_init__(self) -> None:
        self._writes = KeyedBuckets(self.limits.rate(quotas.KEY_WRITE_UNITS))
        self._reads = KeyedBuckets(self.limits.rate(quotas.KEY_READ_UNITS))

    def admits(self, key: Key, now: float, *, is_write: bool) -> bool:
        """True if the key has a unit left."""
        return self._buckets(is_write).of("/".join(key), now).holds(1, now)

    def charge(self, key: Key, units: float, now: float, *, is_write: bool) -> None:
        """Account for the units of a request."""
        self._buckets(is_write).of("/".join(key), now).charge(units)

    def _buckets(self, is_write: bool) -> KeyedBuckets:
        return self._writes if is_write else self._reads


def write_units(size: int) -> float:
    """Units of writing an item of so many bytes."""
    return float(max(1, -(-size // _WRITE_UNIT_BYTES)))


def read_units(size: int, *, is_consistent: bool) -> float:
    """Units of reading so many bytes."""
    units = float(max(1, -(-size // _READ_UNIT_BYTES)))
    return units if is_consistent else units / 2


def queried_value(data: Mapping[str, Any], name: str) -> Any:
    """The value of the partition key that a query asks for; None where it names none."""
    names, values = data.get("ExpressionAttributeNames") or {}, data.get("ExpressionAttributeValues") or {}
    for attribute, value in _EQUALITY.findall(data.get("KeyConditionExpression") or ""):
        if names.get(attribute, attribute) == name:
            return values.get(value)
    return None


class _Hooks:
    """The emulator's handlers with the throughput of keys before them."""

    def __init__(self, dynamodb: Any, limits: Values) -> None:
        self._dynamodb = dynamodb
        self._throughput = KeyThroughput(limits)
        self._answer_bytes = limits.count(quotas.BATCH_GET_BYTES)

    def single(self, handle: Handler, *, is_write: bool) -> Handler:
        """A request that touches one partition key."""

        def handle_within_limits(data: dict[str, Any]) -> Answer:
            key, now = self._key(data), time.monotonic()
            if key is None:
                return handle(data)
            if not self._throughput.admits(key, now, is_write=is_write):
                return self._refusal(key[0], is_write=is_write)
            answer = handle(data)
            if answer[0] >= BAD_REQUEST:
                # A condition that fails costs what a success would; a request that is wrong costs nothing at AWS.
                self._throughput.charge(key, 1, now, is_write=is_write)
            return answer

        return handle_within_limits

    def account(
        self,
        result: Any,
        data: dict[str, Any],
        *,
        write: bool = False,
        old_item: Any = None,
        new_item: Any = None,
        index_name: str | None = None,
    ) -> None:
        """Charge a request that succeeded, where the emulator adds up what it consumed."""
        key, now, size_of = self._key(data), time.monotonic(), self._dynamodb._item_size_bytes  # noqa: SLF001
        if key is None or index_name:
            return
        if write:
            units = write_units(max(size_of(old_item or {}), size_of(new_item or {})))
        else:
            items = result.get("Items") or [result.get("Item") or {}]
            units = read_units(sum(map(size_of, items)), is_consistent=bool(data.get("ConsistentRead")))
        self._throughput.charge(key, units, now, is_write=write)

    def batch_write(self, handle: Handler) -> Handler:
        """Requests of which those that find no unit are handed back as unprocessed."""

        def handle_within_limits(data: dict[str, Any]) -> Answer:
            requests = data.get("RequestItems")
            if not self._is_valid(requests) or sum(map(len, requests.values())) > quotas.BATCH_WRITE.value:
                return handle(data)
            now = time.monotonic()
            taken: dict[str, list[Any]] = {}
            unprocessed: dict[str, list[Any]] = {}
            for table, entries in requests.items():
                for entry in entries:
                    is_admitted = self._write(table, entry, now)
                    (taken if is_admitted else unprocessed).setdefault(table, []).append(entry)
            if not unprocessed:
                return handle(data)
            if not taken:
                return self._refusal(next(iter(unprocessed)), is_write=True)
            return _with(handle({**data, "RequestItems": taken}), "UnprocessedItems", unprocessed)

        return handle_within_limits

    def batch_get(self, handle: Handler) -> Handler:
        """Keys of which those that find no unit are handed back as unprocessed."""

        def handle_within_limits(data: dict[str, Any]) -> Answer:
            requests = data.get("RequestItems")
            if not self._is_valid(requests) or any(
                len(request.get("Keys", [])) > quotas.BATCH_GET.value for request in requests.values()
            ):
                return handle(data)
            now, left = time.monotonic(), self._answer_bytes
            taken: dict[str, Any] = {}
            unprocessed: dict[str, Any] = {}
            for table, request in requests.items():
                parts: dict[bool, list[Any]] = {True: [], False: []}
                is_consistent = bool(request.get("ConsistentRead"))
                for item in request.get("Keys", []):
                    size = self._read(table, item, now, left, is_consistent=is_consistent)
                    left -= size or 0
                    parts[size is not None].append(item)
                if parts[True] or not parts[False]:
                    taken[table] = {**request, "Keys": parts[True]}
                if parts[False]:
                    unprocessed[table] = {**request, "Keys": parts[False]}
            if not unprocessed:
                return handle(data)
            if not taken:
                return self._refusal(next(iter(unprocessed)), is_write=False)
            return _with(handle({**data, "RequestItems": taken}), "UnprocessedKeys", unprocessed)

        return handle_within_limits

    def _is_valid(self, requests: Any) -> TypeGuard[dict[str, Any]]:
        """False for requests that the emulator refuses, in words of its own."""
        return isinstance(requests, dict) and all(map(self._table, requests))

    def _write(self, table: str, entry: Mapping[str, Any], now: float) -> bool:
        item = entry.get("PutRequest", {}).get("Item") or entry.get("DeleteRequest", {}).get("Key") or {}
        key = self._key_of(table, item)
        if key is None:
            return True
        if not self._throughput.admits(key, now, is_write=True):
            return False
        self._throughput.charge(key, write_units(self._dynamodb._item_size_bytes(item)), now, is_write=True)  # noqa: SLF001
        return True

    def _read(self, table: str, item: Mapping[str, Any], now: float, left: float, *, is_consistent: bool) -> int | None:
        """The size of an item that may be read; None if its key has no unit left, or the answer no room."""
        key = self._key_of(table, item)
        if key is None:
            return 0
        if not self._throughput.admits(key, now, is_write=False):
            return None
        found, name = self._table(table), self._dynamodb._extract_key_val  # noqa: SLF001
        sort = name(item.get(found["sk_name"])) if found.get("sk_name") else "__no_sort__"
        stored = found["items"].get(key[1], {}).get(sort, {})
        size: int = self._dynamodb._item_size_bytes(stored)  # noqa: SLF001
        if size > left:
            return None
        self._throughput.charge(key, read_units(size, is_consistent=is_consistent), now, is_write=False)
        return size

    def _key(self, data: Mapping[str, Any]) -> Key | None:
        table = self._table(data.get("TableName"))
        if table is None or data.get("IndexName"):
            return None
        item = data.get("Item") or data.get("Key")
        if item is None:
            value = queried_value(data, table["pk_name"])
            item = {} if value is None else {table["pk_name"]: value}
        return self._key_of(data["TableName"], item)

    def _key_of(self, table: str, item: Mapping[str, Any]) -> Key | None:
        found = self._table(table)
        value = item.get(found["pk_name"]) if found else None
        return (table, str(self._dynamodb._extract_key_val(value))) if value is not None else None  # noqa: SLF001

    def _table(self, name: Any) -> Any:
        dynamodb = self._dynamodb
        return dynamodb._tables.get(dynamodb._normalize_table_name(name)) if isinstance(name, str) else None  # noqa: SLF001

    def _refusal(self, name: str, *, is_write: bool) -> Answer:
        table = self._table(name)
        kind = "Write" if is_write else "Read"
        reason = {"reason": f"Table{kind}KeyRangeThroughputExceeded", "resource": table.get("TableArn", "")}
        mode = (table.get("BillingModeSummary") or {}).get("BillingMode")
        if mode == "PAY_PER_REQUEST":
            return refusal("ThrottlingException", _ON_DEMAND, throttlingReasons=[reason])
        return refusal("ProvisionedThroughputExceededException", _PROVISIONED, ThrottlingReasons=[reason])


def _with(answer: Answer, member: str, requests: Mapping[str, Any]) -> Answer:
    """An answer with requests that were not processed."""
    status, headers, body = answer
    if status >= BAD_REQUEST:
        return answer
    document = json.loads(body)
    return status, headers, json.dumps({**document, member: {**document.get(member, {}), **requests}}).encode()


def install(limits: Values) -> None:
    """Let the emulator keep the throughput of partition keys."""
    from ministack.services import dynamodb  # noqa: PLC0415 - it reads its settings on import

    hooks = _Hooks(dynamodb, limits)
    for name in (*_WRITES, *_READS):
        handle = getattr(dynamodb, f"_{name}")
        setattr(dynamodb, f"_{name}", hooks.single(handle, is_write=name in _WRITES))
    dynamodb._batch_write_item = hooks.batch_write(dynamodb._batch_write_item)  # noqa: SLF001
    dynamodb._batch_get_item = hooks.batch_get(dynamodb._batch_get_item)  # noqa: SLF001
    add_up = dynamodb._add_consumed_capacity  # noqa: SLF001

    def add_up_and_charge(result: Any, data: dict[str, Any], table: str, **options: Any) -> None:
        add_up(result, data, table, **options)
        hooks.account(result, data, **options)

    dynamodb._add_consumed_capacity = add_up_and_charge  # noqa: SLF001
