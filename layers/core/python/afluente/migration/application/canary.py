"""The canary's state machine: a step's figures say whether it goes on, the next one comes, or the old way takes over.

| phase | goes the new way | the machine |
|---|---|---|
| idle | nobody | does nothing |
| running | the step's share | goes to the next step where every gate is passed; rolls back where one is broken |
| held | the step's share | rolls back where a gate is broken |
| complete | the last step's share | rolls back where a gate is broken |
| rolled_back | nobody | does nothing |
"""

from enum import StrEnum

import msgspec

from afluente.migration.application.trial import (
    SHARED_PHASES,
    EventKind,
    Gates,
    Phase,
    TrialCounts,
    TrialEvent,
    TrialSettings,
    TrialStore,
)

CLASSIFIER = "classifier"
"""Who changed the settings, where it was no person."""

EARLY_ERRORS = 5
"""So many errors break the gate whatever the traffic, if their rate does."""

EARLY_POINTS = 200
"""From so many points judged by both ways on, a rate of errors is one."""

EARLY_INVOCATIONS = 20
"""From so many invocations on, a p95 is one."""

EARLY_SLOW = 10
"""So many invocations that were too slow break the gate, if the p95 does: a few may be caches that fill."""


RECENT_SECONDS = 60.0
"""How long what was counted is recent. Of a long step errors and latency are judged by the last minute as well: else as
much as was sound before would have to go wrong first."""

RECENT_INVOCATIONS = 40
"""From so many invocations on, the p95 of the last minute is one."""


class Gate(StrEnum):
    """What a step is asked for."""

    DIFFERENCES = "differences"
    ERRORS = "errors"
    LATENCY = "latency"
    TIME = "time"
    TRAFFIC = "traffic"


class Standing(StrEnum):
    """How a step stands at a gate."""

    PASSED = "passed"
    WAITING = "waiting"
    BROKEN = "broken"


class StepReading(msgspec.Struct, frozen=True):
    """How a step stands at one gate.

    Attributes:
        gate: which.
        standing: how.
        figure: what was measured, in the gate's unit; None where there is nothing yet.
        limit: what is asked for.
        told: in words.
    """

    gate: Gate
    standing: Standing
    figure: float | None
    limit: float
    told: str


class Verdict(StrEnum):
    """What is to be done."""

    NOTHING = "nothing"
    WAIT = "wait"
    ADVANCE = "advance"
    COMPLETE = "complete"
    ROLL_BACK = "roll_back"


class Decision(msgspec.Struct, frozen=True):
    """What is to be done, with the figures that lead to it.

    Attributes:
        verdict: what.
        readings: of every gate.
    """

    verdict: Verdict
    readings: tuple[StepReading, ...]

    def why(self) -> str:
        """The readings that decide, in a sentence."""
        decisive = Standing.BROKEN if self.verdict is Verdict.ROLL_BACK else Standing.PASSED
        return "; ".join(reading.told for reading in self.readings if reading.standing is decisive)


class Reviewed(msgspec.Struct, frozen=True):
    """What a look at the trial came to.

    Attributes:
        settings: as they are now.
        decision: that was made.
        event: what it changed; None where nothing, or where somebody else was first.
    """

    settings: TrialSettings
    decision: Decision
    event: TrialEvent | None = None


def decide(settings: TrialSettings, counts: TrialCounts, now: float, *, recent: TrialCounts | None = None) -> Decision:
    """What is to be done about the step, by what was counted of it.

    Args:
        settings: in force.
        counts: of their step.
        now: in Unix seconds.
        recent: those of the last `RECENT_SECONDS`; None where they are not known.
    """
    readings = _readings(settings, counts, now, recent or TrialCounts())
    return Decision(_verdict(settings, readings), readings)


def follow(
    decision: Decision, settings: TrialSettings, counts: TrialCounts, *, now: float, by: str = CLASSIFIER
) -> tuple[TrialSettings, TrialEvent] | None:
    """The settings that a decision leads to, and what happened; None where it leads to none."""
    if decision.verdict is Verdict.ROLL_BACK:
        following = rolled_back(settings, now)
        kind = EventKind.ROLLED_BACK
    elif decision.verdict is Verdict.ADVANCE:
        following = settings.in_next_step(now, share=_next_share(settings))
        kind = EventKind.ADVANCED
    elif decision.verdict is Verdict.COMPLETE:
        following = settings.in_next_step(now, phase=Phase.COMPLETE)
        kind = EventKind.COMPLETED
    else:
        return None
    return following, event_of(kind, settings, following, counts=counts, now=now, by=by, why=decision.why())


def review(
    store: TrialStore,
    settings: TrialSettings,
    counts: TrialCounts,
    *,
    now: float,
    recent: TrialCounts | None = None,
    by: str = CLASSIFIER,
) -> Reviewed:
    """Decide, and save what it leads to; of several who do so at once, one does it.

    Raises:
        UnavailableError: the store does not answer.
    """
    decision = decide(settings, counts, now, recent=recent)
    change = follow(decision, settings, counts, now=now, by=by)
    if change is None:
        return Reviewed(settings, decision)
    following, event = change
    if store.save(following, event):
        return Reviewed(following, decision, event)
    return Reviewed(store.settings(), decision)


def rolled_back(settings: TrialSettings, now: float) -> TrialSettings:
    """Settings by which nobody goes the new way any more."""
    return settings.in_next_step(now, phase=Phase.ROLLED_BACK, share=0)


def event_of(
    kind: EventKind,
    before: TrialSettings,
    after: TrialSettings,
    *,
    counts: TrialCounts,
    now: float,
    by: str,
    why: str,
) -> TrialEvent:
    """What happened between two settings."""
    return TrialEvent(
        at=now,
        kind=kind,
        by=by,
        why=why,
        version=after.version,
        step=before.step,
        share_before=before.share,
        share=after.share,
        phase=after.phase,
        counts=counts,
        seconds=max(now - before.step_began_at, 0.0) if before.step_began_at else 0.0,
    )


def _verdict(settings: TrialSettings, readings: tuple[StepReading, ...]) -> Verdict:
    if settings.phase not in SHARED_PHASES:
        return Verdict.NOTHING
    standings = {reading.standing for reading in readings}
    if Standing.BROKEN in standings:
        return Verdict.ROLL_BACK
    if settings.phase is not Phase.RUNNING:
        return Verdict.NOTHING
    if standings != {Standing.PASSED}:
        return Verdict.WAIT
    return Verdict.ADVANCE if _next_share(settings) > settings.share else Verdict.COMPLETE


def _next_share(settings: TrialSettings) -> int:
    """The next step's share; the same where there is none."""
    return min((share for share in settings.steps if share > settings.share), default=settings.share)


def _readings(settings: TrialSettings, counts: TrialCounts, now: float, recent: TrialCounts) -> tuple[StepReading, ...]:
    gates = settings.gates
    return (
        _differences(gates, counts),
        _recent_errors(gates, recent) or _errors(gates, counts),
        _recent_latency(gates, recent) or _latency(gates, counts),
        _time(gates, now - settings.step_began_at),
        _traffic(gates, counts),
    )


def _differences(gates: Gates, counts: TrialCounts) -> StepReading:
    limit = gates.max_differences
    standing = Standing.BROKEN if counts.differences > limit else Standing.PASSED
    told = f"{counts.differences:,} differences, {limit:,} at most"
    return StepReading(Gate.DIFFERENCES, standing, counts.differences, limit, told)


def _errors(gates: Gates, counts: TrialCounts) -> StepReading:
    rate, limit = counts.error_rate, gates.max_error_rate
    standing = Standing.PASSED
    if rate > limit:
        enough = counts.errors >= EARLY_ERRORS or counts.compared >= EARLY_POINTS
        standing = Standing.BROKEN if enough else Standing.WAITING
    told = f"{rate * 100:.2f} % errors ({counts.errors:,} of {counts.compared:,} points), {limit * 100:g} % at most"
    return StepReading(Gate.ERRORS, standing, rate, limit, told)


def _recent_errors(gates: Gates, recent: TrialCounts) -> StepReading | None:
    """The gate of errors, if the last minute breaks it."""
    rate, limit = recent.error_rate, gates.max_error_rate
    if recent.compared < EARLY_POINTS or rate <= limit:
        return None
    told = f"{rate * 100:.2f} % errors in the last minute ({recent.errors:,} of {recent.compared:,} points), "
    return StepReading(Gate.ERRORS, Standing.BROKEN, rate, limit, f"{told}{limit * 100:g} % at most")


def _recent_latency(gates: Gates, recent: TrialCounts) -> StepReading | None:
    """The gate of latency, if the last minute breaks it."""
    p95, limit = recent.p95(), gates.max_added_p95_ms
    is_enough = recent.invocations >= RECENT_INVOCATIONS and recent.slower_than(limit) >= EARLY_SLOW
    if p95 is None or not is_enough or p95 <= limit:
        return None
    told = (
        f"added latency p95 {p95:g} ms in {recent.invocations:,} invocations of the last minute, {limit:g} ms at most"
    )
    return StepReading(Gate.LATENCY, Standing.BROKEN, p95, limit, told)


def _latency(gates: Gates, counts: TrialCounts) -> StepReading:
    p95, limit = counts.p95(), gates.max_added_p95_ms
    if p95 is None or counts.invocations < EARLY_INVOCATIONS:
        told = f"added latency: {counts.invocations} invocations, {EARLY_INVOCATIONS} are needed to tell"
        return StepReading(Gate.LATENCY, Standing.WAITING, p95, limit, told)
    standing = Standing.PASSED
    if p95 > limit:
        standing = Standing.BROKEN if counts.slower_than(limit) >= EARLY_SLOW else Standing.WAITING
    told = f"added latency p95 {p95:g} ms in {counts.invocations:,} invocations, {limit:g} ms at most"
    return StepReading(Gate.LATENCY, standing, p95, limit, told)


def _time(gates: Gates, seconds: float) -> StepReading:
    standing = Standing.PASSED if seconds >= gates.min_seconds else Standing.WAITING
    return StepReading(
        Gate.TIME, standing, seconds, gates.min_seconds, f"{seconds:,.0f} s of {gates.min_seconds:,.0f} s"
    )


def _traffic(gates: Gates, counts: TrialCounts) -> StepReading:
    standing = Standing.PASSED if counts.points >= gates.min_points else Standing.WAITING
    told = f"{counts.points:,} points the new way of {gates.min_points:,}"
    return StepReading(Gate.TRAFFIC, standing, counts.points, gates.min_points, told)
