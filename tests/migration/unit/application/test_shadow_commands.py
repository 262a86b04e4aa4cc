"""Shadow as people have it: switched with one winner, and reported by sensor and cause."""

import pytest

from afluente.domain.evaluation import Classification
from afluente.migration.adapters.memory import MemoryTrial
from afluente.migration.application.canary import event_of
from afluente.migration.application.canary_commands import CommandRefusedError
from afluente.migration.application.shadow_commands import report, switch
from afluente.migration.application.trial import (
    DifferenceCause,
    EventKind,
    NotedDifference,
    Phase,
    PointDifference,
    TrialCounts,
    TrialEvent,
    TrialSettings,
)
from tests.factories import NOW, Clock


def a_difference(stream: str, cause: DifferenceCause = DifferenceCause.RATE) -> PointDifference:
    return PointDifference(
        stream=stream,
        cause=cause,
        legacy_class=Classification.NORMAL,
        constraints_class=Classification.ANOMALY,
        value=1,
        timestamp=NOW,
        point_id="1",
    )


def in_phase(phase: Phase) -> MemoryTrial:
    store = MemoryTrial()
    before = store.settings()
    after = before.in_next_step(NOW, phase=phase, share=10)
    store.save(after, event_of(EventKind.SET, before, after, counts=TrialCounts(), now=NOW, by="cli", why="because"))
    return store


def kind_and_version(event: TrialEvent | None) -> tuple[str, int] | None:
    return (event.kind.value, event.version) if event else None


def test_shadow_is_switched_and_what_is_so_already_stays() -> None:
    store = MemoryTrial()

    assert kind_and_version(switch(store, on=True, clock=Clock())) == ("shadow_on", 1)
    assert switch(store, on=True, clock=Clock()) is None
    assert (store.settings().shadow, store.settings().step, store.settings().step_began_at) == (True, 1, NOW)
    assert kind_and_version(switch(store, on=False, clock=Clock())) == ("shadow_off", 2)
    assert switch(store, on=False, clock=Clock()) is None
    assert [event.kind for event in store.events()] == ["shadow_off", "shadow_on"]


def test_what_was_found_can_be_read_once_shadow_is_off() -> None:
    store = MemoryTrial()
    switch(store, on=True, clock=Clock())
    store.add(TrialCounts(compared=3, differences=1), step=1)

    event = switch(store, on=False, clock=Clock())

    assert event is not None
    assert event.counts.compared == 3
    assert report(store).counts == TrialCounts(compared=3, differences=1)


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.HELD, Phase.COMPLETE])
def test_a_canary_under_way_goes_on_in_its_step(phase: Phase) -> None:
    store = in_phase(phase)

    switch(store, on=True, clock=Clock())

    assert (store.settings().step, store.settings().phase, store.settings().share) == (1, phase, 10)


def test_after_a_rollback_counters_begin_anew() -> None:
    store = in_phase(Phase.ROLLED_BACK)

    switch(store, on=True, clock=Clock())

    assert (store.settings().step, store.settings().phase) == (2, Phase.ROLLED_BACK)


def test_of_two_who_switch_at_once_one_is_refused() -> None:
    class Overtaken(MemoryTrial):
        def save(self, settings: TrialSettings, event: TrialEvent) -> bool:
            super().save(settings, event)
            return super().save(settings, event)

    with pytest.raises(CommandRefusedError, match="changed meanwhile"):
        switch(Overtaken(), on=True, clock=Clock())


def test_differences_are_reported_by_sensor_and_cause_the_most_first() -> None:
    store = MemoryTrial()
    switch(store, on=True, clock=Clock())
    store.add(TrialCounts(compared=99, differences=12), step=1)
    store.note([NotedDifference(2, a_difference("iot/d/1")), NotedDifference(5, a_difference("iot/d/2"))], step=1)
    store.note([NotedDifference(4, a_difference("iot/d/1", DifferenceCause.VALUE_ZONE))], step=1)

    found = report(store)

    assert [(its.example.stream, its.example.cause.value, its.count) for its in found.noted] == [
        ("iot/d/2", "rate", 5),
        ("iot/d/1", "value_zone", 4),
        ("iot/d/1", "rate", 2),
    ]
    assert list(found.by_cause.items()) == [("rate", 7), ("value_zone", 4)]
    assert (found.step, found.not_noted) == (1, 1)


def test_an_earlier_step_can_be_looked_at() -> None:
    store = in_phase(Phase.ROLLED_BACK)
    store.add(TrialCounts(compared=9, differences=1), step=1)
    store.note([NotedDifference(1, a_difference("iot/d/1"))], step=1)
    switch(store, on=True, clock=Clock())

    assert (report(store).counts, report(store).noted) == (TrialCounts(), [])
    assert (report(store, 1).counts.compared, len(report(store, 1).noted)) == (9, 1)
