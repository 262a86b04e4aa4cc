"""The new way of judging on trial: for whom it judges, what came of it beside the old way, and where that is kept.

A *step* is a share of sources for a time: what is counted is counted by step. `afluente.migration.application.canary`
decides by it whether the next step may come.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Protocol

import msgspec

from afluente.domain.constraints import Baseline
from afluente.domain.evaluation import Classification
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN

ADDED_MS_BOUNDS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, 250.0, 1000.0)
"""Up to how many milliseconds each bucket of `TrialCounts.added_ms` goes; the last holds all that is more, too."""

_BUCKETS = len(ADDED_MS_BOUNDS)
_NONE_ADDED = (0,) * _BUCKETS
_HASH_VALUES = 10_000


class Phase(StrEnum):
    """Where the canary is."""

    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"
    ROLLED_BACK = "rolled_back"
    COMPLETE = "complete"


SHARED_PHASES = frozenset({Phase.RUNNING, Phase.HELD, Phase.COMPLETE})
"""The phases in which a share of the sources goes the new way; in the others none does."""


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """What a step has to show before the next may come, and what rolls it back.

    Attributes:
        max_error_rate: of the points judged by both ways, the part at which the new way failed.
        max_added_p95_ms: what the new way took longer than the old, in 95 of 100 invocations.
        max_differences: points of which the ways did not make the same.
        min_seconds: how long a step takes at least.
        min_points: how many points go the new way in it at least.
    """

    max_error_rate: float = 0.01
    max_added_p95_ms: float = 5.0
    max_differences: int = 0
    min_seconds: float = 600.0
    min_points: int = 1000


class TrialSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who goes the new way, and who is judged by both.

    Attributes:
        version: how often the settings were changed.
        step: by which what is counted is counted; it grows, and a number never comes back.
        step_began_at: when, in Unix seconds.
        shadow: whether the sources that go the old way are judged by both ways as well.
        phase: where the canary is.
        share: how many of 100 sources go the new way.
        include: sources that go the new way whatever the share is.
        exclude: sources that never do.
        steps: the shares, one after the other.
        gates: what each step has to show.
    """

    version: int = 0
    step: int = 0
    step_began_at: float = 0.0
    shadow: bool = False
    phase: Phase = Phase.IDLE
    share: int = 0
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    steps: tuple[int, ...] = (10, 50, 100)
    gates: Gates = Gates()

    def goes_new_way(self, source_id: str) -> bool:
        """Whether a source goes the new way; the same wherever it is asked, and no source leaves as the share grows."""
        if self.phase not in SHARED_PHASES or source_id in self.exclude:
            return False
        return source_id in self.include or _place_of(source_id) * 100 < self.share * _HASH_VALUES

    def judged_by_both(self, source_id: str) -> bool:
        """Whether a source is judged by both ways, whichever of them it goes."""
        return self.shadow or self.goes_new_way(source_id)

    def changed(self, **changes: Any) -> "TrialSettings":
        """The settings that follow these."""
        return msgspec.structs.replace(self, version=self.version + 1, **changes)

    def in_next_step(self, now: float, **changes: Any) -> "TrialSettings":
        """The settings that follow these, with counters that begin at 0."""
        return self.changed(step=self.step + 1, step_began_at=now, **changes)


class TrialCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted of a step, or of an invocation.

    Attributes:
        points: of sources that go the new way, those of streams that stay on the old way left out.
        compared: points that were judged by both ways, those at which the new way failed included.
        errors: points at which the new way failed; what the old way made of them was delivered.
        differences: points of which the ways did not make the same.
        invocations: those in which points were judged by both ways.
        added_ms: how many of them took so much longer by the new way, in buckets of `ADDED_MS_BOUNDS`.
    """

    points: int = 0
    compared: int = 0
    errors: int = 0
    differences: int = 0
    invocations: int = 0
    added_ms: tuple[int, ...] = _NONE_ADDED

    def plus(self, other: "TrialCounts") -> "TrialCounts":
        """Both together."""
        return TrialCounts(
            points=self.points + other.points,
            compared=self.compared + other.compared,
            errors=self.errors + other.errors,
            differences=self.differences + other.differences,
            invocations=self.invocations + other.invocations,
            added_ms=tuple(map(sum, zip(self.added_ms, other.added_ms, strict=True))),
        )

    def minus(self, earlier: "TrialCounts") -> "TrialCounts":
        """What was counted since these were all."""
        return TrialCounts(
            points=self.points - earlier.points,
            compared=self.compared - earlier.compared,
            errors=self.errors - earlier.errors,
            differences=self.differences - earlier.differences,
            invocations=self.invocations - earlier.invocations,
            added_ms=tuple(now - before for now, before in zip(self.added_ms, earlier.added_ms, strict=True)),
        )

    @property
    def error_rate(self) -> float:
        """The part of the points judged by both ways at which the new way failed; 0 where there are none."""
        return self.errors / self.compared if self.compared else 0.0

    def p95(self) -> float | None:
        """What 95 of 100 invocations stayed within, in added milliseconds, rounded up to a bound; None without any."""
        if not self.invocations:
            return None
        rank = -(-self.invocations * 95 // 100)
        seen = 0
        for bound, number in zip(ADDED_MS_BOUNDS, self.added_ms, strict=True):
            seen += number
            if seen >= rank:
                return bound
        return ADDED_MS_BOUNDS[-1]

    def slower_than(self, milliseconds: float) -> int:
        """How many invocations took longer by more than that, those of the bucket that it falls into included."""
        within = sum(bound <= milliseconds for bound in ADDED_MS_BOUNDS)
        return sum(self.added_ms[within:])


def added(milliseconds: float) -> tuple[int, ...]:
    """`TrialCounts.added_ms` of one invocation that took so much longer by the new way; less than 0 is none."""
    bucket = min(bisect_left(ADDED_MS_BOUNDS, milliseconds), _BUCKETS - 1)
    return tuple(int(place == bucket) for place in range(_BUCKETS))


class DifferenceCause(StrEnum):
    """Why the ways did not make the same of a point; the first that applies."""

    THRESHOLDS_DIFFER = "thresholds_differ"
    """The constraints are not those that the thresholds come to."""

    NO_CONSTRAINTS = "no_constraints"
    """One of the ways had something to judge by, the other nothing."""

    VALUE_ZONE = "value_zone"
    """By the same bounds, the value was in another zone."""

    RATE = "rate"
    """By the same bounds, its change was too fast for one of the ways alone."""

    ALARM = "alarm"
    """The classes are the same, what became of the alarm is not."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A point of which the ways did not make the same.

    Attributes:
        stream: its key, as text.
        cause: why.
        old, new: what each way made of it.
        value, timestamp, point_id: of the point.
        baseline: what its change was judged by; None where there was nothing.
    """

    stream: str
    cause: DifferenceCause
    old: Classification
    new: Classification
    value: float
    timestamp: float
    point_id: str
    baseline: Baseline | None = None


class NotedDifference(msgspec.Struct, frozen=True):
    """Differences of one stream and cause: how many, and the one that came first."""

    count: int
    example: Difference


class EventKind(StrEnum):
    """What happened to the trial."""

    SHADOW_ON = "shadow_on"
    SHADOW_OFF = "shadow_off"
    STARTED = "started"
    ADVANCED = "advanced"
    COMPLETED = "completed"
    HELD = "held"
    RESUMED = "resumed"
    ROLLED_BACK = "rolled_back"
    SET = "set"


class TrialEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the settings, with the figures that led to it.

    Attributes:
        at: when, in Unix seconds.
        kind: what happened.
        by: `classifier`, or `cli`.
        why: in a sentence.
        version: of the settings after it.
        step: that ended with it, or went on.
        share_before, share: how many of 100 sources went the new way, and go it now.
        phase: after it.
        counts: of the step.
        seconds: how long the step had taken.
    """

    at: float
    kind: EventKind
    by: str
    why: str
    version: int
    step: int
    share_before: int
    share: int
    phase: Phase
    counts: TrialCounts = TrialCounts()
    seconds: float = 0.0


class TrialStore(Protocol):
    """Keeps the settings, the counters, the differences and the events.

    Every method raises `UnavailableError` where the store does not answer.
    """

    def settings(self) -> TrialSettings:
        """The settings as they were last saved; those of an idle canary before."""
        ...

    def save(self, settings: TrialSettings, event: TrialEvent) -> bool:
        """Save settings, and what happened, together.

        Returns:
            Whether they are of the version that follows the one that is kept; else nothing has changed.
        """
        ...

    def counts(self, step: int) -> TrialCounts:
        """What was counted of a step."""
        ...

    def add(self, counts: TrialCounts, *, step: int) -> TrialCounts:
        """Add to what was counted of a step.

        Returns:
            All of it.
        """
        ...

    def note(self, differences: Sequence[NotedDifference], *, step: int) -> None:
        """Add differences to those of a step, each under its stream and cause; the first example of them stays."""
        ...

    def differences(self, step: int) -> Iterable[NotedDifference]:
        """What was noted of a step, in no order."""
        ...

    def events(self) -> Iterable[TrialEvent]:
        """What happened, the latest first."""
        ...


@lru_cache(maxsize=50_000)
def _place_of(source_id: str) -> int:
    """Where a source stands among all: a number from 0, as likely to be any, that has nothing to do with its shard."""
    digest = blake2b(f"{LEGACY_DOMAIN}/{source_id}".encode(), digest_size=8, person=b"canary").digest()
    return int.from_bytes(digest, "big") % _HASH_VALUES
