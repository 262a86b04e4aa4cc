"""What a person tells the canary: to start, hold, go on, go back, or go on otherwise."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from afluente.domain.stream_keys import is_part
from afluente.migration.application.canary import event_of, rolled_back
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

MAX_LISTED = 1_000
"""How many sources a list may name: settings are read every second."""

_ALL = 100
_ATTEMPTS = 5


class CommandRefusedError(Exception):
    """The canary cannot do that now; nothing has changed.

    Attributes:
        message: why.
        hint: what to do; empty where the message says it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DifferencesFoundError(CommandRefusedError):
    """The ways did not make the same of some points: the canary would go back at once."""


class FaultyPlanError(CommandRefusedError):
    """A plan that no canary can follow."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a canary is to go.

    Attributes:
        steps: the shares, one after the other; ascending, each from 1 to 100.
        gates: what each step has to show.
        include: sources that go the new way from the first step on.
        exclude: sources that never do.
    """

    steps: tuple[int, ...] = (10, 50, 100)
    gates: Gates = Gates()
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()


class CanaryCommands:
    """Carries orders out, each with an event.

    Every method raises `CommandRefusedError`, and `UnavailableError` where the store does not answer.

    Args:
        store: of the trial.
        clock: in Unix seconds.
        by: who gives the orders, for the events.
    """

    def __init__(self, store: TrialStore, *, clock: Callable[[], float], by: str = "cli") -> None:
        self._store = store
        self._clock = clock
        self._by = by

    def start(self, plan: Plan, *, despite_differences: bool = False) -> TrialEvent:
        """Begin with the plan's first step.

        Args:
            plan: how it is to go.
            despite_differences: start even if shadow has found some.
        """
        _check(plan)
        before = self._store.settings()
        if before.phase in SHARED_PHASES:
            message = f"a canary is {before.phase} at {before.share} %"
            raise CommandRefusedError(message, "change it with 'set', or take it back with 'rollback' first")
        # Of shadow alone, that may have been switched off since: a canary's step ends with it.
        found = self._store.counts(before.step).differences
        if found > plan.gates.max_differences and not despite_differences:
            message = f"shadow has found {found:,} differences, {plan.gates.max_differences:,} at most are allowed"
            raise DifferencesFoundError(
                message,
                "look at 'afluente migrate shadow report', mend what it names, and have shadow count anew: "
                "'shadow off', 'shadow on'",
            )
        after = before.in_next_step(
            self._clock(),
            phase=Phase.RUNNING,
            share=plan.steps[0],
            steps=plan.steps,
            gates=plan.gates,
            include=plan.include,
            exclude=plan.exclude,
        )
        return self._save(EventKind.STARTED, before, after, "started")

    def hold(self) -> TrialEvent:
        """Let no next step come; a broken gate still takes it back."""
        before = self._store.settings()
        if before.phase is not Phase.RUNNING:
            raise CommandRefusedError(f"the canary is {_told(before.phase)}: there is no next step to hold back")
        return self._save(EventKind.HELD, before, before.changed(phase=Phase.HELD), "held")

    def resume(self) -> TrialEvent:
        """Let the next step come again; what was counted meanwhile counts."""
        before = self._store.settings()
        if before.phase is not Phase.HELD:
            raise CommandRefusedError(f"the canary is {_told(before.phase)}, not held")
        return self._save(EventKind.RESUMED, before, before.changed(phase=Phase.RUNNING), "resumed")

    def roll_back(self, why: str = "rolled back by hand") -> TrialEvent | None:
        """Let nobody go the new way any more, whatever has become of the canary meanwhile.

        Returns:
            What happened; None where nobody did.
        """
        for _ in range(_ATTEMPTS - 1):
            with suppress(CommandRefusedError):
                return self._roll_back(why)
        return self._roll_back(why)

    def change(self, plan: Plan, *, share: int | None = None) -> TrialEvent:
        """Go on otherwise: by another plan, or with another share.

        Counters begin at 0 where other sources go the new way by it.

        Args:
            plan: how it is to go from now on.
            share: of the sources, from now on; a complete canary goes on from there, as it does with further steps.
        """
        _check(plan)
        if share is not None and not 0 <= share <= _ALL:
            raise FaultyPlanError(f"a share is from 0 to 100, not {share}")
        before = self._store.settings()
        if before.phase not in SHARED_PHASES:
            raise CommandRefusedError(f"the canary is {_told(before.phase)}: there is nothing to change", "'start' one")
        changes: dict[str, Any] = {"steps": plan.steps, "gates": plan.gates}
        others = {"include": plan.include, "exclude": plan.exclude, "share": before.share if share is None else share}
        goes_on = others["share"] != before.share or plan.steps[-1] > before.share
        if before.phase is Phase.COMPLETE and goes_on:
            changes["phase"] = Phase.RUNNING
        if any(getattr(before, name) != value for name, value in others.items()):
            after = before.in_next_step(self._clock(), **changes, **others)
        else:
            after = before.changed(**changes)
        return self._save(EventKind.SET, before, after, "set by hand")

    def _roll_back(self, why: str) -> TrialEvent | None:
        before = self._store.settings()
        if before.phase not in SHARED_PHASES:
            return None
        return self._save(EventKind.ROLLED_BACK, before, rolled_back(before, self._clock()), why)

    def _save(self, kind: EventKind, before: TrialSettings, after: TrialSettings, why: str) -> TrialEvent:
        counts = self._store.counts(before.step) if before.step else TrialCounts()
        event = event_of(kind, before, after, counts=counts, now=self._clock(), by=self._by, why=why)
        if not self._store.save(after, event):
            raise CommandRefusedError("the canary has changed meanwhile", "look at 'status', and try again")
        return event


def plan_of(settings: TrialSettings) -> Plan:
    """The plan by which a canary goes."""
    return Plan(steps=settings.steps, gates=settings.gates, include=settings.include, exclude=settings.exclude)


def _check(plan: Plan) -> None:
    steps = plan.steps
    if not steps or list(steps) != sorted(set(steps)) or not 1 <= steps[0] <= steps[-1] <= _ALL:
        raise FaultyPlanError(f"steps {_listed(steps)}: they ascend, each from 1 to 100, such as 10,50,100")
    for name, sources in (("include", plan.include), ("exclude", plan.exclude)):
        if len(sources) > MAX_LISTED:
            raise FaultyPlanError(f"{name} names {len(sources):,} sources, {MAX_LISTED:,} at most are allowed")
        if faulty := sorted(source for source in sources if not is_part(source)):
            message = f"{name}: {faulty[0]!r} is no source_id"
            raise FaultyPlanError(message, "name a source as its points do, without the domain")
    if both := sorted(plan.include & plan.exclude):
        raise FaultyPlanError(f"{both[0]!r} is to be included and excluded")


def _listed(steps: Sequence[int]) -> str:
    return ",".join(map(str, steps)) or "(none)"


def _told(phase: Phase) -> str:
    return phase.replace("_", " ")
