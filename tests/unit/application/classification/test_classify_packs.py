"""Classify packs: once in effect despite retries, crashes, late arrivals, and whatever an invocation holds together."""

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afluente.application.classification.classify_pack import PackCounts
from afluente.application.classification.classify_packs import BatchResult
from afluente.application.classification.ports import DamagedStateError, StaleStateError
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.application.ingest.quarantine import QuarantineReason
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification
from tests.factories import GROUP, NOW, a_config, a_key, a_point, a_received_pack, points
from tests.unit.classifier_world import LIMITED, CrashError, World

OTHER_GROUP = "10-of-64"


def counted(**fields: Any) -> dict[str, Any]:
    """The counts expected of a batch, zeros left out."""
    return fields


def counts_of(batch: BatchResult) -> dict[str, Any]:
    fields = {name: getattr(batch.counts, name) for name in PackCounts.__struct_fields__}
    # Most worlds have no constraints, which is not what these tests are about.
    return {name: value for name, value in fields.items() if value and name != "unconstrained"}


def failures(batch: BatchResult) -> dict[str, str]:
    """The packs that failed, with the reason."""
    return {failed.pack.message_id: str(failed.error) for failed in batch.failed}


def returned(batch: BatchResult) -> list[str]:
    return [pack.message_id for pack in batch.returned]


def elsewhere(number: int, *its_points: DataPoint) -> ReceivedPack:
    """A pack of another source, in another group."""
    pack = a_received_pack(number, *its_points, group=OTHER_GROUP)
    return ReceivedPack(f"other-{number}", pack.group, number, pack.points)


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
    assert counts_of(batch) == counted(
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


def test_a_delivery_holds_the_points_of_one_class_of_all_sources_of_a_pack() -> None:
    world = World(**LIMITED)

    world.classify(
        [a_received_pack(1, *points(1, 60, 2, 61), *points(3, 62, source_id="furnace-2"), *points(4, stream_id="b"))]
    )

    assert [
        (delivery.classification.value, delivery.group, [point.value for point in delivery.points])
        for delivery in world.deliveries
    ] == [("normal", GROUP, [1, 2, 3, 4]), ("alert", GROUP, [60, 61, 62])]


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


def test_a_pack_is_sorted_and_judged_alone() -> None:
    together, apart = World(), World()
    packs = [
        a_received_pack(1, a_point(3, at=3), a_point(1, at=1)),
        a_received_pack(2, a_point(2, at=2), a_point(0, at=0)),
    ]

    batch = together.classify(packs)
    for pack in packs:
        apart.classify([pack])

    assert together.written() == apart.written()
    assert together.written() == {"normal": [(1, False), (3, False), (0, True), (2, True)]}
    assert together.states.memories == apart.states.memories
    assert counts_of(batch) == counted(classes={"normal": 4}, late=2)


def test_a_pack_that_comes_again_beside_a_later_one_is_judged_as_it_was_published() -> None:
    world = World(max_value=10, abs_delta=4, consecutive_violations_required=2, cooldown_seconds=0)
    first = a_received_pack(1, a_point(11, at=10), a_point(12, at=30))
    second = a_received_pack(2, a_point(5, at=20))
    world.crash_at("save")
    with pytest.raises(CrashError):
        world.classify([first])
    published = list(world.alarms.events)
    world.heal()

    world.classify([first, second])

    assert len(published) == 1
    assert world.alarms.events == published * 2
    (alarm,) = published
    _, memory = world.states.memories[a_key()]
    assert memory.state.alarm.standing is not None
    assert memory.state.alarm.standing.alarm_id == alarm.alarm_id


def test_the_type_of_a_stream_is_that_of_the_pack_at_hand() -> None:
    world = World()
    world.constraints.put("iot#hot", a_config(max_value=50))
    world.constraints.put("iot#cold", a_config(max_value=0))

    world.classify([a_received_pack(1, a_point(20, stream_type="hot")), a_received_pack(2, a_point(21, at=1))])

    assert world.written() == {"normal": [(20, False), (21, False)]}


def test_duplicates_are_counted_and_not_written() -> None:
    world = World()

    batch = world.classify([a_received_pack(1, *points(1, 2)), a_received_pack(2, *points(1, 2))])

    assert world.written() == {"normal": [(1, False), (2, False)]}
    assert counts_of(batch) == counted(classes={"normal": 2}, duplicates=2)


def test_a_pack_of_duplicates_alone_is_still_saved_as_the_last_one() -> None:
    world = World()
    world.classify([a_received_pack(1, *points(1, 2))])
    world.effects.clear()

    world.classify([a_received_pack(2, *points(1, 2))])

    assert world.effects == ["load", "save"]
    assert world.classify([a_received_pack(2, *points(1, 2))]).counts.repeated == 2


def test_a_pack_is_saved_before_the_next_of_its_group_is_begun_and_states_are_read_once() -> None:
    world = World(**LIMITED)

    world.classify([a_received_pack(1, *points(60)), a_received_pack(2, a_point(1, at=9))])

    assert world.effects == ["load", "put", "publish", "save", "put", "publish", "save"]


def test_groups_run_side_by_side() -> None:
    world = World()
    both_are_there = threading.Barrier(2, timeout=10)

    def fault(effect: str, _group: str) -> None:
        if effect == "put":
            both_are_there.wait()

    world.fault = fault
    batch = world.classify([a_received_pack(1, a_point(1)), elsewhere(1, a_point(2, source_id="furnace-2"))])

    assert counts_of(batch) == counted(classes={"normal": 2})


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
    assert counts_of(batch) == counted(repeated=3)


def test_of_the_packs_of_a_batch_only_repeated_ones_are_skipped() -> None:
    world = World()
    world.classify([a_received_pack(1, *points(1, 2))])

    batch = world.classify([a_received_pack(1, *points(1, 2)), a_received_pack(2, a_point(3, at=3))])

    assert world.written() == {"normal": [(1, False), (2, False), (3, False)]}
    assert counts_of(batch) == counted(classes={"normal": 1}, repeated=2)


def test_a_pack_may_be_repeated_for_some_streams_and_new_for_others() -> None:
    world = World()
    world.classify([a_received_pack(1, a_point(1))])

    batch = world.classify([a_received_pack(1, a_point(1), a_point(2, stream_id="pressure"))])

    assert counts_of(batch) == counted(classes={"normal": 1}, repeated=1)


@pytest.mark.parametrize("crashing", ["load", "put", "publish", "save"])
def test_a_crash_loses_nothing_and_repeats_carry_the_same_ids(crashing: str) -> None:
    pack = a_received_pack(1, *points(20, 60, 21, 61))
    undisturbed, world = World(**LIMITED), World(**LIMITED)
    undisturbed.classify([pack])

    world.crash_at(crashing)
    with pytest.raises(CrashError):
        world.classify([pack])
    world.heal()
    world.classify([pack])

    assert set(world.ids()) == set(undisturbed.ids())
    assert len(world.ids()) == len(undisturbed.ids()) * (2 if crashing in ("publish", "save") else 1)
    assert world.states.memories == undisturbed.states.memories
    assert world.alarms.events == undisturbed.alarms.events * (2 if crashing == "save" else 1)


def test_a_classifier_that_was_overtaken_changes_no_state() -> None:
    world = World(**LIMITED)
    pack = a_received_pack(1, *points(20, 60))

    def overtake(effect: str, _group: str) -> None:
        if effect == "put":
            world.heal()
            world.classify([pack])
            world.classify([a_received_pack(2, a_point(1, at=9))])

    world.fault = overtake
    batch = world.classify([pack])

    (failed,) = batch.failed
    assert isinstance(failed.error, StaleStateError)
    assert world.states.memories[a_key()][1].last_pack == 2
    assert len(world.ids()) == 5
    assert len({*world.ids()}) == 3


# --- what fails ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["put", "save"])
def test_a_pack_that_fails_holds_up_its_own_group_alone(failing: str) -> None:
    world = World()
    world.fail(failing, GROUP)

    batch = world.classify(
        [
            a_received_pack(1, a_point(1)),
            elsewhere(1, a_point(2, source_id="furnace-2")),
            a_received_pack(2, a_point(3, at=3)),
            elsewhere(2, a_point(4, at=4, source_id="furnace-2")),
        ]
    )

    assert failures(batch) == {"message-1": failing}
    assert returned(batch) == ["message-2"]
    assert counts_of(batch)["classes"] == {"normal": 2}
    assert a_key() not in world.states.memories
    world.heal()
    again = world.classify([a_received_pack(1, a_point(1)), a_received_pack(2, a_point(3, at=3))])
    assert (again.failed, again.returned) == ([], [])
    assert len({*world.ids()}) == 4


@pytest.mark.parametrize("failing", ["publish", "put"])
def test_packs_are_retried_while_a_dependency_is_unavailable(failing: str) -> None:
    world = World(**LIMITED)
    packs = [a_received_pack(1, *points(60)), elsewhere(1, *points(61, source_id="b"))]
    world.fail(failing)

    batch = world.classify(packs)

    assert failures(batch) == {"message-1": failing, "other-1": failing}
    assert world.states.memories == {}
    world.heal()
    assert world.classify(packs).failed == []
    assert len({*world.ids()}) == 2


def test_constraints_that_are_unavailable_fail_the_pack() -> None:
    world = World()
    world.fail("fetch")

    batch = world.classify([a_received_pack(1, a_point(1))])

    assert failures(batch) == {"message-1": "fetch"}
    assert world.effects == ["load"]


def test_an_error_that_nobody_expected_is_that_packs_alone() -> None:
    world = World()

    def fault(effect: str, group: str) -> None:
        if (effect, group) == ("put", GROUP):
            raise KeyError("a defect")

    world.fault = fault
    batch = world.classify([a_received_pack(1, a_point(1)), elsewhere(1, a_point(2, source_id="furnace-2"))])

    assert failures(batch) == {"message-1": "'a defect'"}
    assert world.written() == {"normal": [(2, False)]}


def test_a_damaged_state_holds_back_its_own_stream_and_no_other() -> None:
    world = World()
    world.damaged = {a_key("damaged")}
    here = a_received_pack(1, a_point(1.0, stream_id="damaged"), a_point(2.0, stream_id="other"))
    there = elsewhere(2, a_point(3.0, source_id="elsewhere"))

    batch = world.classify([here, there])

    (failed,) = batch.failed
    assert isinstance(failed.error, DamagedStateError)
    assert sorted(world.written()["normal"]) == [(2.0, False), (3.0, False)]
    assert a_key("damaged") not in world.states.memories
    world.damaged = set()
    again = world.classify([here])
    assert (again.failed, again.counts.repeated) == ([], 1)
    assert sorted(world.written()["normal"]) == [(1.0, False), (2.0, False), (3.0, False)]


def test_a_source_whose_states_cannot_be_read_is_retried_and_the_others_of_its_pack_are_done() -> None:
    world = World()
    world.unavailable = {"iot/furnace-1": UnavailableError("throttled")}

    batch = world.classify([a_received_pack(1, a_point(1.0), a_point(3.0, source_id="furnace-2"))])

    assert failures(batch) == {"message-1": "throttled"}
    assert world.written() == {"normal": [(3.0, False)]}
    world.unavailable = {}
    assert world.classify([a_received_pack(1, a_point(1.0), a_point(3.0, source_id="furnace-2"))]).failed == []
    assert sorted(world.written()["normal"]) == [(1.0, False), (3.0, False)]


# --- streams beyond the limit ----------------------------------------------------------------------------------------


def test_points_of_streams_beyond_the_limit_of_their_source_go_into_quarantine() -> None:
    world = World(streams_per_source=2)
    pack = a_received_pack(
        1,
        *(a_point(number, stream_id=f"s{number}") for number in range(4)),
        a_point(9, stream_id="s9", source_id="furnace-2"),
    )

    batch = world.classify([pack])

    assert counts_of(batch) == counted(classes={"normal": 3}, quarantined=2)
    assert batch.failed == []
    (record,) = world.quarantine.records.values()
    assert record.reason is QuarantineReason.TOO_MANY_STREAMS
    assert record.origin == {"domain": "iot", "source_id": "furnace-1"}
    assert "2 streams" in record.message
    assert "streams_per_source" in record.message
    assert [point["stream_id"] for point in json.loads(record.payload)] == ["s2", "s3"]
    assert set(record.faults) == {0, 1}


def test_a_pack_is_retried_while_the_quarantine_that_it_needs_is_unavailable() -> None:
    world = World(streams_per_source=0)
    world.fail("quarantine")

    batch = world.classify([a_received_pack(1, a_point(1))])

    assert failures(batch) == {"message-1": "quarantine"}
    world.heal()
    assert counts_of(world.classify([a_received_pack(1, a_point(1))])) == counted(quarantined=1)
    assert list(world.quarantine.records) == ["message-1-0"]


# --- time ------------------------------------------------------------------------------------------------------------


def test_packs_for_which_no_time_is_left_are_returned_and_have_not_failed() -> None:
    world = World()
    world.left, world.seconds = 10.0, 1.0

    batch = world.classify([a_received_pack(number, a_point(number, at=number)) for number in range(1, 9)])

    # Reading takes one second, a pack two. The third may take half as long again, and two seconds are to be left.
    assert failures(batch) == {}
    assert returned(batch) == [f"message-{number}" for number in range(3, 9)]
    assert world.left == 5.0


def test_nothing_is_begun_when_the_time_is_over() -> None:
    world = World()
    world.left = 1.0

    batch = world.classify([a_received_pack(1, a_point(1))])

    assert (batch.failed, returned(batch)) == ([], ["message-1"])
    assert world.effects == ["load"]


def test_a_pack_that_is_not_done_in_time_fails_and_the_others_are_done() -> None:
    world = World()
    world.left = 2.5
    is_over = threading.Event()

    def fault(effect: str, group: str) -> None:
        if (effect, group) == ("put", GROUP):
            is_over.wait(timeout=30)

    world.fault = fault
    batch = world.classify(
        [
            a_received_pack(1, a_point(1)),
            a_received_pack(2, a_point(2, at=2)),
            elsewhere(1, a_point(3, source_id="furnace-2")),
        ]
    )
    is_over.set()

    assert failures(batch) == {"message-1": "it was not done in time"}
    assert returned(batch) == ["message-2"]
    assert counts_of(batch) == counted(classes={"normal": 1})


# --- slots of bulk ---------------------------------------------------------------------------------------------------


def a_bulk_pack(number: int) -> ReceivedPack:
    pack = a_received_pack(number, a_point(number, at=number))
    return ReceivedPack(pack.message_id, pack.group, number, pack.points, slot=f"token-{number}")


def test_a_pack_of_bulk_releases_its_slot_once_it_is_saved() -> None:
    world = World()

    world.classify([a_bulk_pack(1), a_received_pack(2, a_point(2, at=2))])

    assert world.released == [(GROUP, "token-1", 1)]
    assert world.effects == ["load", "put", "save", "release", "put", "save"]


def test_a_pack_that_comes_again_releases_its_slot_again() -> None:
    world = World()
    world.crash_at("release")
    with pytest.raises(CrashError):
        world.classify([a_bulk_pack(1)])
    world.heal()

    world.classify([a_bulk_pack(1)])

    assert world.released == [(GROUP, "token-1", 1)]


def test_a_pack_that_fails_keeps_its_slot_and_one_whose_slot_cannot_be_released_is_done() -> None:
    world = World()
    world.fail("save")
    assert failures(world.classify([a_bulk_pack(1)])) == {"message-1": "save"}
    assert world.released == []

    world.fail("release")
    assert world.classify([a_bulk_pack(1)]).failed == []


# --- when the number of shards changes -------------------------------------------------------------------------------


def test_a_pack_of_another_group_is_new_whatever_its_number() -> None:
    world = World()
    world.classify([a_received_pack(900, *points(1, 2))])

    batch = world.classify([a_received_pack(5, a_point(3, at=3), group="17-of-128")])

    assert counts_of(batch) == counted(classes={"normal": 1})
    assert world.classify([a_received_pack(5, a_point(3, at=3), group="17-of-128")]).counts.repeated == 1


def test_packs_of_two_shardings_are_not_classified_together() -> None:
    world = World()
    old, new = a_received_pack(1, a_point(1)), a_received_pack(2, a_point(2, at=1), group="17-of-128")

    batch = world.classify([old, new])

    assert world.written() == {"normal": [(1, False)]}
    assert (batch.failed, returned(batch)) == ([], ["message-2"])
    assert world.classify([new]).returned == []
    assert world.written() == {"normal": [(1, False), (2, False)]}


# --- properties ------------------------------------------------------------------------------------------------------

_STRICT = LIMITED | {"warning_max": 15, "consecutive_violations_required": 2, "cooldown_seconds": 5}

_points = st.lists(
    st.builds(
        lambda value, at, sequence, stream: a_point(value, at=at, sequence=sequence, stream_id=stream),
        st.sampled_from([1.0, 2.0, 8.0, 20.0, 60.0]),
        st.integers(0, 30),
        st.none() | st.integers(0, 1),
        st.sampled_from(["temperature", "temperature", "pressure"]),
    ),
    min_size=1,
    max_size=8,
)
_packs = st.lists(_points, min_size=1, max_size=8).map(
    lambda its: [a_received_pack(number, *some) for number, some in enumerate(its, start=1)]
)
_steps = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.sampled_from(["load", "put", "publish", "save", "", "", ""]),
        st.integers(0, 3),
        st.floats(0, 30),
    ),
    max_size=12,
)
"""Invocations: the packs that each holds, the effect before which it is killed, how often that effect comes
before, and the seconds that it has."""


@settings(max_examples=300)
@given(_packs, _steps)
def test_any_cut_of_the_same_packs_into_invocations_gives_the_same_points_ids_and_alarms(
    packs: list[ReceivedPack], steps: list[tuple[int, str, int, float]]
) -> None:
    alone, cut = World(**_STRICT), World(**_STRICT)
    for pack in packs:
        alone.classify([pack])

    waiting = list(packs)
    for held, crashing, skip, seconds in [*steps, (len(packs), "", 0, 1000.0)]:
        if not waiting:
            break
        cut.left, cut.seconds = seconds, 1.0
        if crashing:
            cut.crash_at(crashing, skip)
        waiting = _left_of(waiting, waiting[:held], cut)
        cut.heal()

    assert cut.states.memories == alone.states.memories
    for name in Classification:
        assert _without_repeats(cut.streams.points[name]) == alone.streams.points[name]
    assert _without_repeats(cut.alarms.events) == alone.alarms.events


def _left_of(waiting: Sequence[ReceivedPack], held: Sequence[ReceivedPack], world: World) -> list[ReceivedPack]:
    """The packs that the queue still has after an invocation."""
    try:
        batch = world.classify(held)
    except CrashError:
        return list(waiting)
    retried = {failed.pack.message_id for failed in batch.failed} | {pack.message_id for pack in batch.returned}
    return [pack for pack in waiting if pack not in held or pack.message_id in retried]


def _without_repeats(found: Sequence[Any]) -> list[Any]:
    """The first of each; a repetition that differs in anything counts as another."""
    first: list[Any] = []
    for one in found:
        if one not in first:
            first.append(one)
    return first
