"""The contract of `StateStore`: saved states are found, and a writer that was overtaken changes nothing."""

from collections.abc import Callable
from concurrent.futures import Executor

import pytest

from afluente.adapters.aws.dynamodb_states import DynamoStates
from afluente.adapters.memory.classification import MemoryStates
from afluente.application.classification.ports import (
    StaleStateError,
    StateStore,
    StreamMemory,
    TooManyStreamsError,
)
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState
from tests.contract.local_aws import LocalAws
from tests.contract.states import a_memory, groups, keys, no_sleep, read, save
from tests.factories import a_key

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
