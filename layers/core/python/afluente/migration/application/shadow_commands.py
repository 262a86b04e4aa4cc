"""The commands of shadow: on, off, and a report of the differences."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from afluente.migration.application.canary import event_of
from afluente.migration.application.canary_commands import CommandRefusedError
from afluente.migration.application.ports import TrialStore
from afluente.migration.application.trial import (
    SHARED_PHASES,
    EventKind,
    NotedDifference,
    Phase,
    TrialCounts,
    TrialEvent,
    TrialSettings,
)


class ShadowReport(msgspec.Struct, frozen=True, kw_only=True):
    """The counts and the differences of a step.

    Attributes:
        settings: current ones.
        step: the step.
        counts: of the step.
        noted: its differences by stream and cause, the most frequent first.
        rolled_back_in: the step in which the canary was rolled back; None if it is not.
    """

    settings: TrialSettings
    step: int
    counts: TrialCounts
    noted: Sequence[NotedDifference]
    rolled_back_in: int | None = None

    @property
    def by_cause(self) -> Mapping[str, int]:
        """The number of noted differences of each cause, the most frequent first."""
        causes: Counter[str] = Counter()
        for noted in self.noted:
            causes[noted.example.cause.value] += noted.count
        return dict(causes.most_common())

    @property
    def not_noted(self) -> int:
        """The number of differences that were counted, but not noted."""
        return max(self.counts.differences - sum(self.by_cause.values()), 0)


def switch(store: TrialStore, *, on: bool, clock: Callable[[], float], by: str = "cli") -> TrialEvent | None:
    """Put all sources on trial, or those in the canary alone.

    Counts begin at 0 when shadow is switched on while no canary is under way.

    Args:
        store: of the trial.
        on: whether shadow is switched on or off.
        clock: in Unix seconds.
        by: the author of the event.

    Returns:
        The event; None if nothing changes.

    Raises:
        CommandRefusedError: the trial has changed at the same moment.
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
    """Report the counts and the differences of a step.

    Args:
        store: of the trial.
        step: the current one if None.

    Raises:
        UnavailableError: the store does not answer.
    """
    settings = store.settings()
    step = settings.step if step is None else step
    noted = sorted(store.differences(step), key=lambda its: (-its.count, its.example.stream, its.example.cause))
    rolled_back_in: int | None = None
    if settings.phase is Phase.ROLLED_BACK:
        rolled_back_in = next((its.step for its in store.events() if its.kind is EventKind.ROLLED_BACK), None)
    return ShadowReport(
        settings=settings, step=step, counts=store.counts(step), noted=noted, rolled_back_in=rolled_back_in
    )
