"""Shadow as a person has it: on or off, and what it found."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from afluente.migration.application.canary import event_of
from afluente.migration.application.canary_commands import CommandRefusedError
from afluente.migration.application.trial import (
    SHARED_PHASES,
    EventKind,
    NotedDifference,
    Phase,
    TrialCounts,
    TrialEvent,
    TrialSettings,
    TrialStore,
)


class ShadowReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the ways made of the same points in a step.

    Attributes:
        settings: as they are now.
        step: which.
        counts: of it.
        noted: its differences by stream and cause, those with the most first.
        went_back_in: the step in which the canary was rolled back; None where it is not.
    """

    settings: TrialSettings
    step: int
    counts: TrialCounts
    noted: Sequence[NotedDifference]
    went_back_in: int | None = None

    @property
    def by_cause(self) -> Mapping[str, int]:
        """How many of the differences that were noted have each cause, the most frequent first."""
        causes: Counter[str] = Counter()
        for noted in self.noted:
            causes[noted.example.cause.value] += noted.count
        return dict(causes.most_common())

    @property
    def not_noted(self) -> int:
        """Differences that were counted, but of which it is not known which they are."""
        return max(self.counts.differences - sum(self.by_cause.values()), 0)


def switch(store: TrialStore, *, on: bool, clock: Callable[[], float], by: str = "cli") -> TrialEvent | None:
    """Have the sources that go the old way judged by both ways as well, or no longer.

    What was counted begins at 0 where shadow goes on and no canary is under way.

    Args:
        store: of the trial.
        on: which of the two.
        clock: in Unix seconds.
        by: who says so.

    Returns:
        What happened; None where it was so already.

    Raises:
        CommandRefusedError: somebody else has changed the trial meanwhile.
        UnavailableError: the store does not answer.
    """
    before = store.settings()
    if before.shadow is on:
        return None
    now = clock()
    if on and before.phase not in SHARED_PHASES:
        after = before.in_next_step(now, shadow=True)
    else:
        after = before.changed(shadow=on)
    kind = EventKind.SHADOW_ON if on else EventKind.SHADOW_OFF
    counts = store.counts(before.step)
    event = event_of(kind, before, after, counts=counts, now=now, by=by, why="switched by hand")
    if not store.save(after, event):
        raise CommandRefusedError("the trial has changed meanwhile", "look at 'report', and try again")
    return event


def report(store: TrialStore, step: int | None = None) -> ShadowReport:
    """What the ways made of the same points.

    Args:
        store: of the trial.
        step: in which step; the one at hand, if nothing is said.

    Raises:
        UnavailableError: the store does not answer.
    """
    settings = store.settings()
    step = settings.step if step is None else step
    noted = sorted(store.differences(step), key=lambda its: (-its.count, its.example.stream, its.example.cause))
    went_back_in: int | None = None
    if settings.phase is Phase.ROLLED_BACK:
        went_back_in = next((its.step for its in store.events() if its.kind is EventKind.ROLLED_BACK), None)
    return ShadowReport(settings=settings, step=step, counts=store.counts(step), noted=noted, went_back_in=went_back_in)
