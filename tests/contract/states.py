"""States of streams for the suites of their store, and what is done to its table."""

from collections.abc import Iterable
from typing import Any

from afluente.application.classification.ports import StateStore, StreamMemory
from afluente.domain.classification import classify
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState
from tests.factories import GROUP, NOW, a_key, constraints, points


def no_sleep(seconds: float) -> None:
    """Tests do not wait between attempts."""


def a_memory(last_pack: int = 1, value: float = 20.0) -> StreamMemory:
    """The state of a stream after two points and an alarm; another for each value."""
    result = classify(
        points(value, value + 1),
        constraints(max_value=0, consecutive_violations_required=1),
        StreamState(),
        NOW,
    )
    return StreamMemory(result.state, last_pack)


def keys(count: int, source_id: str = "furnace-1") -> list[StreamKey]:
    return [a_key(f"sensor-{number}", source_id=source_id) for number in range(count)]


def groups(its_keys: Iterable[StreamKey], group: str = GROUP) -> dict[StreamKey, str]:
    return dict.fromkeys(its_keys, group)


def save(store: StateStore, changed: dict[StreamKey, StreamMemory], group: str = GROUP) -> None:
    assert store.load(groups(changed, group)).save(changed) == {}


def read(store: StateStore, its_keys: Iterable[StreamKey], group: str = GROUP) -> dict[StreamKey, StreamMemory]:
    loaded = store.load(groups(its_keys, group))
    return {key: loaded.of(key) for key in its_keys}


def damage(client: Any, table: str, streams: bytes) -> None:
    """Put other bytes into bucket 0 of furnace-1."""
    client.update_item(
        TableName=table,
        Key={"source": {"S": "iot/furnace-1"}, "bucket": {"N": "0"}},
        UpdateExpression="SET streams = :streams",
        ExpressionAttributeValues={":streams": {"B": streams}},
    )


def streams_in(client: Any, table: str, bucket: int = 0) -> bytes:
    """The bytes of a bucket of furnace-1."""
    key = {"source": {"S": "iot/furnace-1"}, "bucket": {"N": str(bucket)}}
    found: bytes = client.get_item(TableName=table, Key=key)["Item"]["streams"]["B"]
    return found


def empty(client: Any, table: str) -> None:
    """Delete all items."""
    for page in client.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            client.delete_item(TableName=table, Key={"source": item["source"], "bucket": item["bucket"]})
