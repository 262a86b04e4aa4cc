"""The contract of `StateStore`: saved states are found, and a writer that was overtaken changes nothing."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from math import ceil
from typing import Any

import pytest

from afluente.adapters.aws.dynamodb_states import STREAMS_A_BUCKET, DynamoStates
from afluente.adapters.memory.classification import MemoryStates
from afluente.application.classification.ports import (
    DamagedStateError,
    StaleStateError,
    StateStore,
    StreamMemory,
    TooManyStreamsError,
)
from afluente.application.errors import UnavailableError
from afluente.domain.classification import classify
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState
from tests.contract.local_aws import BATCH_GET_ITEM, LocalAws, count_requests, fail, fail_in_part, record_calls
from tests.factories import GROUP, NOW, a_key, constraints, points

OTHER_GROUP = "17-of-128"

LIMIT = 1_000
"""Streams that a source may have in these tests."""

Writers = Callable[[], StateStore]
"""Makes another writer of the same table: a container of its own."""


@pytest.fixture
def writers(backend: LocalAws | None, executor: Executor) -> Writers:
    if backend is None:
        memory = MemoryStates(streams_per_source=LIMIT)
        return lambda: memory
    local, table = backend, backend.table("source", "bucket")
    return lambda: DynamoStates(
        local.client("dynamodb"), table, executor=executor, sleep=no_sleep, streams_per_source=LIMIT
    )


@pytest.fixture
def store(writers: Writers) -> StateStore:
    return writers()


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


# --- every store -----------------------------------------------------------------------------------------------------


def test_a_stream_that_was_never_saved_is_fresh(store: StateStore) -> None:
    assert read(store, [a_key()]) == {a_key(): StreamMemory(StreamState(), -1)}


def test_no_streams_can_be_loaded(store: StateStore) -> None:
    store.load({})


def test_what_was_saved_is_loaded_by_every_writer(writers: Writers) -> None:
    save(writers(), {a_key(): a_memory(7)})

    assert read(writers(), [a_key()]) == {a_key(): a_memory(7)}


def test_a_sequence_number_may_have_128_bits(store: StateStore) -> None:
    save(store, {a_key(): a_memory(2**128 - 1)})

    assert read(store, [a_key()])[a_key()].last_pack == 2**128 - 1


def test_a_state_is_replaced_again_and_again(store: StateStore) -> None:
    for number in range(5):
        save(store, {a_key(): a_memory(number, value=float(number))})

    assert read(store, [a_key()]) == {a_key(): a_memory(4, value=4.0)}


def test_only_what_changed_needs_to_be_saved(store: StateStore) -> None:
    three = keys(3)
    save(store, {key: a_memory(1) for key in three})

    loaded = store.load(groups(three))
    assert loaded.save({three[1]: a_memory(2)}) == {}

    assert [memory.last_pack for memory in read(store, three).values()] == [1, 2, 1]


def test_streams_of_one_id_at_two_sources_are_two(store: StateStore) -> None:
    here, there = a_key(source_id="furnace-1"), a_key(source_id="furnace-2")
    elsewhere = a_key(source_id="furnace-1", domain="health")

    save(store, {here: a_memory(1), there: a_memory(2), elsewhere: a_memory(3)})

    assert read(store, [elsewhere, there, here]) == {elsewhere: a_memory(3), there: a_memory(2), here: a_memory(1)}


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100, 300])
def test_any_number_of_streams_of_a_source_is_stored(writers: Writers, count: int) -> None:
    saved = {key: a_memory(number, value=float(number)) for number, key in enumerate(keys(count))}

    save(writers(), saved)

    assert read(writers(), saved) == saved


def test_streams_may_come_a_few_at_a_time(writers: Writers) -> None:
    one, other = writers(), writers()
    saved: dict[StreamKey, StreamMemory] = {}
    for start in range(0, 40, 5):
        few = {key: a_memory(start) for key in keys(40)[start : start + 5]}
        save(one if start % 2 else other, few)
        saved |= few

    assert read(one, saved) == saved
    assert read(other, saved) == saved
    assert read(writers(), saved) == saved


def test_streams_that_are_known_and_new_ones_can_come_together(writers: Writers) -> None:
    store = writers()
    save(store, {key: a_memory(1) for key in keys(12)})

    both = [*keys(20)[3:5], *keys(20)[12:]]
    save(store, {key: a_memory(2) for key in both})

    expected = {key: a_memory(2 if key in both else 1) for key in keys(20)}
    assert read(store, keys(20)) == expected
    assert read(writers(), keys(20)) == expected


# --- two writers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["of a known stream", "of a new stream"])
def test_a_writer_that_was_overtaken_changes_nothing(writers: Writers, *, known: bool) -> None:
    slow, quick = writers(), writers()
    if known:
        save(slow, {a_key(): a_memory(1)})
    loaded = slow.load(groups([a_key()]))

    save(quick, {a_key(): a_memory(3, value=3.0)})
    unsaved = loaded.save({a_key(): a_memory(2, value=2.0)})

    assert {source: type(error) for source, error in unsaved.items()} == {"iot/furnace-1": StaleStateError}
    assert read(slow, [a_key()]) == read(quick, [a_key()]) == {a_key(): a_memory(3, value=3.0)}


def test_a_writer_that_was_overtaken_saves_what_is_of_other_sources(writers: Writers) -> None:
    slow, quick = writers(), writers()
    here, there = a_key(source_id="furnace-1"), a_key(source_id="furnace-2")
    loaded = slow.load(groups([here, there]))

    save(quick, {here: a_memory(9)})
    unsaved = loaded.save({here: a_memory(2), there: a_memory(2)})

    assert list(unsaved) == ["iot/furnace-1"]
    assert read(quick, [here, there]) == {here: a_memory(9), there: a_memory(2)}


def test_a_writer_that_was_overtaken_succeeds_when_it_retries(writers: Writers) -> None:
    slow, quick = writers(), writers()
    loaded = slow.load(groups(keys(20)))
    save(quick, {key: a_memory(1) for key in keys(30)})
    assert loaded.save({key: a_memory(2) for key in keys(20)}) != {}

    save(slow, {key: a_memory(2) for key in keys(20)})

    assert [memory.last_pack for memory in read(quick, keys(30)).values()] == [2] * 20 + [1] * 10


def test_states_that_were_loaded_are_saved_again_and_again(store: StateStore) -> None:
    loaded = store.load(groups(keys(20)))

    for number in range(3):
        for key in keys(20)[number:]:
            assert loaded.save({key: a_memory(number)}) == {}
            assert loaded.of(key) == a_memory(number)

    assert [memory.last_pack for memory in read(store, keys(20)).values()] == [0, 1, *[2] * 18]


def test_a_writer_that_was_overtaken_between_two_saves_changes_nothing_more(writers: Writers) -> None:
    slow, quick = writers(), writers()
    loaded = slow.load(groups(keys(20)))
    assert loaded.save({key: a_memory(1) for key in keys(20)}) == {}
    save(quick, {keys(20)[0]: a_memory(3)})

    unsaved = [loaded.save({keys(20)[0]: a_memory(2)}), loaded.save({keys(20)[19]: a_memory(2)})]

    assert [type(its["iot/furnace-1"]) for its in unsaved] == [StaleStateError, StaleStateError]
    assert [read(quick, keys(20))[key].last_pack for key in (keys(20)[0], keys(20)[19])] == [3, 1]


def test_two_writers_may_bring_new_streams_of_a_source_in_turn(writers: Writers) -> None:
    one, other = writers(), writers()
    for number, key in enumerate(keys(30)):
        save(one if number % 2 else other, {key: a_memory(number)})

    assert read(writers(), keys(30)) == {key: a_memory(number) for number, key in enumerate(keys(30))}


# --- streams that a source may have ----------------------------------------------------------------------------------


def test_a_new_stream_beyond_the_limit_is_refused_and_known_ones_are_not(writers: Writers) -> None:
    save(writers(), {key: a_memory(1) for key in keys(LIMIT - 2)})
    store = writers()
    loaded = store.load(groups([*keys(LIMIT + 1), a_key(source_id="furnace-2")]))

    admitted = {key: loaded.of(key) for key in keys(LIMIT)}
    for _ in range(2):
        with pytest.raises(TooManyStreamsError) as refused:
            loaded.of(keys(LIMIT + 1)[-1])

    assert refused.value.limit == LIMIT
    assert loaded.of(a_key(source_id="furnace-2")) == StreamMemory()
    assert loaded.save(admitted) == {}
    assert read(store, admitted) == admitted
    with pytest.raises(TooManyStreamsError):
        read(writers(), [a_key("late")])


def test_a_new_stream_counts_once_however_often_it_is_asked_for(store: StateStore) -> None:
    loaded = store.load(groups(keys(LIMIT)))

    for _ in range(3):
        assert all(loaded.of(key) == StreamMemory() for key in keys(LIMIT))


# --- another group ---------------------------------------------------------------------------------------------------


def test_numbers_of_another_group_are_dropped_and_the_state_is_not(writers: Writers) -> None:
    save(writers(), {a_key(): a_memory(900)})

    assert read(writers(), [a_key()], OTHER_GROUP) == {a_key(): a_memory(-1)}


def test_a_source_that_moved_to_another_group_counts_anew(store: StateStore) -> None:
    save(store, {key: a_memory(900) for key in keys(2)})

    save(store, {a_key("sensor-0"): a_memory(5)}, OTHER_GROUP)

    moved = read(store, keys(2), OTHER_GROUP)
    assert moved[a_key("sensor-0")].last_pack == 5
    assert moved[a_key("sensor-1")].last_pack == -1


# --- DynamoDB --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 8, 100, 1_000])
def test_the_requests_of_a_pack_are_known_figures(aws: LocalAws, executor: Executor, count: int) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    requests = count_requests(client)
    store = DynamoStates(client, table, executor=executor, sleep=no_sleep)
    buckets = ceil(count / STREAMS_A_BUCKET)

    save(store, {key: a_memory(1) for key in keys(count)})
    assert requests == {"Query": 1, "PutItem": buckets}

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


def test_a_bucket_of_streams_with_full_windows_is_a_small_item(aws: LocalAws, executor: Executor) -> None:
    client, table = aws.client("dynamodb"), aws.table("source", "bucket")
    state = classify(points(*range(40)), constraints(), StreamState(), NOW).state
    save(
        DynamoStates(client, table, executor=executor, sleep=no_sleep),
        {key: StreamMemory(state, 2**70) for key in keys(STREAMS_A_BUCKET)},
    )

    (item,) = client.scan(TableName=table)["Items"]
    assert len(item["streams"]["B"]) < 4_096


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
    fail_in_part(client, BATCH_GET_ITEM, plan=[{0}] * 10)

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
    fail(client, "PutItem", times=3, code="ProvisionedThroughputExceededException")

    unsaved = loaded.save(saved)

    assert unsaved
    assert {type(error) for error in unsaved.values()} == {UnavailableError}
    save(store, saved)
    assert read(store, saved) == saved


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


def damage(client: Any, table: str, streams: bytes) -> None:
    """Put other bytes into bucket 0 of furnace-1."""
    client.update_item(
        TableName=table,
        Key={"source": {"S": "iot/furnace-1"}, "bucket": {"N": "0"}},
        UpdateExpression="SET streams = :streams",
        ExpressionAttributeValues={":streams": {"B": streams}},
    )


def streams_in(client: Any, table: str) -> bytes:
    key = {"source": {"S": "iot/furnace-1"}, "bucket": {"N": "0"}}
    found: bytes = client.get_item(TableName=table, Key=key)["Item"]["streams"]["B"]
    return found


def empty(client: Any, table: str) -> None:
    for page in client.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            client.delete_item(TableName=table, Key={"source": item["source"], "bucket": item["bucket"]})
