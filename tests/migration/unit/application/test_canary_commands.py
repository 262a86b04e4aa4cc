"""The commands of the canary, and the phases in which they are possible."""

import msgspec
import pytest

from afluente.migration.adapters.memory import MemoryTrial
from afluente.migration.application.canary import review, rolled_back
from afluente.migration.application.canary_commands import (
    MAX_LISTED,
    CanaryCommands,
    CommandRefusedError,
    DifferencesFoundError,
    FaultyPlanError,
    Plan,
    plan_of,
)
from afluente.migration.application.shadow_commands import switch
from afluente.migration.application.trial import (
    EventKind,
    Gates,
    Phase,
    TrialCounts,
    TrialEvent,
    TrialSettings,
    added,
)
from tests.factories import NOW

COUNTS = TrialCounts(points=5, compared=5, invocations=1, added_ms=added(1))
PLAN = Plan(steps=(5, 100), gates=Gates(min_points=3), include=frozenset({"a"}), exclude=frozenset({"b"}))


class World:
    """A store, the time, and commands."""

    def __init__(self) -> None:
        self.now = NOW
        self.store = MemoryTrial()
        self.commands = CanaryCommands(self.store, clock=lambda: self.now, by="ada")

    @property
    def settings(self) -> TrialSettings:
        return self.store.settings()

    def shadow(self, counts: TrialCounts) -> None:
        settings = self.settings.in_next_step(self.now, shadow=True)
        assert self.store.save(settings, an_event())
        self.store.add(counts, step=settings.step)

    def completed(self, share: int = 100) -> None:
        self.commands.start(Plan(steps=(share,), gates=Gates(min_points=0, min_seconds=0)))
        counts = TrialCounts(points=1, compared=1, invocations=20, added_ms=tuple(20 * its for its in added(1)))
        review(self.store, self.settings, counts, now=self.now)
        assert self.settings.phase is Phase.COMPLETE


def an_event() -> TrialEvent:
    return TrialEvent(
        at=NOW,
        kind=EventKind.SHADOW_ON,
        by="ada",
        why="on",
        version=1,
        step=0,
        share_before=0,
        share=0,
        phase=Phase.IDLE,
    )


@pytest.fixture
def world() -> World:
    return World()


# --- start -----------------------------------------------------------------------------------------------------------


def test_a_canary_starts_with_the_first_step_of_its_plan(world: World) -> None:
    event = world.commands.start(PLAN)

    settings = world.settings
    assert (settings.phase, settings.share, settings.step, settings.step_began_at) == (Phase.RUNNING, 5, 1, NOW)
    assert plan_of(settings) == PLAN
    assert (event.kind, event.by, event.share_before, event.share) == (EventKind.STARTED, "ada", 0, 5)
    assert list(world.store.events()) == [event]


def test_one_canary_goes_at_a_time(world: World) -> None:
    world.commands.start(PLAN)

    with pytest.raises(CommandRefusedError, match="a canary is running at 5 %"):
        world.commands.start(PLAN)


def test_after_a_rollback_a_canary_may_start_again(world: World) -> None:
    world.commands.start(PLAN)
    world.commands.roll_back()

    world.commands.start(Plan())

    assert (world.settings.phase, world.settings.share, world.settings.step) == (Phase.RUNNING, 10, 3)


def test_where_shadow_has_found_differences_no_canary_starts(world: World) -> None:
    world.shadow(TrialCounts(compared=9, differences=2))

    with pytest.raises(DifferencesFoundError, match="2 differences, 0 at most"):
        world.commands.start(PLAN)
    assert [event.kind for event in world.store.events()] == [EventKind.SHADOW_ON]

    world.commands.start(PLAN, despite_differences=True)
    assert (world.settings.phase, world.settings.shadow) == (Phase.RUNNING, True)


def test_shadow_that_was_switched_off_has_found_its_differences_all_the_same(world: World) -> None:
    world.shadow(TrialCounts(compared=9, differences=2))
    switch(world.store, on=False, clock=lambda: NOW)

    with pytest.raises(DifferencesFoundError):
        world.commands.start(PLAN)

    switch(world.store, on=True, clock=lambda: NOW)
    assert world.commands.start(PLAN).kind is EventKind.STARTED


def test_where_shadow_has_found_none_a_canary_starts(world: World) -> None:
    world.shadow(TrialCounts(compared=9))

    assert world.commands.start(PLAN).kind is EventKind.STARTED


@pytest.mark.parametrize("steps", [(), (0, 10), (10, 10), (50, 10), (10, 101), (-1,)])
def test_steps_that_do_not_ascend_are_refused(world: World, steps: tuple[int, ...]) -> None:
    with pytest.raises(FaultyPlanError, match="they ascend, each from 1 to 100"):
        world.commands.start(Plan(steps=steps))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(include=frozenset({"iot/a"})), "include: 'iot/a' is no source_id"),
        (Plan(exclude=frozenset({"a#"})), "exclude: 'a#' is no source_id"),
        (Plan(include=frozenset({"a"}), exclude=frozenset({"a", "b"})), "'a' is to be included and excluded"),
        (Plan(exclude=frozenset(map(str, range(MAX_LISTED + 1)))), "exclude names 1,001 sources, 1,000 at most"),
    ],
)
def test_lists_that_cannot_be_meant_are_refused(world: World, plan: Plan, message: str) -> None:
    with pytest.raises(FaultyPlanError, match=message):
        world.commands.start(plan)


# --- hold, resume, roll back -----------------------------------------------------------------------------------------


def test_a_canary_that_is_held_goes_on_with_what_was_counted(world: World) -> None:
    world.commands.start(PLAN)
    world.store.add(COUNTS, step=1)

    held = world.commands.hold()
    assert world.settings.phase is Phase.HELD
    assert (held.kind, held.counts) == (EventKind.HELD, COUNTS)
    resumed = world.commands.resume()

    assert (world.settings.phase, world.settings.step, resumed.kind) == (Phase.RUNNING, 1, EventKind.RESUMED)


def test_what_does_not_run_cannot_be_held_and_what_is_not_held_cannot_go_on(world: World) -> None:
    with pytest.raises(CommandRefusedError, match="the canary is idle"):
        world.commands.hold()
    world.commands.start(PLAN)
    with pytest.raises(CommandRefusedError, match="the canary is running, not held"):
        world.commands.resume()
    world.commands.roll_back()
    with pytest.raises(CommandRefusedError, match="the canary is rolled back: there is no next step"):
        world.commands.hold()


def test_a_person_takes_a_canary_back(world: World) -> None:
    world.commands.start(PLAN)
    before = world.settings
    world.now += 7

    event = world.commands.roll_back("too warm")

    assert world.settings == rolled_back(before, NOW + 7)
    assert event is not None
    assert (event.kind, event.why, event.seconds) == (EventKind.ROLLED_BACK, "too warm", 7)


def test_without_a_canary_there_is_no_rollback(world: World) -> None:
    assert world.commands.roll_back() is None
    assert list(world.store.events()) == []


# --- change ----------------------------------------------------------------------------------------------------------


def test_another_share_counts_anew(world: World) -> None:
    world.commands.start(PLAN)
    world.now += 9

    event = world.commands.change(plan_of(world.settings), share=50)

    assert (world.settings.share, world.settings.step, world.settings.step_began_at) == (50, 2, NOW + 9)
    assert (event.kind, event.share_before, event.share) == (EventKind.SET, 5, 50)


def test_other_gates_keep_what_was_counted(world: World) -> None:
    world.commands.start(PLAN)

    world.commands.change(Plan(include=PLAN.include, exclude=PLAN.exclude))

    assert (world.settings.step, world.settings.gates, world.settings.steps) == (1, Gates(), (10, 50, 100))


def test_other_lists_count_anew(world: World) -> None:
    world.commands.start(PLAN)

    world.commands.change(Plan(steps=PLAN.steps))

    assert (world.settings.step, world.settings.include, world.settings.exclude) == (2, frozenset(), frozenset())


@pytest.mark.parametrize(("share", "phase"), [(50, Phase.RUNNING), (100, Phase.COMPLETE), (None, Phase.COMPLETE)])
def test_a_complete_canary_goes_on_from_another_share(world: World, share: int | None, phase: Phase) -> None:
    world.completed()

    world.commands.change(plan_of(world.settings), share=share)

    assert world.settings.phase is phase


def test_a_complete_canary_goes_on_to_further_steps(world: World) -> None:
    world.completed(50)

    world.commands.change(msgspec.structs.replace(plan_of(world.settings), steps=(50, 100)))

    assert (world.settings.phase, world.settings.share) == (Phase.RUNNING, 50)


@pytest.mark.parametrize("share", [-1, 101])
def test_a_share_is_a_part_of_a_hundred(world: World, share: int) -> None:
    world.commands.start(PLAN)

    with pytest.raises(FaultyPlanError, match=f"not {share}"):
        world.commands.change(PLAN, share=share)


def test_where_there_is_no_canary_nothing_can_be_changed(world: World) -> None:
    with pytest.raises(CommandRefusedError, match="the canary is idle: there is nothing to change"):
        world.commands.change(PLAN)


class Overtaken(MemoryTrial):
    """Settings that somebody else changes when they were read, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def settings(self) -> TrialSettings:
        found = super().settings()
        if self.times:
            self.times -= 1
            super().save(found.changed(), an_event())
        return found


def test_an_order_that_comes_too_late_changes_nothing() -> None:
    with pytest.raises(CommandRefusedError, match="has changed meanwhile"):
        CanaryCommands(Overtaken(1), clock=lambda: NOW).start(PLAN)


def test_a_rollback_does_not_come_too_late() -> None:
    store = Overtaken(0)
    commands = CanaryCommands(store, clock=lambda: NOW)
    commands.start(PLAN)
    store.times = 2

    event = commands.roll_back()

    assert event is not None
    assert (store.settings().phase, store.settings().version, event.version) == (Phase.ROLLED_BACK, 4, 4)


def test_a_rollback_that_always_comes_too_late_is_refused() -> None:
    store = Overtaken(0)
    commands = CanaryCommands(store, clock=lambda: NOW)
    commands.start(PLAN)
    store.times = 10**6

    with pytest.raises(CommandRefusedError, match="has changed meanwhile"):
        commands.roll_back()
