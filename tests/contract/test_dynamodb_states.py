"""States in DynamoDB: known figures of requests, the index of large sources, throttles and damage."""

import random
from collections.abc import Callable
from concurrent.futures import Executor
from math import ceil
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from afluente.adapters.aws.dynamodb_state_items import BUCKETS_A_CHUNK, STREAMS_A_BUCKET, item_key
from afluente.adapters.aws.dynamodb_states import DynamoStates
from afluente.adapters.codecs.plain_states import decode_plain_state
from afluente.adapters.codecs.stored_streams import StoredStream, decode_streams, encode_streams
from afluente.application.classification.ports import (
    DamagedStateError,
    StreamMemory,
)
from afluente.application.errors import UnavailableError
from afluente.domain.classification import classify
from afluente.domain.stream_state import StreamState
from tests.contract.local_aws import BATCH_GET_ITEM, LocalAws, count_requests, fail, fail_in_part, record_calls
from tests.contract.states import a_memory, damage, empty, groups, keys, no_sleep, read, save, streams_in
from tests.factories import NOW, a_key, a_point, constraints


@pytest.mark.parametrize("count", [1, 8, 100, 1_000])
def test_the_requests_of_a_pack_are_known_figures(aws: LocalAws, executor: Executor, count: int) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    requests = count_requests(client)
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    buckets = ceil(count / STREAMS_A_BUCKET)

    save(store, {key: a_memory(1) for key in keys(count)})
    # An item of the index is written once the last of its buckets is full.
    assert requests == {"Query": 1, "PutItem": buckets + (buckets - 1) // BUCKETS_A_CHUNK}

    requests.clear()
    save(store, {key: a_memory(2) for key in keys(count)})
    assert requests == {"BatchGetItem": ceil(buckets / 100), "PutItem": buckets}


def test_states_are_read_as_they_were_saved_last_and_not_a_little_before(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    queries, reads = record_calls(client, "Query"), record_calls(client, "BatchGetItem")

    save(store, {a_key(): a_memory(1)})
    save(store, {a_key(): a_memory(2)})

    # No local AWS shows the difference.
    assert [call["ConsistentRead"] for call in queries] == [True]
    assert [call["RequestItems"][table]["ConsistentRead"] for call in reads] == [True]


def test_a_pack_that_touches_one_stream_of_many_reads_and_writes_one_item(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    save(store, {key: a_memory(1) for key in keys(100)})
    requests, reads = count_requests(client), record_calls(client, "BatchGetItem")

    save(store, {a_key("sensor-50"): a_memory(2)})

    assert requests == {"BatchGetItem": 1, "PutItem": 1}
    assert [len(call["RequestItems"][table]["Keys"]) for call in reads] == [1]


def test_a_new_stream_of_a_known_source_is_looked_for_where_streams_are_added(
    aws: LocalAws, executor: Executor
) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    save(store, {key: a_memory(1) for key in keys(100)})
    requests, queries = count_requests(client), record_calls(client, "Query")

    save(store, {a_key("new"): a_memory(2)})

    assert requests == {"Query": 1, "PutItem": 1}
    assert queries[0]["ExpressionAttributeValues"][":first"] == {"N": "12"}


# --- large sources ---------------------------------------------------------------------------------------------------

LARGE = 1_000
"""Streams of a source with 125 buckets: three items of the index, and 29 buckets beyond them."""


def test_a_container_that_starts_reads_of_a_large_source_what_it_needs(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    save(DynamoStates(client, table, executor=executor, sleep=no_sleep), {key: a_memory(1) for key in keys(LARGE)})
    requests, reads = count_requests(client), record_calls(client, "BatchGetItem")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    few = [keys(LARGE)[0], keys(LARGE)[7], keys(LARGE)[500], keys(LARGE)[999], a_key("new")]

    save(store, {key: a_memory(2) for key in few})

    # The last 32 buckets, the index, and the two buckets of streams that are further back; all four are written.
    assert requests == {"Query": 2, "BatchGetItem": 1, "PutItem": 4}
    assert [len(call["RequestItems"][table]["Keys"]) for call in reads] == [2]
    assert read(store, few) == {key: a_memory(2) for key in few}


def test_a_large_source_of_an_earlier_release_is_indexed_when_it_is_read(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    saved = {key: a_memory(1) for key in keys(LARGE)}
    save(DynamoStates(client, table, executor=executor, sleep=no_sleep), saved)
    remove_index(client, table)
    requests = count_requests(client)

    assert read(DynamoStates(client, table, executor=executor, sleep=no_sleep), saved) == saved
    assert requests == {"Query": 3, "PutItem": 3}

    requests.clear()
    assert read(DynamoStates(client, table, executor=executor, sleep=no_sleep), [keys(1)[0]]) == {
        a_key("sensor-0"): a_memory(1)
    }
    assert requests == {"Query": 2, "BatchGetItem": 1}


def test_an_index_that_lags_or_cannot_be_read_is_completed(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    saved = {key: a_memory(1) for key in keys(LARGE)}
    save(DynamoStates(client, table, executor=executor, sleep=no_sleep), saved)
    client.update_item(
        TableName=table,
        Key=item_key("iot/furnace-1", -2),
        UpdateExpression="SET ids = :ids",
        ExpressionAttributeValues={":ids": {"B": b"no index"}},
    )

    requests = count_requests(client)
    assert read(DynamoStates(client, table, executor=executor, sleep=no_sleep), saved) == saved
    assert requests["PutItem"] == 1
    assert read(DynamoStates(client, table, executor=executor, sleep=no_sleep), saved) == saved
    assert requests["PutItem"] == 1


def test_a_stream_that_two_buckets_hold_is_in_the_last_of_them(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    first, *others = keys(STREAMS_A_BUCKET + 1)
    save(store, {key: a_memory(1) for key in [*others, first]})
    late = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    # A write of a classifier that was killed arrives late, with the stream in place of another.
    zombie = decode_streams(streams_in(client, table))[1:] + decode_streams(streams_in(client, table, 1))
    damage(client, table, encode_streams(zombie, compact=False))

    save(late, {first: a_memory(5)})

    assert read(store, [first, others[-1]]) == {first: a_memory(5), others[-1]: a_memory(1)}
    assert read(DynamoStates(client, table, executor=executor, sleep=no_sleep), [first]) == {first: a_memory(5)}


def remove_index(client: Any, table: str) -> None:
    """Leave a source as earlier releases did."""
    for page in client.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            if int(item["bucket"]["N"]) < 0:
                client.delete_item(TableName=table, Key={"source": item["source"], "bucket": item["bucket"]})


# --- forms -----------------------------------------------------------------------------------------------------------


def test_a_bucket_of_full_windows_of_values_with_two_decimals_takes_one_write_unit(
    aws: LocalAws, executor: Executor
) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    chance = random.Random(1)  # noqa: S311
    full = {
        key: StreamMemory(full_state(lambda: round(chance.uniform(50, 100), 2)), 2**70)
        for key in keys(STREAMS_A_BUCKET)
    }

    save(DynamoStates(client, table, executor=executor, sleep=no_sleep), full)

    (item,) = client.scan(TableName=table)["Items"]
    assert size_of(item) <= 1_024


def test_a_bucket_of_full_windows_of_any_values_takes_three_write_units(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    chance = random.Random(1)  # noqa: S311
    full = {key: StreamMemory(full_state(lambda: chance.uniform(50, 100)), 2**70) for key in keys(STREAMS_A_BUCKET)}

    save(DynamoStates(client, table, executor=executor, sleep=no_sleep), full)

    (item,) = client.scan(TableName=table)["Items"]
    assert size_of(item) <= 3 * 1_024


@pytest.mark.parametrize("count", [1, STREAMS_A_BUCKET])
def test_states_may_be_written_in_a_form_that_earlier_releases_read(
    aws: LocalAws, executor: Executor, count: int
) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    compact = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    plain = DynamoStates(client, table, executor=executor, sleep=no_sleep, compact=False)
    save(compact, {key: a_memory(1) for key in keys(count)})

    save(plain, {key: a_memory(2) for key in keys(count)})

    # As earlier releases decode them.
    stored = msgspec.msgpack.decode(streams_in(client, table), type=list[StoredStream])
    assert [decode_plain_state(its.state) for its in stored] == [a_memory().state] * count
    assert read(compact, keys(count)) == {key: a_memory(2) for key in keys(count)}


def full_state(value: Callable[[], float]) -> StreamState:
    """The state of a stream after 40 points, a minute apart."""
    its = [a_point(value(), at=NOW + 60 * place) for place in range(40)]
    return classify(its, constraints(max_value=1_000), StreamState(), NOW).state


def size_of(item: dict[str, dict[str, Any]]) -> int:
    """DynamoDB, "Item sizes and formats": names, texts and bytes; a number takes a byte for two digits and one more."""
    values = [(kind, value) for field in item.values() for kind, value in field.items()]
    return sum(map(len, item)) + sum(2 + len(value) // 2 if kind == "N" else len(value) for kind, value in values)


def test_a_table_that_was_emptied_is_as_new(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    save(store, {key: a_memory(1) for key in keys(30)})

    empty(client, table)

    assert read(store, keys(30)) == {key: StreamMemory() for key in keys(30)}
    save(store, {key: a_memory(2) for key in keys(3)})
    save(store, {a_key("new"): a_memory(2)})
    save(store, {key: a_memory(3) for key in keys(30)})
    assert read(store, [*keys(30), a_key("new")]) == {key: a_memory(3) for key in keys(30)} | {
        a_key("new"): a_memory(2)
    }


def test_a_writer_with_a_cached_older_table_works_with_the_new_one(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    remembering = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    save(remembering, {key: a_memory(1) for key in keys(30)})
    empty(client, table)
    another = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    save(another, {a_key("after"): a_memory(1)})

    attempts = [remembering.load(groups([a_key("new")])).save({a_key("new"): a_memory(2)}) for _ in range(2)]

    assert attempts[-1] == {}
    assert read(another, [a_key("after"), a_key("new")]) == {a_key("after"): a_memory(1), a_key("new"): a_memory(2)}


def test_keys_that_dynamodb_leaves_unprocessed_are_read_again_alone(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    waits: list[float] = []
    store = DynamoStates(client, table, executor=executor, sleep=waits.append)
    saved = {key: a_memory(number) for number, key in enumerate(keys(24))}
    save(store, saved)
    failing = fail_in_part(client, BATCH_GET_ITEM, plan=[{0, 2}, {1}])

    assert read(store, saved) == saved

    assert [len(items) for items in failing.calls] == [3, 2, 1]
    assert len(waits) == 2


def test_a_source_whose_keys_are_left_unprocessed_for_ever_is_unavailable_alone(
    aws: LocalAws, executor: Executor
) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    here, there = a_key(source_id="furnace-1"), a_key(source_id="furnace-2")
    save(store, {here: a_memory(1), there: a_memory(1)})
    fail_in_part(client, BATCH_GET_ITEM, plan=[{0}] * 5)

    loaded = store.load(groups([here, there]))

    assert list(loaded.unavailable) == ["iot/furnace-1"]
    with pytest.raises(UnavailableError, match="1 of 2 not taken"):
        loaded.of(here)
    assert loaded.of(there) == a_memory(1)
    assert list(loaded.save({here: a_memory(2), there: a_memory(2)})) == ["iot/furnace-1"]
    assert read(store, [here, there]) == {here: a_memory(1), there: a_memory(2)}


@pytest.mark.parametrize("operation", ["Query", "BatchGetItem"])
def test_a_table_that_cannot_be_read_is_unavailable(aws: LocalAws, executor: Executor, operation: str) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    if operation == "BatchGetItem":
        save(store, {a_key(): a_memory(1)})
    fail(client, operation)

    loaded = store.load(groups([a_key()]))

    with pytest.raises(UnavailableError, match=table):
        loaded.of(a_key())


def test_a_source_that_cannot_be_queried_is_unavailable_alone(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    here, there = a_key(source_id="furnace-1"), a_key(source_id="furnace-2")
    fail(client, "Query", times=1)

    loaded = store.load(groups([here, there]))

    assert len(loaded.unavailable) == 1
    assert len(loaded.save({here: a_memory(1), there: a_memory(1)})) == 1


def test_a_write_that_fails_is_repaired_by_its_repetition(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    saved = {key: a_memory(1) for key in keys(30)} | {a_key(source_id="furnace-2"): a_memory(1)}
    loaded = store.load(groups(saved))
    fail(client, "PutItem", times=3)

    unsaved = loaded.save(saved)

    assert unsaved
    assert {type(error) for error in unsaved.values()} == {UnavailableError}
    assert loaded.save(saved).items() >= unsaved.items()
    save(store, saved)
    assert read(store, saved) == saved


# --- throttles -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["PutItem", "Query", "BatchGetItem"])
def test_a_throttled_call_is_retried(aws: LocalAws, executor: Executor, operation: str) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    waits: list[float] = []
    store = DynamoStates(client, table, executor=executor, sleep=waits.append)
    save(store, {key: a_memory(1) for key in keys(20)})
    fail(client, operation, times=3, code="ProvisionedThroughputExceededException")

    save(store, {key: a_memory(2) for key in [a_key("sensor-0"), a_key("new")]})

    assert len(waits) == 3
    assert read(store, [a_key("sensor-0"), a_key("new")]) == dict.fromkeys(
        [a_key("sensor-0"), a_key("new")], a_memory(2)
    )


def test_a_source_whose_writes_are_throttled_for_long_is_not_saved_and_others_are(
    aws: LocalAws, executor: Executor
) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    here, there = a_key(source_id="furnace-1"), a_key(source_id="furnace-2")
    throttle(client, "iot/furnace-1")

    unsaved = store.load(groups([here, there])).save({here: a_memory(1), there: a_memory(1)})

    assert list(unsaved) == ["iot/furnace-1"]
    assert "ProvisionedThroughputExceededException" in str(unsaved["iot/furnace-1"])
    assert read(store, [here, there]) == {here: StreamMemory(), there: a_memory(1)}


def throttle(client: Any, source: str) -> None:
    """Throttle all writes of a source."""

    def on_call(params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]] | None:
        if source not in str(params["body"]):
            return None
        return SimpleNamespace(status_code=400), {
            "Error": {"Code": "ProvisionedThroughputExceededException", "Message": "made to fail"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }

    client.meta.events.register("before-call.dynamodb.PutItem", on_call)


def test_a_write_whose_answer_was_lost_is_found_done(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    loaded = store.load(groups([a_key()]))
    answers = [True]

    def lose_the_answer(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        if answers.pop() if answers else False:
            http_response.status_code = 500
            parsed["Error"] = {"Code": "InternalServerError", "Message": "made to fail"}

    client.meta.events.register("after-call.dynamodb.PutItem", lose_the_answer)

    assert list(loaded.save({a_key(): a_memory(1)})) == ["iot/furnace-1"]
    assert read(store, [a_key()]) == {a_key(): a_memory(1)}


@pytest.mark.parametrize("is_known", [True, False], ids=["known streams", "a container that starts"])
def test_a_bucket_that_cannot_be_read_holds_back_its_source_and_is_left_as_it_is(
    aws: LocalAws, executor: Executor, is_known: bool
) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    save(store, {key: a_memory(1) for key in keys(STREAMS_A_BUCKET + 1)} | {a_key(source_id="furnace-2"): a_memory(1)})
    damage(client, table, b"no streams")
    reader = store if is_known else DynamoStates(client, table, executor=executor, sleep=no_sleep)

    wanted = [*keys(STREAMS_A_BUCKET + 1), a_key("new"), a_key(source_id="furnace-2")]
    loaded = reader.load(groups(wanted))

    for lost in [*keys(STREAMS_A_BUCKET), a_key("new")]:
        with pytest.raises(DamagedStateError, match="bucket 0 of iot/furnace-1"):
            loaded.of(lost)
    whole = {keys(STREAMS_A_BUCKET + 1)[-1]: a_memory(2), a_key(source_id="furnace-2"): a_memory(2)}
    assert all(loaded.of(key) == a_memory(1) for key in whole)
    assert loaded.save(whole) == {}
    assert read(reader, whole) == whole
    assert streams_in(client, table) == b"no streams"


def test_a_state_that_cannot_be_read_holds_back_its_stream(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    first, second = keys(2)
    save(store, {first: a_memory(1), second: a_memory(1)})
    damage(client, table, streams_in(client, table).replace(b"\xca", b"\xc1").replace(b"\xcb", b"\xc1", 1))

    loaded = store.load(groups([first, second]))

    with pytest.raises(DamagedStateError):
        loaded.of(first)
