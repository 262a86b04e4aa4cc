"""The canary's machine: by which figures it waits, goes on, is complete, and goes back."""

from typing import Any

import pytest

from afluente.migration.adapters.memory import MemoryTrial
from afluente.migration.application.canary import (
    CLASSIFIER,
    Verdict,
    decide,
    event_of,
    follow,
    review,
    rolled_back,
)
from afluente.migration.application.gates import Gate, GateStatus
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

GATES = Gates(min_seconds=60, min_points=1000)
FINE: dict[str, int] = {"points": 1000, "compared": 1000, "invocations": 20}


def at_step(share: int = 10, phase: Phase = Phase.RUNNING, **fields: Any) -> TrialSettings:
    return TrialSettings().in_next_step(NOW, phase=phase, share=share, **({"gates": GATES} | fields))


def counts(*, slow: int = 0, added_ms: float = 20.0, **numbers: int) -> TrialCounts:
    """Counts that pass every gate, but for what a test names; `slow` invocations added so many milliseconds."""
    numbers = FINE | numbers
    fast = numbers["invocations"] - slow
    buckets = tuple(fast * quick + slow * slower for quick, slower in zip(added(1.0), added(added_ms), strict=True))
    return TrialCounts(added_ms=buckets, **numbers)


DONE = NOW + 60


# --- decisions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recent", "verdict"),
    [
        (counts(), Verdict.WAIT),
        (counts(compared=200, errors=2), Verdict.WAIT),
        (counts(compared=200, errors=3), Verdict.ROLL_BACK),
        (counts(compared=199, errors=9), Verdict.WAIT),
        (counts(invocations=40, slow=10), Verdict.ROLL_BACK),
        (counts(invocations=40, slow=9), Verdict.WAIT),
        (counts(invocations=39, slow=39), Verdict.WAIT),
        (counts(invocations=1000, slow=40), Verdict.WAIT),
    ],
)
def test_of_a_long_step_the_last_minute_is_measured_as_well(recent: TrialCounts, verdict: Verdict) -> None:
    long = counts(points=10**6, compared=10**6, invocations=10**5)

    decision = decide(at_step(gates=Gates(min_seconds=10**6)), long, NOW + 10**5, recent=recent)

    assert decision.verdict is verdict
    assert ("last minute" in decision.why()) is (verdict is Verdict.ROLL_BACK)


@pytest.mark.parametrize(
    ("counted", "at", "verdict"),
    [
        (counts(), DONE, Verdict.ADVANCE),
        (counts(), DONE - 0.001, Verdict.WAIT),
        (counts(points=999), DONE, Verdict.WAIT),
        (TrialCounts(), DONE, Verdict.WAIT),
        # One difference is one too many, at once.
        (counts(differences=1), NOW, Verdict.ROLL_BACK),
        (TrialCounts(points=1, compared=1, differences=1, invocations=1, added_ms=added(0)), NOW, Verdict.ROLL_BACK),
        # Errors: five of few, or more than the rate of many.
        (counts(errors=10), DONE, Verdict.ADVANCE),
        (counts(errors=11), DONE, Verdict.ROLL_BACK),
        (counts(compared=20, errors=4), DONE, Verdict.WAIT),
        (counts(compared=20, errors=5), NOW, Verdict.ROLL_BACK),
        (counts(compared=199, errors=3), DONE, Verdict.WAIT),
        (counts(compared=200, errors=3), NOW, Verdict.ROLL_BACK),
        (counts(compared=200, errors=2), DONE, Verdict.ADVANCE),
        # Latency: a p95 of enough invocations, too many of them slow for caches that fill.
        (counts(invocations=19, slow=19), DONE, Verdict.WAIT),
        (counts(invocations=20, slow=20), NOW, Verdict.ROLL_BACK),
        (counts(invocations=20, slow=1), DONE, Verdict.ADVANCE),
        (counts(invocations=20, slow=9), DONE, Verdict.WAIT),
        (counts(invocations=20, slow=10), NOW, Verdict.ROLL_BACK),
        (counts(invocations=200, slow=10), DONE, Verdict.ADVANCE),
        (counts(invocations=200, slow=11), NOW, Verdict.ROLL_BACK),
        (counts(slow=20, added_ms=5.0), DONE, Verdict.ADVANCE),
    ],
)
def test_a_step_goes_on_waits_or_goes_back_by_its_figures(counted: TrialCounts, at: float, verdict: Verdict) -> None:
    assert decide(at_step(), counted, at).verdict is verdict


@pytest.mark.parametrize(
    ("share", "steps", "verdict"),
    [
        (10, (10, 50, 100), Verdict.ADVANCE),
        (100, (10, 50, 100), Verdict.COMPLETE),
        (30, (10, 50, 100), Verdict.ADVANCE),
        (50, (10, 50), Verdict.COMPLETE),
        (0, (), Verdict.COMPLETE),
    ],
)
def test_after_the_last_step_the_canary_is_complete(share: int, steps: tuple[int, ...], verdict: Verdict) -> None:
    assert decide(at_step(share, steps=steps), counts(), DONE).verdict is verdict


@pytest.mark.parametrize("phase", [Phase.HELD, Phase.COMPLETE])
def test_a_canary_that_is_held_or_complete_stays_and_still_goes_back(phase: Phase) -> None:
    settings = at_step(phase=phase)

    assert decide(settings, counts(), DONE).verdict is Verdict.NOTHING
    assert decide(settings, counts(differences=1), DONE).verdict is Verdict.ROLL_BACK


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.ROLLED_BACK])
def test_where_no_source_is_in_the_canary_there_is_no_rollback(phase: Phase) -> None:
    assert decide(at_step(0, phase), counts(differences=1), DONE).verdict is Verdict.NOTHING


def test_gates_are_as_wide_as_they_are_set() -> None:
    gates = Gates(max_differences=2, max_error_rate=0.5, max_added_p95_ms=20, min_seconds=0, min_points=0)

    decision = decide(at_step(gates=gates), counts(differences=2, errors=500, slow=20), NOW)

    assert decision.verdict is Verdict.ADVANCE


def test_every_gate_has_its_figure() -> None:
    decision = decide(at_step(), counts(points=400, compared=100, errors=2, differences=0, slow=5), NOW + 30)

    assert {its.gate: (its.status, its.figure, its.limit) for its in decision.results} == {
        Gate.DIFFERENCES: (GateStatus.PASSED, 0, 0),
        Gate.ERRORS: (GateStatus.WAITING, 0.02, 0.01),
        Gate.LATENCY: (GateStatus.WAITING, 20.0, 5.0),
        Gate.TIME: (GateStatus.WAITING, 30.0, 60.0),
        Gate.TRAFFIC: (GateStatus.WAITING, 400, 1000),
    }


def test_the_reason_of_a_decision_is_that_of_the_decisive_gates() -> None:
    assert decide(at_step(), counts(errors=20, points=10), NOW).why() == (
        "2.00 % errors (20 of 1,000 points), 1 % at most"
    )
    assert "1,000 points the new way of 1,000" in decide(at_step(), counts(), DONE).why()


# --- what follows ----------------------------------------------------------------------------------------------------


def followed(settings: TrialSettings, counted: TrialCounts, now: float = DONE) -> tuple[TrialSettings, TrialEvent]:
    following = follow(decide(settings, counted, now), settings, counted, now=now)
    assert following is not None
    return following


def test_the_next_step_begins_with_counters_of_its_own() -> None:
    settings, event = followed(at_step(), counts())

    assert (settings.phase, settings.share, settings.step, settings.version) == (Phase.RUNNING, 50, 2, 2)
    assert settings.step_began_at == DONE
    assert (event.kind, event.share_before, event.share, event.step) == (EventKind.ADVANCED, 10, 50, 1)
    assert (event.by, event.counts, event.seconds, event.at, event.version) == (CLASSIFIER, counts(), 60, DONE, 2)


def test_a_complete_canary_keeps_the_last_share() -> None:
    settings, event = followed(at_step(100), counts())

    assert (settings.phase, settings.share, settings.step) == (Phase.COMPLETE, 100, 2)
    assert event.kind is EventKind.COMPLETED


def test_after_a_rollback_no_source_is_in_the_canary_and_the_rest_stays() -> None:
    before = at_step(50, shadow=True, include=frozenset({"a"}))
    settings, event = followed(before, counts(differences=7))

    assert settings == rolled_back(before, DONE)
    assert (settings.phase, settings.share, settings.shadow) == (Phase.ROLLED_BACK, 0, True)
    assert not settings.in_canary("a")
    assert (event.kind, event.share_before, event.share) == (EventKind.ROLLED_BACK, 50, 0)
    assert event.why == "7 differences, 0 at most"


@pytest.mark.parametrize("now", [NOW, DONE])
def test_nothing_follows_from_waiting(now: float) -> None:
    settings = at_step()

    assert follow(decide(settings, TrialCounts(), now), settings, TrialCounts(), now=now) is None


def test_before_the_first_step_there_is_nothing_that_took_time() -> None:
    before = TrialSettings()

    event = event_of(
        EventKind.SET, before, before.changed(share=1), counts=TrialCounts(), now=NOW, by="cli", why="because"
    )

    assert event.seconds == 0


# --- a look at the trial ---------------------------------------------------------------------------------------------


def started(store: MemoryTrial, settings: TrialSettings) -> TrialSettings:
    event = event_of(
        EventKind.STARTED, TrialSettings(), settings, counts=TrialCounts(), now=NOW, by="cli", why="started"
    )
    assert store.save(settings, event)
    return settings


def test_what_is_decided_is_saved_with_what_happened() -> None:
    store = MemoryTrial()
    settings = started(store, at_step())

    reviewed = review(store, settings, counts(differences=1), now=NOW + 1)

    assert reviewed.settings == store.settings() == rolled_back(settings, NOW + 1)
    assert next(iter(store.events())) == reviewed.event


def test_a_look_that_decides_nothing_changes_nothing() -> None:
    store = MemoryTrial()
    settings = started(store, at_step())

    reviewed = review(store, settings, counts(points=1), now=NOW + 1)

    assert reviewed.settings is settings
    assert reviewed.event is None
    assert reviewed.decision.verdict is Verdict.WAIT


def test_of_several_who_decide_at_once_one_does_it() -> None:
    store = MemoryTrial()
    settings = started(store, at_step())

    first = review(store, settings, counts(differences=1), now=NOW + 1)
    second = review(store, settings, counts(differences=2), now=NOW + 2)

    assert second.event is None
    assert second.settings == first.settings
    assert [event.kind for event in store.events()] == [EventKind.ROLLED_BACK, EventKind.STARTED]
