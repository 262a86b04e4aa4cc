"""The monitor: settings at most a second old, gathered counts, an unavailable store."""

import pytest

from afluente.application.errors import UnavailableError
from afluente.domain.evaluation import Classification
from afluente.migration.adapters.memory import MemoryTrial
from afluente.migration.application.canary import event_of, rolled_back
from afluente.migration.application.gates import RECENT_SECONDS
from afluente.migration.application.monitor import (
    MAX_GATHERED,
    NOTED_AT_ONCE,
    RETRY_SECONDS,
    SETTINGS_SECONDS,
    TrialMonitor,
)
from afluente.migration.application.trial import (
    DifferenceCause,
    EventKind,
    Gates,
    NotedDifference,
    Phase,
    PointDifference,
    TrialCounts,
    TrialEvent,
    TrialSettings,
    added,
)
from tests.factories import NOW

GATES = Gates(min_seconds=30, min_points=100)
POINTS = TrialCounts(points=10, compared=10, invocations=1, added_ms=added(1))


class TableThatMayBeAway(MemoryTrial):
    """Counts what it is asked, and does not answer while it is away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.answers_at = 0
        self.asked = 0

    def settings(self) -> TrialSettings:
        self._ask()
        return super().settings()

    def add(self, counts: TrialCounts, *, step: int) -> TrialCounts:
        self._ask()
        return super().add(counts, step=step)

    def _ask(self) -> None:
        self.asked += 1
        if self.away and self.asked != self.answers_at:
            raise UnavailableError("away")


class World:
    """A trial, its store, and the time."""

    def __init__(self) -> None:
        self.store = TableThatMayBeAway()
        self.seconds = 0.0
        self.events: list[TrialEvent] = []
        self.failures: list[UnavailableError] = []
        self.trial = self.another_classifier()

    def another_classifier(self) -> TrialMonitor:
        return TrialMonitor(
            self.store,
            clock=lambda: self.seconds,
            now=lambda: NOW + self.seconds,
            on_event=self.events.append,
            on_unavailable=self.failures.append,
        )

    def start(self, share: int = 10) -> TrialSettings:
        before = self.store.settings()
        return self.change(before.in_next_step(self.now, phase=Phase.RUNNING, share=share, gates=GATES))

    def change(self, after: TrialSettings) -> TrialSettings:
        before = self.store.settings()
        counts = TrialCounts()
        event = event_of(EventKind.SET, before, after, counts=counts, now=self.now, by="cli", why="because")
        assert self.store.save(after, event)
        return after

    @property
    def now(self) -> float:
        return NOW + self.seconds

    def classify(self, counts: TrialCounts = POINTS, *differences: PointDifference) -> TrialSettings:
        """Report an invocation under the settings in force."""
        settings = self.trial.settings()
        self.trial.report(settings, counts, differences)
        return settings

    def noted(self, step: int) -> list[NotedDifference]:
        return list(self.store.differences(step))


@pytest.fixture
def world() -> World:
    return World()


def a_difference(stream: int = 1) -> PointDifference:
    return PointDifference(
        stream=f"iot/a/{stream}",
        cause=DifferenceCause.VALUE_ZONE,
        legacy_class=Classification.ALERT,
        constraints_class=Classification.NORMAL,
        value=1.0,
        timestamp=NOW,
        point_id="ab",
    )


def differing(*differences: PointDifference) -> TrialCounts:
    return TrialCounts(points=10, compared=10, differences=len(differences), invocations=1, added_ms=added(1))


# --- settings --------------------------------------------------------------------------------------------------------


def test_before_there_are_settings_no_source_is_in_the_canary(world: World) -> None:
    assert world.classify() == TrialSettings()


def test_settings_are_asked_for_once_a_second(world: World) -> None:
    world.trial.settings()
    started = world.start()
    world.store.asked = 0

    world.seconds = SETTINGS_SECONDS - 0.01
    assert world.trial.settings() == TrialSettings()
    assert world.store.asked == 0
    world.seconds = SETTINGS_SECONDS
    assert world.trial.settings() == started
    assert world.store.asked == 1


# --- counting --------------------------------------------------------------------------------------------------------


def test_counts_gather_for_a_second(world: World) -> None:
    world.start()
    world.classify()
    for _ in range(3):
        world.classify()
    assert world.store.counts(1) == POINTS

    world.seconds = 1.0
    world.classify()

    assert world.store.counts(1).points == 50
    assert world.store.counts(1).invocations == 5


def test_an_error_is_counted_at_once(world: World) -> None:
    world.start()
    world.classify()

    world.classify(TrialCounts(points=10, compared=10, errors=1, invocations=1, added_ms=added(1)))

    assert (world.store.counts(1).points, world.store.counts(1).errors) == (20, 1)


def test_where_nothing_is_on_trial_nothing_is_written(world: World) -> None:
    world.trial.settings()
    world.store.asked = 0

    world.trial.report(TrialSettings(), TrialCounts())

    assert world.store.asked == 0


def test_points_of_a_former_step_are_not_counted(world: World) -> None:
    before = world.start()
    world.classify()
    after = world.start(share=50)
    world.seconds = 2.0
    assert world.trial.settings() == after

    world.trial.report(before, POINTS, ())

    assert world.store.counts(after.step) == TrialCounts()
    assert world.store.counts(before.step) == POINTS


def test_what_gathered_before_a_step_ended_is_not_counted_for_the_next(world: World) -> None:
    world.start()
    world.classify()
    world.classify()
    after = world.start(share=50)
    world.seconds = 2.0

    world.classify()

    assert world.store.counts(after.step) == POINTS


def test_settings_that_change_nothing_about_the_step_leave_what_gathered(world: World) -> None:
    settings = world.start()
    world.classify()
    world.classify()
    world.change(settings.changed(phase=Phase.HELD))
    world.seconds = 2.0

    world.classify()

    assert world.store.counts(settings.step).points == 30


# --- differences -----------------------------------------------------------------------------------------------------


def test_differences_are_noted_by_stream_and_cause(world: World) -> None:
    world.change(TrialSettings().in_next_step(NOW, shadow=True))
    twice = (a_difference(), a_difference(), a_difference(2))

    world.classify(differing(*twice), *twice)

    assert world.noted(1) == [NotedDifference(2, a_difference()), NotedDifference(1, a_difference(2))]
    assert world.store.counts(1).differences == 3


def test_many_differences_are_noted_a_few_at_a_time(world: World) -> None:
    world.change(TrialSettings().in_next_step(NOW, shadow=True))
    many = [a_difference(stream) for stream in range(NOTED_AT_ONCE + 3)]

    world.classify(differing(*many), *many)
    assert len(world.noted(1)) == NOTED_AT_ONCE
    world.seconds = 1.0
    world.classify()

    assert len(world.noted(1)) == NOTED_AT_ONCE + 3


def test_of_more_streams_than_can_wait_differences_are_counted_alone(world: World) -> None:
    world.change(TrialSettings().in_next_step(NOW, shadow=True))
    many = [a_difference(stream) for stream in range(MAX_GATHERED + 5)]
    world.classify(differing(*many), *many)

    while world.seconds < 2 * MAX_GATHERED / NOTED_AT_ONCE:
        world.seconds += 1.0
        world.classify(TrialCounts())

    assert len(world.noted(1)) == MAX_GATHERED
    assert world.store.counts(1).differences == MAX_GATHERED + 5


# --- the machine -----------------------------------------------------------------------------------------------------


def test_the_classifier_that_counted_the_last_point_of_a_step_goes_to_the_next(world: World) -> None:
    world.start()
    for second in range(40):
        world.seconds = float(second)
        world.classify()

    assert [event.kind for event in world.events] == [EventKind.ADVANCED]
    assert world.trial.settings().share == 50


def test_a_difference_takes_the_canary_back_at_once_and_is_noted_where_it_was_seen(world: World) -> None:
    started = world.start()

    world.classify(differing(a_difference()), a_difference())

    assert world.trial.settings() == world.store.settings() == rolled_back(started, NOW)
    assert [event.kind for event in world.events] == [EventKind.ROLLED_BACK]
    assert world.noted(started.step) == [NotedDifference(1, a_difference())]


def test_other_classifiers_go_back_within_a_second(world: World) -> None:
    world.start(share=100)
    other = world.another_classifier()
    assert other.settings().in_canary("a")
    world.seconds = 0.5
    world.classify(differing(a_difference()), a_difference())

    world.seconds = SETTINGS_SECONDS
    assert not other.settings().in_canary("a")


def test_who_was_not_first_takes_the_settings_of_who_was(world: World) -> None:
    world.start()
    world.trial.settings()
    world.change(world.store.settings().changed(phase=Phase.HELD))

    world.classify(differing(a_difference()), a_difference())

    assert world.events == []
    assert world.trial.settings().phase is Phase.HELD
    # What it saw is counted; the next who counts goes back.
    world.classify(TrialCounts(points=1, compared=1, errors=1, invocations=1, added_ms=added(1)))
    assert world.trial.settings().phase is Phase.ROLLED_BACK


# --- a store that is away --------------------------------------------------------------------------------------------


def test_while_the_store_is_away_the_settings_last_known_go_on(world: World) -> None:
    started = world.start()
    world.trial.settings()
    world.store.away = True
    world.seconds = 2.0

    assert world.classify() == started
    assert len(world.failures) == 1


def test_what_could_not_be_counted_is_dropped(world: World) -> None:
    world.start()
    world.trial.settings()
    world.store.away = True
    world.seconds = 0.5
    world.classify(differing(a_difference()), a_difference())
    world.store.away = False

    world.seconds = RETRY_SECONDS + 1
    world.classify()

    assert world.store.counts(1) == POINTS
    assert world.noted(1) == []
    assert len(world.failures) == 1


@pytest.mark.parametrize(("rested", "phase"), [(RETRY_SECONDS, Phase.RUNNING), (3600.0, Phase.ROLLED_BACK)])
def test_a_container_that_rested_does_not_go_on_by_a_connection_that_ended(
    world: World, rested: float, phase: Phase
) -> None:
    started = world.start()
    world.trial.settings()
    world.change(rolled_back(started, world.now))
    world.seconds += rested
    world.store.away, world.store.answers_at = True, world.store.asked + 2

    assert world.trial.settings().phase is phase


def test_a_store_that_was_away_is_left_alone_for_a_while(world: World) -> None:
    world.start()
    world.trial.settings()
    world.store.away = True
    world.seconds = 2.0
    world.classify()
    world.store.asked = 0

    world.seconds = 2.0 + RETRY_SECONDS - 0.01
    world.classify()
    assert world.store.asked == 0

    world.store.away = False
    world.seconds = 2.0 + RETRY_SECONDS
    world.classify()
    assert world.store.counts(1) == POINTS


# --- the last minute -------------------------------------------------------------------------------------------------

MANY = TrialCounts(points=10_000, compared=10_000, invocations=100, added_ms=tuple(100 * number for number in added(1)))
ERRORS = TrialCounts(points=100, compared=100, errors=2, invocations=1, added_ms=added(1))


def a_long_step(world: World) -> None:
    """A step of which a hundred times as much was sound as what comes."""
    gates = Gates(min_seconds=10**9)
    world.change(world.store.settings().in_next_step(world.now, phase=Phase.RUNNING, share=10, gates=gates))
    for _ in range(10):
        world.classify(MANY)
        world.seconds += RECENT_SECONDS / 5


@pytest.mark.parametrize("others", [False, True])
def test_errors_that_begin_late_in_a_step_take_the_canary_back(world: World, others: bool) -> None:
    a_long_step(world)
    world.seconds += 2 * RECENT_SECONDS
    other = world.another_classifier()
    other.settings()

    for _ in range(3):
        world.classify(ERRORS)
        if others:
            other.report(other.settings(), ERRORS)

    assert world.store.settings().phase is Phase.ROLLED_BACK
    assert "in the last minute" in world.events[-1].why


def test_errors_of_long_ago_are_not_of_the_last_minute(world: World) -> None:
    a_long_step(world)
    for _ in range(10):
        world.seconds += 2 * RECENT_SECONDS
        world.classify(ERRORS)

    assert world.store.settings().phase is not Phase.ROLLED_BACK


def test_a_step_does_not_answer_for_the_one_before(world: World) -> None:
    a_long_step(world)
    world.seconds += 2 * RECENT_SECONDS
    world.classify(ERRORS)
    world.start()
    world.seconds += SETTINGS_SECONDS

    world.classify(TrialCounts(points=150, compared=150, errors=1, invocations=1, added_ms=added(1)))

    assert world.store.settings().phase is Phase.RUNNING
