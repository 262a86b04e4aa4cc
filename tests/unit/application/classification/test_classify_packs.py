"""Classify packs: once in effect despite retries, crashes and late arrivals."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afluente.adapters.memory.alarms import MemoryAlarms
from afluente.adapters.memory.classification import MemoryStates, MemoryStreams
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.classification.classifier import ConstraintClassifier
from afluente.application.classification.classify_packs import BatchResult, ClassifyPacks
from afluente.application.classification.ports import (
    DamagedStateError,
    Delivery,
    LoadedStates,
    StaleStateError,
    StreamMemory,
)
from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.domain.alarms import AlarmEvent
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification
from afluente.domain.stream_keys import StreamKey
from tests.factories import NOW, Clock, a_config, a_key, a_point, a_received_pack, points

LIMITED: dict[str, Any] = {"max_value": 50, "abs_delta": 5, "consecutive_violations_required": 1, "cooldown_seconds": 0}


class CrashError(Exception):
    """The function was killed."""


class World:
    """All that is outside of the use case, in memory; before each effect on it `fault` may raise."""

    def __init__(self, **limits: Any) -> None:
        self.constraints = MemoryConstraints()
        if limits:
            self.constraints.put("iot", a_config(**limits))
        self.states = MemoryStates()
        self.streams = MemoryStreams()
        self.alarms = MemoryAlarms()
        self.clock = Clock()
        self.deliveries: list[Delivery] = []
        self.effects: list[str] = []
        self.fault: Callable[[str], None] = lambda effect: None
        self.damaged: set[StreamKey] = set()
        self.unavailable: dict[str, UnavailableError] = {}
        self.classify = ClassifyPacks(
            classifier=ConstraintClassifier(ConstraintsLookup(self.constraints, ttl_seconds=60, clock=self.clock)),
            states=self,
            streams=self,
            alarms=self,
            clock=self.clock,
        )

    def load(self, groups: Mapping[StreamKey, str]) -> LoadedStates:
        self._effect("load")
        return _Loaded(self, self.states.load(groups))

    def put(self, deliveries: Sequence[Delivery]) -> None:
        self._effect("put")
        self.deliveries += deliveries
        self.streams.put(deliveries)

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        self._effect("publish")
        self.alarms.publish(events)

    def save(
        self, loaded: LoadedStates, changed: Mapping[StreamKey, StreamMemory]
    ) -> Mapping[str, StaleStateError | UnavailableError]:
        self._effect("save")
        return loaded.save(changed)

    def crash_at(self, crashing: str) -> None:
        def fault(effect: str) -> None:
            if effect == crashing:
                raise CrashError(effect)

        self.fault = fault

    def written(self) -> dict[str, list[tuple[float, bool]]]:
        """Value and lateness of what is on the stream of each class."""
        return {
            name.value: [(point.value, point.late) for point in its_points]
            for name, its_points in self.streams.points.items()
            if its_points
        }

    def ids(self) -> list[str]:
        return [point.point_id for its_points in self.streams.points.values() for point in its_points]

    def _effect(self, name: str) -> None:
        self.effects.append(name)
        self.fault(name)


class _Loaded:
    def __init__(self, world: World, loaded: LoadedStates) -> None:
        self.unavailable: Mapping[str, UnavailableError] = world.unavailable
        self._world = world
        self._loaded = loaded

    def of(self, key: StreamKey) -> StreamMemory:
        if key in self._world.damaged:
            raise DamagedStateError(str(key))
        return self._loaded.of(key)

    def save(self, changed: Mapping[StreamKey, StreamMemory]) -> Mapping[str, StaleStateError | UnavailableError]:
        return self._world.save(self._loaded, changed)


def result(**fields: Any) -> dict[str, Any]:
    """The fields expected of a batch, zeros left out."""
    return fields


def fields_of(batch: BatchResult) -> dict[str, Any]:
    fields = {name: getattr(batch, name) for name in batch.__struct_fields__}
    return {name: value for name, value in fields.items() if value}


# --- a pack ----------------------------------------------------------------------------------------------------------


def test_points_go_to_the_stream_of_their_class_and_alarms_to_their_own() -> None:
    world = World(**LIMITED, warning_max=30)

    batch = world.classify([a_received_pack(1, *points(20, 22, 40, 60, 21))])

    assert world.written() == {
        "alert": [(60, False)],
        "warning": [(40, False)],
        "anomaly": [(21, False)],
        "normal": [(20, False), (22, False)],
    }
    assert [event.state.value for event in world.alarms.events] == ["raised", "raised", "raised"]
    assert fields_of(batch) == result(
        classes={"normal": 2, "warning": 1, "alert": 1, "anomaly": 1}, alarms={"raised": 3}
    )


def test_a_point_carries_when_it_arrived_and_when_it_was_classified() -> None:
    world = World()
    world.clock.now = NOW + 5

    world.classify([a_received_pack(1, a_point())])

    (point,) = world.streams.points[Classification.NORMAL]
    assert (point.ingested_at, point.processed_at) == (NOW, NOW + 5)


def test_points_are_delivered_before_alarms_and_states_are_saved_last() -> None:
    world = World(**LIMITED)

    world.classify([a_received_pack(1, *points(20, 60))])

    assert world.effects == ["load", "put", "publish", "save"]


def test_nothing_is_published_where_no_alarm_changes() -> None:
    world = World(**LIMITED)

    world.classify([a_received_pack(1, a_point(20))])

    assert world.effects == ["load", "put", "save"]


def test_a_delivery_holds_the_points_of_one_class_and_source_in_their_order() -> None:
    world = World(**LIMITED)

    world.classify(
        [a_received_pack(1, *points(1, 60, 2, 61), *points(3, 62, source_id="furnace-2"), *points(4, stream_id="b"))]
    )

    assert {
        (delivery.classification.value, delivery.source): [point.value for point in delivery.points]
        for delivery in world.deliveries
    } == {
        ("normal", "iot/furnace-1"): [1, 2, 4],
        ("alert", "iot/furnace-1"): [60, 61],
        ("normal", "iot/furnace-2"): [3],
        ("alert", "iot/furnace-2"): [62],
    }
    assert len(world.deliveries) == 4


def test_a_stream_is_of_the_type_that_the_last_point_to_arrive_names() -> None:
    world = World()
    world.constraints.put("iot#hot", a_config(max_value=50))
    world.constraints.put("iot#cold", a_config(max_value=0))

    world.classify(
        [a_received_pack(1, a_point(20, stream_type="cold"), a_point(21, at=1, stream_type="hot"), a_point(22, at=2))]
    )

    assert world.written() == {"normal": [(20, False), (21, False), (22, False)]}


def test_a_stream_that_names_no_type_has_the_constraints_of_its_domain() -> None:
    world = World(**LIMITED)

    world.classify([a_received_pack(1, a_point(60))])

    assert world.written() == {"alert": [(60, False)]}


# --- several packs ---------------------------------------------------------------------------------------------------


def test_packs_of_a_group_are_classified_together_and_sorted() -> None:
    world = World()

    batch = world.classify(
        [
            a_received_pack(1, a_point(3, at=3), a_point(1, at=1)),
            a_received_pack(2, a_point(2, at=2), a_point(0, at=0)),
        ]
    )

    assert world.written() == {"normal": [(0, False), (1, False), (2, False), (3, False)]}
    assert fields_of(batch) == result(classes={"normal": 4})


def test_packs_that_come_one_after_the_other_are_not_sorted_across() -> None:
    world = World()

    for pack in (a_received_pack(1, a_point(3, at=3)), a_received_pack(2, a_point(2, at=2))):
        batch = world.classify([pack])

    assert world.written() == {"normal": [(3, False), (2, True)]}
    assert fields_of(batch) == result(classes={"normal": 1}, late=1)


def test_duplicates_are_counted_and_not_written() -> None:
    world = World()

    batch = world.classify([a_received_pack(1, *points(1, 2)), a_received_pack(2, *points(1, 2))])

    assert world.written() == {"normal": [(1, False), (2, False)]}
    assert fields_of(batch) == result(classes={"normal": 2}, duplicates=2)


def test_a_pack_of_duplicates_alone_is_still_saved_as_the_last_one() -> None:
    world = World()
    world.classify([a_received_pack(1, *points(1, 2))])
    world.effects.clear()

    world.classify([a_received_pack(2, *points(1, 2))])

    assert world.effects == ["load", "save"]
    assert world.classify([a_received_pack(2, *points(1, 2))]).repeated == 2


def test_groups_share_the_calls() -> None:
    world = World(**LIMITED)
    there = points(60, 1, source_id="furnace-2")

    batch = world.classify([a_received_pack(1, *points(60, 1)), a_received_pack(1, *there, group="10-of-64")])

    assert world.effects == ["load", "put", "publish", "save"]
    assert fields_of(batch) == result(classes={"alert": 2, "normal": 2}, alarms={"raised": 2, "cleared": 2})


# --- what comes again ------------------------------------------------------------------------------------------------


def test_a_repeated_pack_changes_nothing() -> None:
    world = World(**LIMITED)
    pack = a_received_pack(7, *points(20, 60, 21))
    world.classify([pack])
    before = (world.written(), world.ids(), list(world.alarms.events), dict(world.states.memories))
    world.effects.clear()

    batch = world.classify([pack])

    assert (world.written(), world.ids(), world.alarms.events, world.states.memories) == before
    assert world.effects == ["load"]
    assert fields_of(batch) == result(repeated=3)


def test_packs_classified_together_are_repeated_together_or_alone_and_change_nothing() -> None:
    world = World()
    packs = [a_received_pack(number, a_point(number, at=number)) for number in range(1, 4)]
    world.classify(packs)

    assert [world.classify(again).repeated for again in (packs, packs[1:], packs[2:])] == [3, 2, 1]


def test_of_packs_classified_together_only_repeated_ones_are_skipped() -> None:
    world = World()
    world.classify([a_received_pack(1, *points(1, 2))])

    batch = world.classify([a_received_pack(1, *points(1, 2)), a_received_pack(2, a_point(3, at=3))])

    assert world.written() == {"normal": [(1, False), (2, False), (3, False)]}
    assert fields_of(batch) == result(classes={"normal": 1}, repeated=2)


def test_a_pack_may_be_repeated_for_some_streams_and_new_for_others() -> None:
    world = World()
    world.classify([a_received_pack(1, a_point(1))])

    batch = world.classify([a_received_pack(1, a_point(1), a_point(2, stream_id="pressure"))])

    assert fields_of(batch) == result(classes={"normal": 1}, repeated=1)


@pytest.mark.parametrize("crashing", ["load", "put", "publish", "save"])
def test_a_crash_loses_nothing_and_repeats_carry_the_same_ids(crashing: str) -> None:
    pack = a_received_pack(1, *points(20, 60, 21, 61))
    undisturbed, world = World(**LIMITED), World(**LIMITED)
    undisturbed.classify([pack])

    world.crash_at(crashing)
    with pytest.raises(CrashError):
        world.classify([pack])
    world.fault = lambda effect: None
    world.classify([pack])

    assert set(world.ids()) == set(undisturbed.ids())
    assert len(world.ids()) == len(undisturbed.ids()) * (2 if crashing in ("publish", "save") else 1)
    assert world.states.memories == undisturbed.states.memories
    times = 2 if crashing == "save" else 1
    assert world.alarms.events == undisturbed.alarms.events * times


def test_a_crash_after_the_states_were_saved_repeats_nothing() -> None:
    pack = a_received_pack(1, *points(20, 60))
    world = World(**LIMITED)
    world.classify([pack])  # and killed before the queue hears of it

    batch = world.classify([pack])

    assert world.written() == {"alert": [(60, False)], "normal": [(20, False)]}
    assert fields_of(batch) == result(repeated=2)


@pytest.mark.parametrize("away", ["load", "put", "publish"])
def test_packs_are_retried_while_a_dependency_is_unavailable(away: str) -> None:
    world = World(**LIMITED)
    packs = [a_received_pack(1, *points(60)), a_received_pack(1, *points(61, source_id="b"), group="10-of-64")]

    def fault(effect: str) -> None:
        if effect == away:
            raise UnavailableError(away)

    world.fault = fault
    batch = world.classify(packs)

    assert {group: str(error) for group, error in batch.failed.items()} == {"3-of-64": away, "10-of-64": away}
    assert world.states.memories == {}
    world.fault = lambda effect: None
    assert world.classify(packs).failed == {}
    assert len({*world.ids()}) == 2


def test_a_classifier_that_was_overtaken_changes_no_state() -> None:
    world = World(**LIMITED)
    pack = a_received_pack(1, *points(20, 60))

    def overtake(effect: str) -> None:
        if effect == "put":
            world.fault = lambda effect: None
            world.classify([pack])
            world.classify([a_received_pack(2, a_point(1, at=9))])

    world.fault = overtake
    batch = world.classify([pack])

    assert list(batch.failed) == ["3-of-64"]
    assert isinstance(batch.failed["3-of-64"], StaleStateError)
    assert world.states.memories[a_key()][1].last_pack == 2
    assert len(world.ids()) == 5
    assert len({*world.ids()}) == 3


def test_a_group_that_fails_does_not_hold_up_the_others() -> None:
    world = World()
    packs = [
        a_received_pack(1, a_point(1)),
        a_received_pack(1, a_point(2, source_id="furnace-2"), group="10-of-64"),
    ]

    def overtake(effect: str) -> None:
        if effect == "save":
            world.fault = lambda effect: None
            world.classify([packs[0]])

    world.fault = overtake
    batch = world.classify(packs)

    assert list(batch.failed) == ["3-of-64"]
    assert world.classify([packs[1]]).repeated == 1


# --- when the number of shards changes -------------------------------------------------------------------------------


def test_a_pack_of_another_group_is_new_whatever_its_number() -> None:
    world = World()
    world.classify([a_received_pack(900, *points(1, 2))])

    batch = world.classify([a_received_pack(5, a_point(3, at=3), group="17-of-128")])

    assert fields_of(batch) == result(classes={"normal": 1})
    assert world.classify([a_received_pack(5, a_point(3, at=3), group="17-of-128")]).repeated == 1


def test_packs_of_two_shardings_are_not_classified_together() -> None:
    world = World()
    old, new = a_received_pack(1, a_point(1)), a_received_pack(1, a_point(2, at=1), group="17-of-128")

    batch = world.classify([old, new])

    assert world.written() == {"normal": [(1, False)]}
    assert list(batch.failed) == ["17-of-128"]
    assert world.classify([new]).failed == {}
    assert world.written() == {"normal": [(1, False), (2, False)]}


def test_packs_of_two_shardings_are_retried_while_a_dependency_is_unavailable() -> None:
    world = World()
    world.fault = _away

    batch = world.classify([a_received_pack(1, a_point(1)), a_received_pack(1, a_point(2), group="17-of-128")])

    assert set(batch.failed) == {"3-of-64", "17-of-128"}


def _away(effect: str) -> None:
    raise UnavailableError(effect)


# --- properties ------------------------------------------------------------------------------------------------------

_stream = st.lists(
    st.builds(
        lambda value, at, sequence: a_point(value, at=at, sequence=sequence),
        st.sampled_from([1.0, 2.0, 8.0, 20.0, 60.0]),
        st.integers(0, 40),
        st.none() | st.integers(0, 1),
    ),
    min_size=1,
    max_size=60,
).map(lambda its: sorted(its, key=lambda point: (point.timestamp, -1 if point.sequence is None else point.sequence)))

_others = st.lists(
    st.builds(
        lambda value, at, stream: a_point(value, at=at, stream_id=stream),
        st.sampled_from([1.0, 60.0]),
        st.integers(0, 40),
        st.sampled_from(["pressure", "humidity"]),
    ),
    max_size=20,
)

# Of each pack: how many points of the stream and of the others it holds, whether packs are taken now or with the next
# one, and whether they then come again.
_cuts = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.booleans(), st.booleans()), max_size=20)


def seen_of_the_stream(world: World) -> tuple[object, ...]:
    """All that anybody could see of the stream `temperature`, but for the order between classes."""
    return (
        {
            name: [point for point in its_points if point.stream_id == "temperature"]
            for name, its_points in world.streams.points.items()
        },
        [event for event in world.alarms.events if event.stream_id == "temperature"],
        world.states.memories[a_key()][1].state,
    )


@settings(max_examples=150)
@given(_stream, _others, _cuts)
def test_a_stream_comes_out_the_same_however_it_is_cut_into_packs_and_whatever_runs_beside_it(
    stream: list[DataPoint], others: list[DataPoint], cuts: list[tuple[int, int, bool, bool]]
) -> None:
    limits = LIMITED | {"warning_max": 15, "consecutive_violations_required": 2, "cooldown_seconds": 5}
    whole, cut = World(**limits), World(**limits)
    whole.classify([a_received_pack(1, *stream)])

    packs: list[ReceivedPack] = []
    for number, (size, size_beside, taken_alone, comes_again) in enumerate([*cuts, (len(stream), 0, True, False)]):
        packs.append(a_received_pack(number, *stream[:size], *others[:size_beside]))
        stream, others = stream[size:], others[size_beside:]
        if taken_alone:
            cut.classify(packs)
            if comes_again:
                cut.classify(packs)
            packs = []

    assert seen_of_the_stream(cut) == seen_of_the_stream(whole)


@settings(max_examples=60)
@given(_stream, st.lists(st.sampled_from(["load", "put", "publish", "save", ""]), max_size=12))
def test_crashes_leave_the_state_and_the_points_as_without_them(stream: list[DataPoint], crashes: list[str]) -> None:
    undisturbed, world = World(**LIMITED), World(**LIMITED)
    packs = [a_received_pack(start, *stream[start : start + 7]) for start in range(0, len(stream), 7)]
    for pack in packs:
        undisturbed.classify([pack])

    waiting = list(crashes)
    for pack in packs:
        while waiting:
            world.crash_at(waiting.pop())
            try:
                world.classify([pack])
            except CrashError:
                continue
            break
        world.fault = lambda effect: None
        world.classify([pack])

    assert world.states.memories == undisturbed.states.memories
    for name, its_points in undisturbed.streams.points.items():
        written = {point.point_id: point for point in world.streams.points[name]}
        assert list(written.values()) == its_points


def test_a_damaged_state_holds_back_its_own_stream_and_no_other() -> None:
    world = World()
    damaged, other = a_key("damaged"), a_key("other")
    world.damaged = {damaged}
    here = a_received_pack(1, a_point(1.0, stream_id="damaged"), a_point(2.0, stream_id="other"), group="3-of-64")
    there = a_received_pack(2, a_point(3.0, source_id="elsewhere"), group="10-of-64")

    batch = world.classify([here, there])

    assert {group: type(error) for group, error in batch.failed.items()} == {"3-of-64": DamagedStateError}
    assert world.written() == {"normal": [(2.0, False), (3.0, False)]}
    assert damaged not in world.states.memories
    world.damaged = set()
    again = world.classify([here])
    assert (again.failed, again.repeated) == ({}, 1)
    assert world.written() == {"normal": [(2.0, False), (3.0, False), (1.0, False)]}
    assert other in world.states.memories


def test_a_source_whose_states_cannot_be_read_fails_its_group_alone() -> None:
    world = World()
    world.unavailable = {"iot/furnace-1": UnavailableError("throttled")}
    here = a_received_pack(1, a_point(1.0), group="3-of-64")
    there = a_received_pack(2, a_point(3.0, source_id="elsewhere"), group="10-of-64")

    batch = world.classify([here, there])

    assert {group: type(error) for group, error in batch.failed.items()} == {"3-of-64": UnavailableError}
    assert world.written() == {"normal": [(3.0, False)]}
