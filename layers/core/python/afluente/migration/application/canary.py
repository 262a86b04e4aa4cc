"""The canary's state machine: by its gates a step goes on, is followed by the next, or is rolled back.

| phase | classified by constraints | transition |
|---|---|---|
| idle | no source | none |
| running | the step's share | to the next step when every gate is passed; to rolled_back when one is broken |
| held | the step's share | to rolled_back when a gate is broken |
| complete | the last step's share | to rolled_back when a gate is broken |
| rolled_back | no source | none |
"""

from enum import StrEnum

import msgspec

from afluente.migration.application.gates import GateResult, GateStatus, gate_results
from afluente.migration.application.ports import TrialStore
from afluente.migration.application.trial import (
    SHARED_PHASES,
    EventKind,
    Phase,
    TrialCounts,
    TrialEvent,
    TrialSettings,
)

CLASSIFIER = "classifier"
"""The author of events that no person caused."""


class Verdict(StrEnum):
    """The decision on a step."""

    NOTHING = "nothing"
    WAIT = "wait"
    ADVANCE = "advance"
    COMPLETE = "complete"
    ROLL_BACK = "roll_back"


class Decision(msgspec.Struct, frozen=True):
    """A verdict with the results that lead to it, one of every gate."""

    verdict: Verdict
    results: tuple[GateResult, ...]

    def why(self) -> str:
        """The decisive results, in a sentence."""
        decisive = GateStatus.BROKEN if self.verdict is Verdict.ROLL_BACK else GateStatus.PASSED
        return "; ".join(result.text for result in self.results if result.status is decisive)


class Reviewed(msgspec.Struct, frozen=True):
    """The outcome of a review.

    Attributes:
        settings: in force after it.
        decision: that was made.
        event: the change; None if there was none, or another classifier made it first.
    """

    settings: TrialSettings
    decision: Decision
    event: TrialEvent | None = None


def decide(settings: TrialSettings, counts: TrialCounts, now: float, *, recent: TrialCounts | None = None) -> Decision:
    """Decide on the step.

    Args:
        settings: in force.
        counts: of their step.
        now: in Unix seconds.
        recent: counts of the last `RECENT_SECONDS`; None if they are not known.
    """
    results = gate_results(settings, counts, now, recent=recent or TrialCounts())
    return Decision(_verdict(settings, results), results)


def follow(
    decision: Decision, settings: TrialSettings, counts: TrialCounts, *, now: float, by: str = CLASSIFIER
) -> tuple[TrialSettings, TrialEvent] | None:
    """The settings that a decision leads to, and the event; None if it changes nothing."""
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
    """Decide on the step and save the change; of several concurrent reviews one saves.

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
    """The settings after a rollback: no source is classified by constraints."""
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
    """The event between two settings."""
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


def _verdict(settings: TrialSettings, results: tuple[GateResult, ...]) -> Verdict:
    if settings.phase not in SHARED_PHASES:
        return Verdict.NOTHING
    statuses = {result.status for result in results}
    if GateStatus.BROKEN in statuses:
        return Verdict.ROLL_BACK
    if settings.phase is not Phase.RUNNING:
        return Verdict.NOTHING
    if statuses != {GateStatus.PASSED}:
        return Verdict.WAIT
    return Verdict.ADVANCE if _next_share(settings) > settings.share else Verdict.COMPLETE


def _next_share(settings: TrialSettings) -> int:
    """The next step's share; the same if there is no next step."""
    return min((share for share in settings.steps if share > settings.share), default=settings.share)
