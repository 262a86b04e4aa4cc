"""The commands of the canary: start, hold, resume, change and roll back."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from afluente.domain.stream_keys import is_part
from afluente.migration.application.canary import event_of, rolled_back
from afluente.migration.application.ports import TrialStore
from afluente.migration.application.trial import (
    SHARED_PHASES,
    EventKind,
    Gates,
    Phase,
    TrialCounts,
    TrialEvent,
    TrialSettings,
)

MAX_LISTED = 1_000
"""The most sources of a list: settings are read every second."""

_ALL = 100
_ATTEMPTS = 5


class CommandRefusedError(Exception):
    """The command is not possible now; nothing has changed.

    Attributes:
        message: the reason.
        hint: what to do; empty if the message says it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DifferencesFoundError(CommandRefusedError):
    """Shadow has found differences: the canary would be rolled back at once."""


class FaultyPlanError(CommandRefusedError):
    """The plan is invalid."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a canary.

    Attributes:
        steps: the shares, one after the other; ascending, each from 1 to 100.
        gates: of each step.
        include: sources that are in the canary from the first step on.
        exclude: sources that never are.
    """

    steps: tuple[int, ...] = (10, 50, 100)
    gates: Gates = Gates()
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()


class CanaryCommands:
    """Executes commands, each with an event.

    Every method raises `CommandRefusedError`, and `UnavailableError` if the store does not answer.

    Args:
        store: of the trial.
        clock: in Unix seconds.
        by: the author of the events.
    """

    def __init__(self, store: TrialStore, *, clock: Callable[[], float], by: str = "cli") -> None:
        self._store = store
        self._clock = clock
        self._by = by

    def start(self, plan: Plan, *, despite_differences: bool = False) -> TrialEvent:
        """Begin with the plan's first step.

        Args:
            plan: of the canary.
            despite_differences: start even if shadow has found differences.
        """
        _check(plan)
        before = self._store.settings()
        if before.phase in SHARED_PHASES:
            message = f"a canary is {before.phase} at {before.share} %"
            raise CommandRefusedError(message, "change it with 'set', or take it back with 'rollback' first")
        # The step is that of shadow, which may be off by now: the step of a canary ends with the canary.
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
        """Stay at the current step; a broken gate still rolls back."""
        before = self._store.settings()
        if before.phase is not Phase.RUNNING:
            raise CommandRefusedError(f"the canary is {_name(before.phase)}: there is no next step to hold back")
        return self._save(EventKind.HELD, before, before.changed(phase=Phase.HELD), "held")

    def resume(self) -> TrialEvent:
        """Let the next step come again, with the counts since the step began."""
        before = self._store.settings()
        if before.phase is not Phase.HELD:
            raise CommandRefusedError(f"the canary is {_name(before.phase)}, not held")
        return self._save(EventKind.RESUMED, before, before.changed(phase=Phase.RUNNING), "resumed")

    def roll_back(self, why: str = "rolled back by hand") -> TrialEvent | None:
        """Take every source out of the canary, also where the canary changes at the same moment.

        Returns:
            The event; None if no source was in the canary.
        """
        for _ in range(_ATTEMPTS - 1):
            with suppress(CommandRefusedError):
                return self._roll_back(why)
        return self._roll_back(why)

    def change(self, plan: Plan, *, share: int | None = None) -> TrialEvent:
        """Change the plan or the share.

        Counts begin at 0 if the change brings other sources into the canary.

        Args:
            plan: from now on.
            share: of the sources, from now on; with another share or further steps, a complete canary runs again.
        """
        _check(plan)
        if share is not None and not 0 <= share <= _ALL:
            raise FaultyPlanError(f"a share is from 0 to 100, not {share}")
        before = self._store.settings()
        if before.phase not in SHARED_PHASES:
            raise CommandRefusedError(f"the canary is {_name(before.phase)}: there is nothing to change", "'start' one")
        changes: dict[str, Any] = {"steps": plan.steps, "gates": plan.gates}
        share = before.share if share is None else share
        membership = {"include": plan.include, "exclude": plan.exclude, "share": share}
        if before.phase is Phase.COMPLETE and (share != before.share or plan.steps[-1] > before.share):
            changes["phase"] = Phase.RUNNING
        if any(getattr(before, name) != value for name, value in membership.items()):
            after = before.in_next_step(self._clock(), **changes, **membership)
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
    """The plan in the settings of a canary."""
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


def _name(phase: Phase) -> str:
    return phase.replace("_", " ")
